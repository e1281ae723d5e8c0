"""Masks from polygons, larger masks, and masks that fade in from their rims."""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image, ImageDraw

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
    outside = torch.from_numpy(~mask)[None, None].float()
    depth = torch.zeros_like(outside)
    for k in range(pixels + 1):
        depth += 1 - outside
        outside = _step(outside, square=k % 2 == 1)
    return np.asarray((depth / (pixels + 1))[0, 0].numpy(), dtype=np.float32)


def _step(x: torch.Tensor, *, square: bool) -> torch.Tensor:
    """Grow what is 1 by a pixel: to eight neighbours, or to four."""
    if square:
        return F.max_pool2d(x, 3, 1, 1)
    return torch.maximum(F.max_pool2d(x, (1, 3), 1, (0, 1)), F.max_pool2d(x, (3, 1), 1, (1, 0)))
