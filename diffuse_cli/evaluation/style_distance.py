"""The distance of a picture's texture from a style's, by statistics of AlexNet's features over all positions.

Gram matrices (Gatys et al. 2016, "Image style transfer using convolutional neural networks") compare the second moments
of the features. The sliced Wasserstein distance (Heitz et al. 2021, "A sliced Wasserstein loss for neural texture
synthesis") compares their whole distribution. Texture has a scale, so both pictures must be of one working size.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from .lpips import features

DIRECTIONS = 64
_SAMPLES = 4096
PATCH = 8
"""Side of the patches that are searched in the style's picture, in pixels."""


def gram_distance(weights: dict[str, Tensor], x: Tensor, style: Tensor) -> float:
    """Return the mean over the layers of |G(x) - G(style)|^2 / |G(style)|^2, G = the mean of f f^T over the positions.

    Args:
        weights: of LPIPS.
        x: (1, 3, H, W) in [-1, 1].
        style: as `x`, of any size.
    """
    total = 0.0
    for a, b in zip(features(weights, x), features(weights, style), strict=True):
        of_x, of_style = _gram(a), _gram(b)
        total += float((of_x - of_style).square().sum() / of_style.square().sum())
    return total / 5


def _gram(f: Tensor) -> Tensor:
    rows = f[0].flatten(1)
    return rows @ rows.T / rows.shape[1]


def sliced_wasserstein(weights: dict[str, Tensor], x: Tensor, style: Tensor, seed: int = 0) -> float:
    """Return the mean of |sort(F_x v) - sort(F_style v)|^2 over layers, 64 directions v and quantiles.

    Every layer has the same number of quantiles. F is divided by the root mean square of the style's features, so every
    layer has the same weight.

    Args:
        weights: of LPIPS.
        x: (1, 3, H, W) in [-1, 1].
        style: as `x`, of any size.
        seed: of the directions.
    """
    random = torch.Generator().manual_seed(seed)
    total = 0.0
    for a, b in zip(features(weights, x), features(weights, style), strict=True):
        directions = torch.randn(DIRECTIONS, a.shape[1], generator=random)
        directions /= directions.norm(dim=1, keepdim=True)
        size = b.square().mean().sqrt()
        one, other = (_quantiles(directions @ f[0].flatten(1) / size) for f in (a, b))
        total += float((one - other).square().mean())
    return total / 5


def _quantiles(values: Tensor) -> Tensor:
    """Return the sorted values (N, 4096) of (N, samples), at equal steps of the distribution."""
    return F.interpolate(values.sort(1).values[None], size=_SAMPLES, mode="linear", align_corners=True)[0]


def copied_patches(x: Tensor, style: Tensor, patch: int = PATCH, stride: int = 16) -> Tensor:
    """Return the root mean square differences (N,) of patches of x from the nearest ones of a style, in 8-bit levels.

    A copied patch is near 0. The search is exhaustive, in blocks.

    Args:
        x: (1, 3, H, W) in [-1, 1].
        style: as `x`, of any size.
        patch: side of a patch in pixels.
        stride: pixels between patches of x.
    """
    mine = F.unfold(x, patch, stride=stride)[0].T
    known = F.unfold(style, patch)[0].T
    norms = known.square().sum(1)
    nearest = [
        (norms - 2 * rows @ known.T).min(1).values + rows.square().sum(1) for rows in torch.split(mine, 256)
    ]  # fmt: skip
    return (torch.cat(nearest).clamp_min(0) / known.shape[1]).sqrt() * 127.5
