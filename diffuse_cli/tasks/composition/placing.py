"""Place a cut-out in a picture: scale it, turn it, and crop it to the canvas."""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ...degradation.operators import resize, scaled_size


@dataclass(frozen=True, kw_only=True, slots=True)
class Layer:
    """A cut-out on the canvas of the picture that it is put into.

    Attributes:
        x: (1, 3, H, W), [-1, 1]; arbitrary where nothing is covered.
        cover: (1, 1, H, W), 0 = the picture shows .. 1 = the cut-out does.
    """

    x: Tensor
    cover: Tensor


def place(
    x: Tensor, cover: Tensor, size: tuple[int, int], *, at: tuple[int, int], scale: float = 1.0, rotate: float = 0.0
) -> Layer:
    """Place a cut-out with the top left corner of its turned rectangle at a position.

    Colours are weighted by what they cover, so that transparent pixels do not bleed in. Without scale and turn, pixels
    are copied.

    Args:
        x: (1, 3, h, w), [-1, 1].
        cover: (1, 1, h, w), 0..1.
        size: (H, W) of the canvas.
        at: (column, row), may be negative.
        scale: factor.
        rotate: degrees, counter-clockwise.
    """
    if scale != 1 or rotate % 360 != 0:
        both = torch.cat([x * cover, cover], 1)
        h, w = both.shape[-2:]
        if scale != 1:
            both = resize(both, scaled_size((h, w), scale))
        both = _turned(both, rotate % 360)
        cover = both[:, 3:].clamp(0, 1)
        x = (both[:, :3] / both[:, 3:].clamp_min(1e-3)).clamp(-1, 1)
    canvas, covered = torch.zeros((1, 3, *size)), torch.zeros((1, 1, *size))
    (left, top), (h, w) = at, x.shape[-2:]
    rows = slice(max(top, 0), max(min(top + h, size[0]), 0))
    columns = slice(max(left, 0), max(min(left + w, size[1]), 0))
    if rows.start < rows.stop and columns.start < columns.stop:
        own = (..., slice(rows.start - top, rows.stop - top), slice(columns.start - left, columns.stop - left))
        canvas[..., rows, columns], covered[..., rows, columns] = x[own], cover[own]
    return Layer(x=canvas, cover=covered)


def _turned(x: Tensor, degrees: float) -> Tensor:
    """Turn counter-clockwise, on the rectangle that holds all of it. Quarter turns are exact."""
    if degrees % 90 == 0:
        return torch.rot90(x, round(degrees / 90) % 4, (-2, -1))
    h, w = x.shape[-2:]
    angle = math.radians(degrees)
    cos, sin = math.cos(angle), math.sin(angle)
    height = math.ceil(abs(h * cos) + abs(w * sin))
    width = math.ceil(abs(w * cos) + abs(h * sin))
    v = torch.arange(height) + 0.5 - height / 2
    u = torch.arange(width) + 0.5 - width / 2
    across = (cos * u[None] - sin * v[:, None]) / (w / 2)
    down = (sin * u[None] + cos * v[:, None]) / (h / 2)
    grid = torch.stack([across, down], 2)[None]
    return F.grid_sample(x, grid, mode="bicubic", padding_mode="zeros", align_corners=False)
