"""Masks from polygons, larger masks, and masks that fade in from their rims."""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from torch import Tensor

Mask = NDArray[np.bool_]


def polygon_mask(size: tuple[int, int], points: Sequence[tuple[float, float]]) -> Mask:
    """The pixels of a polygon, its outline included.

    Args: size: (height, width); points: (x, y), at least three; what lies outside the picture is cut off.
    """
    image = Image.new("1", (size[1], size[0]))
    ImageDraw.Draw(image).polygon(list(points), fill=1, outline=1)
    return np.array(image, dtype=bool)


def grown(mask: Mask, pixels: int) -> Mask:
    """The mask and what lies within so many pixels of it, by an octagon: squares and crosses in turn."""
    x = torch.from_numpy(mask)[None, None].float()
    for k in range(pixels):
        x = _step(x, square=k % 2 == 1)
    return np.asarray(x[0, 0].numpy() > 0)


def fading(mask: Mask, pixels: int) -> NDArray[np.float32]:
    """How much counts of what is filled in: 0 outside the mask, rising to 1 so many pixels inside of its rim.

    The picture's own border is no rim.
    """
    steps = steps_inside(torch.from_numpy(mask)[None, None], pixels + 1)
    return np.asarray((steps / (pixels + 1))[0, 0].numpy(), dtype=np.float32)


def resized(mask: Tensor, size: tuple[int, int]) -> Tensor:
    """A mask (h, w) bool at the size of a result, each pixel as the nearest one of it: (H, W) bool."""
    return F.interpolate(mask[None, None].float(), size=size, mode="nearest")[0, 0] > 0


def steps_inside(region: Tensor, most: int) -> Tensor:
    """How many steps each pixel of a region (1, 1, H, W) bool is from the pixels outside, 1 at its border.

    Steps across and diagonal steps take turns, which makes octagons of circles. What lies beyond the picture's edges
    does not count as outside.

    Returns: (1, 1, H, W) float, at most `most`; 0 outside.
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
