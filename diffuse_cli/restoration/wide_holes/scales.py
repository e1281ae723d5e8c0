"""Holes wider than the network's reach, filled coarse to fine: each scale's result is the next one's guide.

The guide of a scale is a picture that was shrunk by 2, for which the core was trained. What is known stays exact at
every scale. After Kulshreshtha et al. 2022 ("Feature Refinement to Improve High Resolution Image Inpainting") and Wang
et al. 2023 (arXiv:2303.00354, hierarchical restoration).
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

FillScale = Callable[[Observation, int], Tensor]
"""(what is known at a scale, how often it was halved) -> an estimate (1, 3, h, w), its known pixels exact."""


def halved(y: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
    """Halve a picture.

    Args:
        y: (1, 3, h, w).
        known: (1, 1, h, w) bool.

    Returns:
        the means of the known pixels of 2 x 2 (1, 3, h/2, w/2), 0 where there were none, and which of them count as
        known (1, 1, h/2, w/2): those of two pixels or more. Sides are rounded up.
    """
    h, w = y.shape[-2:]
    even = (0, w % 2, 0, h % 2)
    share = F.avg_pool2d(F.pad(known.to(y.dtype), even), 2)
    mean = F.avg_pool2d(F.pad(torch.where(known, y, 0.0), even), 2) / share.clamp_min(0.25)
    return mean, share >= 0.5


def pyramid(y: Tensor, known: Tensor, levels: int) -> list[tuple[Tensor, Tensor]]:
    """Return a picture and what is known of it, at full size and halved up to `levels` times, while any is known."""
    scales = [(y, known)]
    while len(scales) <= levels:
        smaller = halved(*scales[-1])
        if not bool(smaller[1].any()):
            break
        scales.append(smaller)
    return scales


def coarse_to_fine(base: Observation, y: Tensor, hole: Tensor, levels: int, fill_scale: FillScale) -> Tensor:
    """Fill a hole.

    Args:
        base: an observation that tells nothing.
        y: (1, 3, H, W), exact where there is no hole; not read in it.
        hole: (H, W) bool, not all of the picture.
        levels: how often the picture is halved first.
        fill_scale: fills the hole at one scale.

    Returns:
        (1, 3, H, W), equal to y where there is no hole.
    """
    scales = pyramid(y, ~hole[None, None], levels)
    small, known = scales[-1]
    sigma_y = torch.where(known, 0.0, math.inf)
    mu, sigma_p = pull_push(small, sigma_y)
    x = fill_scale(replace(base, mu=mu, sigma_p=sigma_p, y=small, sigma_y=sigma_y), len(scales) - 1)
    for k in range(len(scales) - 2, -1, -1):
        x = fill_scale(refinement(base, x, *scales[k]), k)
    return x


def refinement(base: Observation, coarse: Tensor, y: Tensor, known: Tensor) -> Observation:
    """Return what is known at a scale: the enlarged result of the half as large one as the guide, and known pixels.

    Args:
        base: an observation that tells nothing.
        coarse: (1, 3, h/2, w/2), the filled picture at half the size.
        y: (1, 3, h, w), the picture at this scale.
        known: (1, 1, h, w) bool.
    """
    h, w = coarse.shape[-2:]
    return replace(
        base.told(Degradation(scale=2)),
        mu=resize(coarse, (2 * h, 2 * w))[..., : y.shape[-2], : y.shape[-1]],
        y=y,
        sigma_y=torch.where(known, 0.0, math.inf),
    )
