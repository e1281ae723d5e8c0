"""Masks of polygons, larger masks, and masks that fade in from their rims."""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from torch import Tensor

Mask = NDArray[np.bool_]


def polygon_mask(size: tuple[int, int], points: Sequence[tuple[float, float]]) -> Mask:
    """Return the pixels of a polygon, with its outline.

    Args:
        size: (height, width).
        points: (x, y), at least three; what lies outside the picture is cut off.
    """
    image = Image.new("1", (size[1], size[0]))
    ImageDraw.Draw(image).polygon(list(points), fill=1, outline=1)
    return np.array(image, dtype=bool)


def grown(mask: Mask, pixels: int) -> Mask:
    """Return the mask and what lies within some pixels of it, by an octagon: squares and crosses in turn.

    Args:
        mask: (H, W).
        pixels: how far.
    """
    return np.asarray(spread(mask.astype(np.float32), pixels) > 0)


def spread(share: NDArray[np.float32], pixels: int) -> NDArray[np.float32]:
    """Return the largest share within some pixels, by the same octagon.

    Args:
        share: (H, W), 0..1.
        pixels: how far.
    """
    x = torch.from_numpy(share)[None, None]
    for k in range(pixels):
        x = _step(x, square=k % 2 == 1)
    return np.asarray(x[0, 0].numpy())


def fading(mask: Mask, pixels: int) -> NDArray[np.float32]:
    """Return the weight of what is filled in: 0 outside the mask, rising to 1 inside. The picture's border is no rim.

    Args:
        mask: (H, W).
        pixels: distance from the rim at which the weight is 1.
    """
    steps = steps_inside(torch.from_numpy(mask)[None, None], pixels + 1)
    return np.asarray((steps / (pixels + 1))[0, 0].numpy(), dtype=np.float32)


def resized(mask: Tensor, size: tuple[int, int]) -> Tensor:
    """Return a mask at the size of a result, (H, W) bool, each pixel as the nearest one of the mask.

    Args:
        mask: (h, w) bool.
        size: (H, W).
    """
    return F.interpolate(mask[None, None].float(), size=size, mode="nearest")[0, 0] > 0


def steps_inside(region: Tensor, most: int) -> Tensor:
    """Return how many steps the pixels of a region are from those outside, 1 at the border of the region.

    Steps across and diagonal steps take turns, which makes octagons of circles. What lies beyond the picture does not
    count as outside.

    Args:
        region: (1, 1, H, W) bool.
        most: the most steps to count.

    Returns:
        (1, 1, H, W) float, at most `most`; 0 outside.
    """
    outside = (~region).float()
    steps = torch.zeros_like(outside)
    for k in range(most):
        steps += 1 - outside
        outside = _step(outside, square=k % 2 == 1)
    return steps


def _step(x: Tensor, *, square: bool) -> Tensor:
    """Grow what is 1 by a pixel: to eight neighbours, or to four."""
    if square:
        return F.max_pool2d(x, 3, 1, 1)
    return torch.maximum(F.max_pool2d(x, (1, 3), 1, (0, 1)), F.max_pool2d(x, (3, 1), 1, (1, 0)))
