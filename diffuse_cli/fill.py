"""The smooth picture around which missing pixels are drawn: pull-push (Gortler et al. 1996, "The Lumigraph")."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from .degradation import resize


def _pull(y: Tensor, known: Tensor) -> tuple[list[Tensor], list[Tensor]]:
    """Means of the known pixels (B, 3, h, w) and whether there were any (B, 1, h, w), from fine to 1 x 1."""
    means, weights = [torch.where(known, y, 0.0)], [known.to(y.dtype)]
    while max(weights[-1].shape[-2:]) > 1:
        h, w = weights[-1].shape[-2:]
        even = (0, w % 2, 0, h % 2)
        a = F.avg_pool2d(F.pad(weights[-1], even), 2)
        b = F.avg_pool2d(F.pad(means[-1], even), 2)
        weights.append((4 * a).clamp(max=1))
        means.append(b / a.clamp_min(1e-6) * weights[-1])
    return means, weights


def _up(x: Tensor, like: Tensor) -> Tensor:
    return F.interpolate(x, size=like.shape[-2:], mode="bilinear", align_corners=False)


def pull_push(y: Tensor, sigma_y: Tensor) -> tuple[Tensor, Tensor]:
    """Fill the missing pixels from ever coarser means of the known ones.

    Args:
        y: (B, 3, H, W), [-1, 1]; not read where missing.
        sigma_y: (B, 1, H, W) noise std, inf = missing.
    Returns: mu (B, 3, H, W), equal to y where known, and sigma_p (B, 1, H, W), the prior std of the picture around mu,
        which grows with the distance to the known pixels (calibrated on photographs).
    """
    known = torch.isfinite(sigma_y)
    means, weights = _pull(y, known)
    mu, level = means[-1], torch.full_like(weights[-1], float(len(weights) - 1))
    for k in range(len(weights) - 2, -1, -1):
        w = weights[k]
        mu = means[k] + (1 - w) * _up(mu, w)
        level = k * w + (1 - w) * _up(level, w)
    noise = torch.where(known, sigma_y, 0.0)
    return mu, ((0.06 * level**0.7) ** 2 + noise**2 + 0.01**2).sqrt()


def fill_guide(guide: Tensor, missing: Tensor, sigma_p: Tensor, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """A guide with missing pixels at the size of the output: filled at its own size, resized, filled again.

    The first fill keeps what is missing from bleeding into its neighbours by the resizing, the second says how far the
    picture may be from it.

    Args:
        guide: (1, 3, h, w), [-1, 1].
        missing: (h, w), True = missing.
        sigma_p: (1, 1, 1, 1) or of the output's size, the std of the picture around a whole guide.
        size: (H, W) of the output.
    Returns: mu (1, 3, H, W) and sigma_p (1, 1, H, W).
    """
    own = torch.where(missing, math.inf, 0.0)[None, None]
    large = resize(pull_push(guide, own)[0], size)
    mu, spread = pull_push(large, F.interpolate(own, size=size, mode="nearest"))
    return mu, (sigma_p**2 + spread**2 - 0.01**2).sqrt()
