"""A picture drawn again by a network that has learned a style: coarse strokes first, each scale from noise (SDEdit).

At every scale the picture is covered with noise and carried back, as far as the noise lets it be seen (Meng et al.
2022, "SDEdit: guided image synthesis and editing with stochastic differential equations"). The result is enlarged, gets
the photo's own finer details, and is drawn again. The guide is the same picture, shrunk as the network is told: it pins
what is coarser, and leaves what is finer to the style (coarse to fine after Kulikov et al. 2023, "SinDDM").
"""

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from ..degradation.operators import Degradation, resize, shrunk_size
from ..diffusion.conditioning import Conditioning, guided, no_state
from ..diffusion.inference import Run, infer
from ..images.units import luma
from .problem import Repainting

SMALLEST = 32
"""Pixels of the shorter side below which a picture is not halved."""

Draw = Callable[[Tensor, Tensor, int], Tensor]
"""(start (1, 3, h, w), guide (1, 3, h', w'), how often it was halved) -> a sample (1, 3, h, w)."""


def repaint(y: Tensor, how: Repainting, run: Run, *, gray: bool) -> Tensor:
    """Draw a picture again where it is to be. In one step, for which no noise is drawn, it stays as it is.

    Args:
        y: (1, 3, H, W), the photo in its new colours.
        how: how it is drawn again.
        run: how to compute.
        gray: the picture's channels are equal.

    Returns:
        (1, 3, H, W).
    """
    if run.settings.steps == 1:
        return y
    base = replace(run.prior.nothing_known(1, y.device), gray=gray)
    scales = len(pyramid(y, how.levels))

    def draw(start: Tensor, guide: Tensor, halvings: int) -> Tensor:
        size = (start.shape[-2], start.shape[-1])
        seen = guided(base, guide, Degradation(scale=how.scale), size)
        known = Conditioning(observation=seen, x_t=no_state(size), sigma_t=math.inf)
        part = run.part(*_share_of(halvings, scales))
        on_step = run.on_step if halvings == 0 else None
        return infer(known, replace(part, mean=start, sigma=how.sigma, stage=halvings, on_step=on_step))

    painted = repainted(y, how, draw)
    if how.keep_luma:
        painted = painted + luma(y) - luma(painted)
    return painted if how.where is None else torch.where(torch.from_numpy(how.where), painted, y)


def _share_of(halvings: int, scales: int) -> tuple[float, float]:
    """Return when a scale of a pyramid begins and ends, 0 .. 1, if each pixel takes as long."""
    times = np.cumsum([0.0, *(4.0**-k for k in range(scales - 1, -1, -1))])
    begin = scales - 1 - halvings
    return float(times[begin] / times[-1]), float(times[begin + 1] / times[-1])


def repainted(x: Tensor, how: Repainting, draw: Draw) -> Tensor:
    """Draw every scale of a picture, coarse to fine.

    Args:
        x: (1, 3, H, W), the photo in its new colours.
        how: how it is drawn again.
        draw: draws one scale.

    Returns:
        (1, 3, H, W), all of it drawn.
    """
    scales = pyramid(x, how.levels)
    painted = scales[-1]
    for k in range(len(scales) - 1, -1, -1):
        start = painted if k == len(scales) - 1 else refined(painted, scales[k], scales[k + 1])
        size = (start.shape[-2], start.shape[-1])
        painted = draw(start, resize(start, shrunk_size(size, how.scale)), k)
    return painted


def pyramid(x: Tensor, levels: int) -> list[Tensor]:
    """Return a picture, and the same halved once, twice, ... up to `levels` times."""
    scales = [x]
    while len(scales) <= levels and min(scales[-1].shape[-2:]) >= 2 * SMALLEST:
        h, w = scales[-1].shape[-2:]
        scales.append(resize(scales[-1], ((h + 1) // 2, (w + 1) // 2)))
    return scales


def refined(painted: Tensor, fine: Tensor, coarse: Tensor) -> Tensor:
    """Enlarge what was drawn, and add what `fine` shows beyond `coarse` (a step of a Laplacian pyramid)."""
    size = (fine.shape[-2], fine.shape[-1])
    return resize(painted - coarse, size) + fine
