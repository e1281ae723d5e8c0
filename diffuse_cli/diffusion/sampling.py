"""Sigma schedules and solvers of the probability-flow ODE. A solver never knows which denoiser it drives."""

import math
from collections.abc import Callable
from functools import partial
from itertools import pairwise

import torch
from torch import Tensor

from ..errors import UsageError
from .denoiser import DenoiserFn
from .settings import Solver
from .tiling import by_rows

SIGMA_END = 0.005
RHO = 7.0


def karras_sigmas(steps: int, sigma_max: float, sigma_min: float = SIGMA_END) -> Tensor:
    """Return decreasing sigmas, the last 0 (Karras et al. 2022, equation 5, rho = 7).

    Args:
        steps: of the solver.
        sigma_max: the first sigma.
        sigma_min: the last sigma before 0.

    Returns:
        (steps + 1,).

    Raises:
        UsageError: steps < 1, or sigma_max is not finite and positive.
    """
    if steps < 1:
        raise UsageError(f"steps must be at least 1, not {steps}")
    if not (0 < sigma_max < math.inf):
        raise UsageError(f"sampling must start at a finite sigma > 0, not {sigma_max}")
    ramp = torch.linspace(0, 1, steps, dtype=torch.float64) if steps > 1 else torch.zeros(1, dtype=torch.float64)
    low = min(sigma_min, sigma_max)
    sigmas = (sigma_max ** (1 / RHO) + ramp * (low ** (1 / RHO) - sigma_max ** (1 / RHO))) ** RHO
    return torch.cat([sigmas, sigmas.new_zeros(1)]).float()


def _check(sigmas: Tensor) -> None:
    if len(sigmas) < 2 or not bool((sigmas[:-1] > sigmas[1:]).all()) or float(sigmas[-1]) != 0:
        raise UsageError("sigmas must decrease and end at 0")


def sample_euler(denoise: DenoiserFn, x: Tensor, sigmas: Tensor) -> tuple[Tensor, int]:
    """Integrate the probability-flow ODE with Euler's method (first order).

    Args:
        denoise: the denoiser.
        x: (B, 3, H, W), the mean plus noise of std sigmas[0], [-1, 1] units.
        sigmas: (N + 1,), decreasing, last 0.

    Returns:
        the sample (B, 3, H, W) and the denoiser calls spent, N.

    Raises:
        UsageError: sigmas do not decrease to 0.
    """
    _check(sigmas)
    for sigma, after in pairwise(sigmas):
        denoised = denoise(x, sigma)
        x = denoised + float(after / sigma) * (x - denoised)
    return x, len(sigmas) - 1


def sample_heun(denoise: DenoiserFn, x: Tensor, sigmas: Tensor) -> tuple[Tensor, int]:
    """Integrate the probability-flow ODE with Heun's method (Karras et al. 2022, Algorithm 1).

    Args:
        denoise: the denoiser.
        x: (B, 3, H, W), the mean plus noise of std sigmas[0], [-1, 1] units.
        sigmas: (N + 1,), decreasing, last 0.

    Returns:
        the sample (B, 3, H, W) and the denoiser calls spent, 2N - 1.

    Raises:
        UsageError: sigmas do not decrease to 0.
    """
    _check(sigmas)
    for sigma, after in pairwise(sigmas):
        slope = (x - denoise(x, sigma)) / sigma
        euler = x + (after - sigma) * slope
        if after > 0:
            slope = (slope + (euler - denoise(euler, after)) / after) / 2
            euler = x + (after - sigma) * slope
        x = euler
    return x, 2 * (len(sigmas) - 1) - 1


def sample_dpmpp_2m(denoise: DenoiserFn, x: Tensor, sigmas: Tensor) -> tuple[Tensor, int]:
    """Integrate with DPM-Solver++(2M) (Lu et al. 2022, arXiv:2211.01095, Algorithm 2): second order, one call a step.

    Args:
        denoise: the denoiser.
        x: (B, 3, H, W), the mean plus noise of std sigmas[0], [-1, 1] units.
        sigmas: (N + 1,), decreasing, last 0.

    Returns:
        the sample (B, 3, H, W) and the denoiser calls spent, N.

    Raises:
        UsageError: sigmas do not decrease to 0.
    """
    _check(sigmas)
    previous: Tensor | None = None
    h_previous = 0.0
    for sigma, after in pairwise(sigmas.tolist()):
        denoised = denoise(x, torch.tensor(sigma))
        if after == 0:
            return denoised, len(sigmas) - 1
        h = math.log(sigma / after)
        pictures = (x, denoised) if previous is None else (x, denoised, previous)
        further = 0.0 if previous is None else h / (2 * h_previous)
        x = by_rows(partial(_dpmpp_2m_step, ratio=after / sigma, further=further), *pictures)
        previous, h_previous = denoised, h
    raise AssertionError("unreachable: the last sigma is 0")


def _dpmpp_2m_step(
    x: Tensor, denoised: Tensor, previous: Tensor | None = None, *, ratio: float, further: float
) -> Tensor:
    """Shrink the noise to `ratio` of itself, around the estimate carried on by `further` of its last change."""
    ahead = denoised if previous is None else denoised + (denoised - previous) * further
    return ratio * x + (1 - ratio) * ahead


SOLVERS: dict[Solver, Callable[[DenoiserFn, Tensor, Tensor], tuple[Tensor, int]]] = {
    "dpmpp-2m": sample_dpmpp_2m,
    "heun": sample_heun,
    "euler": sample_euler,
}
