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

from .degradation import Description, resize
from .denoiser import Observation
from .fill import pull_push

_MOST_TEXTURE = 0.5
"""Of a sample: whole ones come out as rubble where the surroundings are rough, too."""

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


def texture_share(missing: Tensor, y: Tensor, mean: Tensor, sample: Tensor) -> float:
    """How far to go from the mean to a sample for a hole to be as rough as what is around it.

    Roughness is the std of the differences of neighbours: of the known ones by their median, so that a few edges in a
    smooth sky count for nothing. A sample of a smooth place is too rough by far, the mean of a rough one too smooth.

    Args: missing (1, 1, h, w) bool; y, mean, sample (1, 3, h, w), y where nothing is missing.
    Returns: 0 .. 0.5.
    """
    around = _steps(torch.where(missing, math.nan, y))
    rows, columns = (torch.nonzero(missing[0, 0].any(axis))[:, 0] for axis in (1, 0))
    box = (..., slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1))
    inside, mean, sample = missing[box], mean[box], sample[box]
    smooth, rough = (_steps(torch.where(inside, x, math.nan)).square().mean() for x in (mean, sample - mean))
    if len(around) == 0 or not float(rough) > 0:
        return 0.0
    lacking = (around.abs().median() / 0.6745) ** 2 - smooth
    return min(math.sqrt(max(float(lacking / rough), 0)), _MOST_TEXTURE)


def _steps(x: Tensor) -> Tensor:
    """(N,) differences of neighbours in rows and columns; NaN has no neighbours."""
    steps = (x.diff(dim=axis).flatten() for axis in (-2, -1))
    return torch.cat([one[one.isfinite()] for one in steps])


def refinement(base: Observation, coarse: Tensor, y: Tensor, known: Tensor) -> Observation:
    """A scale, of which the half as large one is solved: the enlarged result is the guide, beside the known pixels."""
    h, w = coarse.shape[-2:]
    shrunk_by_two = Description(scale=2)
    cond = base.cond.clone()
    cond[:, :4] = torch.tensor(shrunk_by_two.cond())
    return replace(
        base,
        mu=resize(coarse, (2 * h, 2 * w))[..., : y.shape[-2], : y.shape[-1]],
        sigma_p=torch.full((1, 1, 1, 1), shrunk_by_two.sigma_p()),
        cond=cond,
        y=y,
        sigma_y=torch.where(known, 0.0, math.inf),
    )
