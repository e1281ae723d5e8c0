"""How far a picture's texture is from a style's: statistics of AlexNet's features, wherever in the picture they are.

Gram matrices (Gatys et al. 2016, "Image style transfer using convolutional neural networks") compare the features'
second moments; the sliced Wasserstein distance (Heitz et al. 2021, "A sliced Wasserstein loss for neural texture
synthesis") compares their whole distribution. Both pictures are to be of one working size: texture has a scale.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from .lpips import features

DIRECTIONS = 64
_SAMPLES = 4096
PATCH = 8
"""Side of the patches that are looked up in the style's picture, in pixels."""


def gram_distance(weights: dict[str, Tensor], x: Tensor, style: Tensor) -> float:
    """Mean over the layers of |G(x) - G(style)|^2 / |G(style)|^2, G = the mean of f f^T over the positions.

    Args: x, style: (1, 3, H, W) in [-1, 1], sizes of their own.
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
    """Mean over layers and 64 directions v of the mean of |sort(F_x v) - sort(F_style v)|^2, F scaled to the style's.

    Of each layer as many quantiles are compared; F is divided by the root mean square of the style's features, so
    that every layer counts alike.
    Args: as `gram_distance`; seed: of the directions.
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
    """(N, samples) -> (N, 4096), sorted, at equal steps of the distribution."""
    return F.interpolate(values.sort(1).values[None], size=_SAMPLES, mode="linear", align_corners=True)[0]


def copied_patches(x: Tensor, style: Tensor, patch: int = PATCH, stride: int = 16) -> Tensor:
    """(N,) root mean square difference of patches of x (every `stride` pixels) to the style's nearest, in 8-bit levels.

    A copy is near 0. Exhaustive search, in blocks.
    Args: x, style: (1, 3, H, W) in [-1, 1].
    """
    mine = F.unfold(x, patch, stride=stride)[0].T
    known = F.unfold(style, patch)[0].T
    norms = known.square().sum(1)
    nearest = [
        (norms - 2 * rows @ known.T).min(1).values + rows.square().sum(1) for rows in torch.split(mine, 256)
    ]  # fmt: skip
    return (torch.cat(nearest).clamp_min(0) / known.shape[1]).sqrt() * 127.5
