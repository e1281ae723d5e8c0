"""How wide holes are, and which part of them is wider than that.

Distances are the larger of rows and columns: squares are circles.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]

REACH = 48
"""The widest hole, in pixels, that is filled at once: half of it is what of a pixel's reach counts in practice."""
_RIM = 8
"""Pixels at the rim of a wide part, within its hole, that are filled with it."""


def _count(mask: Mask, reach: int) -> NDArray[np.int32]:
    """(H, W) how many pixels of the mask lie within `reach` of each pixel."""
    h, w = mask.shape
    sums = np.zeros((h + 1, w + 1), np.int32)
    np.cumsum(np.cumsum(mask, 0), 1, out=sums[1:, 1:])
    rows, columns = np.arange(h), np.arange(w)
    top, bottom = np.maximum(rows - reach, 0), np.minimum(rows + reach + 1, h)
    left, right = np.maximum(columns - reach, 0), np.minimum(columns + reach + 1, w)
    part = sums[bottom] - sums[top]
    return np.asarray(part[:, right] - part[:, left])


def eroded(hole: Mask, reach: int) -> Mask:
    """Missing pixels that are further than `reach` from every known one; outside the picture nothing is known."""
    return np.asarray(_count(~hole, reach) == 0)


def dilated(mask: Mask, reach: int) -> Mask:
    """Pixels within `reach` of the mask."""
    return np.asarray(_count(mask, reach) > 0)


def width(hole: Mask) -> int:
    """Twice the distance of the most remote missing pixel from a known one; 0 without a hole.

    That is the width of a band, and of one along the picture's edge, with known pixels on one side, twice its width.
    Raises: ValueError: all is missing.
    """
    if hole.all():
        raise ValueError("a hole that is the whole picture has no width")
    hole = hole[window_of(hole, 1, 1)] if hole.any() else hole
    low, high = 0, max(hole.shape)  # the most remote pixel is further than low - 1, and not further than high
    while low < high:
        middle = (low + high) // 2
        if eroded(hole, middle).any():
            low = middle + 1
        else:
            high = middle
    return 2 * low


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class WideHole:
    """What of a hole is too wide to be filled at once.

    Attributes:
        missing: (H, W), all of the hole.
        part: (H, W), what is too wide.
        window: rows and columns around it, as far as its coarsest scale can see.
        levels: how often it has to be halved.
    """

    missing: Mask
    part: Mask
    window: tuple[slice, slice]
    levels: int


def widest(hole: Mask) -> WideHole | None:
    """The part of a hole that is wider than the network's reach; None without one, or where all is missing."""
    if not hole.any() or hole.all() or not eroded(hole[window_of(hole, 1, 1)], REACH // 2).any():
        return None
    across = width(hole)
    levels = math.ceil(math.log2(across / REACH))
    part = wide_part(hole, REACH, _RIM)
    margin = 2 * REACH * 2**levels
    return WideHole(missing=hole, part=part, window=window_of(part, margin, 16 * 2**levels), levels=levels)


def wide_part(hole: Mask, width: int, rim: int) -> Mask:
    """The hole without its branches narrower than about `width`: opened by a square, and `rim` pixels around that."""
    reach = width // 2
    return hole & dilated(eroded(hole, reach), reach + rim)


def window_of(mask: Mask, margin: int, step: int) -> tuple[slice, slice]:
    """Rows and columns of the mask, and at least `margin` pixels around it; begins on multiples of `step`."""
    h, w = mask.shape
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    top, left = (max(int(k[0]) - margin, 0) // step * step for k in (rows, columns))
    return slice(top, min(int(rows[-1]) + 1 + margin, h)), slice(left, min(int(columns[-1]) + 1 + margin, w))
