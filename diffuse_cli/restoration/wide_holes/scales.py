"""Holes wider than the network's reach, filled coarse to fine: solved small first, each result the next scale's guide.

The guide of a scale is a picture that was shrunk by 2, so nothing here asks the core for what it was not trained for.
What is known stays exact at every scale. (After Kulshreshtha et al. 2022, "Feature Refinement to Improve High
Resolution Image Inpainting", and Wang et al. 2023, arXiv:2303.00354, hierarchical restoration.)
"""

import math
from collections.abc import Callable
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor

from ...degradation.operators import Degradation, resize
from ...diffusion.denoiser import Observation
from ...diffusion.fill import pull_push

Solve = Callable[[Observation, int], Tensor]
"""(what is known at a scale, how often it was halved) -> an estimate (1, 3, h, w), its known pixels exact."""


def halved(y: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
    """Means of the known pixels of 2 x 2, and which of these count as known: where at least half of it is.

    Args: y (1, 3, h, w), known (1, 1, h, w) bool.
    Returns: (1, 3, h/2, w/2), (1, 1, h/2, w/2), sides rounded up; 0 where nothing was known.
    """
    h, w = y.shape[-2:]
    even = (0, w % 2, 0, h % 2)
    share = F.avg_pool2d(F.pad(known.to(y.dtype), even), 2)
    mean = F.avg_pool2d(F.pad(torch.where(known, y, 0.0), even), 2) / share.clamp_min(0.25)
    return mean, share >= 0.5


def pyramid(y: Tensor, known: Tensor, levels: int) -> list[tuple[Tensor, Tensor]]:
    """A picture and what is known of it, at full size and halved up to `levels` times, while any of it is known."""
    scales = [(y, known)]
    while len(scales) <= levels:
        smaller = halved(*scales[-1])
        if not bool(smaller[1].any()):
            break
        scales.append(smaller)
    return scales


def coarse_to_fine(base: Observation, y: Tensor, hole: Tensor, levels: int, solve: Solve) -> Tensor:
    """Fill a hole.

    Args:
        base: what is known beside y: nothing.
        y: (1, 3, H, W), exact where there is no hole; not read in it.
        hole: (H, W) bool, not all of it.
        levels: how often it is halved first.
    Returns: (1, 3, H, W), equal to y where there is no hole.
    """
    scales = pyramid(y, ~hole[None, None], levels)
    small, known = scales[-1]
    sigma_y = torch.where(known, 0.0, math.inf)
    mu, sigma_p = pull_push(small, sigma_y)
    x = solve(replace(base, mu=mu, sigma_p=sigma_p, y=small, sigma_y=sigma_y), len(scales) - 1)
    for k in range(len(scales) - 2, -1, -1):
        x = solve(refinement(base, x, *scales[k]), k)
    return x


def refinement(base: Observation, coarse: Tensor, y: Tensor, known: Tensor) -> Observation:
    """A scale, of which the half as large one is solved: the enlarged result is the guide, beside the known pixels."""
    h, w = coarse.shape[-2:]
    return replace(
        base.told(Degradation(scale=2)),
        mu=resize(coarse, (2 * h, 2 * w))[..., : y.shape[-2], : y.shape[-1]],
        y=y,
        sigma_y=torch.where(known, 0.0, math.inf),
    )
