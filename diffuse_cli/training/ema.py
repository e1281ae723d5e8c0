"""Averages of the weights whose length grows with the run: power-function EMA (Karras et al. 2024, section 3.1)."""

import numpy as np
import torch
from torch import Tensor, nn

Weights = dict[str, Tensor]


def exponent(length: float) -> float:
    """Return gamma of an average whose std is `length` of the run (EDM2, equation 126)."""
    inverse = length**-2
    roots = np.roots([1.0, 7.0, 16.0 - inverse, 12.0 - inverse])
    return float(max(root.real for root in roots if abs(root.imag) < 1e-9))


def keep(step: int, length: float, horizon: int) -> float:
    """Return the share of the average that stays when new weights join it.

    Args:
        step: steps behind the new weights, from 1.
        length: the average's std, as a share of the run.
        horizon: the average reaches no further back than about this many steps.
    """
    beta = (1 - 1 / step) ** (exponent(length) + 1)
    return float(min(beta, 1 - 1 / horizon))


def copy_of(net: nn.Module) -> Weights:
    """Copy the weights, to begin an average with."""
    return {name: value.detach().clone() for name, value in net.state_dict().items()}


@torch.no_grad()
def update(average: Weights, net: nn.Module, beta: float) -> None:
    """Replace the average by beta * average + (1 - beta) * weights."""
    values = net.state_dict()
    torch._foreach_lerp_(list(average.values()), [values[name] for name in average], 1 - beta)
