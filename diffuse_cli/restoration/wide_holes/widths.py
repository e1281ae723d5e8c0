"""How wide holes are, and which part of them is wider than some width.

A distance is the larger of those in rows and in columns.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...system.arrays import row_blocks

Mask = NDArray[np.bool_]

REACH = 24
"""The widest hole, in pixels, that is filled at once.

On held-out photographs the mean of boxes of 28, 40 and 60 pixels gained 0.3, 0.7 and 0.4 dB by being halved to this.
"""
TEXTURED = 8
"""The widest hole, in pixels, that is filled without pieces of the picture where holes get texture.

On held-out photographs strokes of 12 and 24 pixels gained 0.02 in LPIPS by pieces, and lost 0.5 dB.
"""
_RIM = 8
"""Pixels at the rim of a wide part, within its hole, that are filled with it."""


def eroded(hole: Mask, reach: int) -> Mask:
    """Return the missing pixels that are further than `reach` from every known one; outside nothing is known."""
    near = dilated(~hole, reach)
    return np.logical_not(near, out=near)


def dilated(mask: Mask, reach: int) -> Mask:
    """Return the pixels within `reach` of the mask: of a square, along one axis and then the other, in blocks."""
    from scipy.ndimage import maximum_filter1d  # late: every start would wait for it

    near, side = np.empty_like(mask), 2 * reach + 1
    across = near.T
    for rows in row_blocks(near):
        near[rows] = maximum_filter1d(mask[rows], side, mode="constant")
    for columns in row_blocks(across):
        across[columns] = maximum_filter1d(across[columns], side, mode="constant")
    return near


def width(hole: Mask) -> int:
    """Return twice the distance of the most remote missing pixel from a known one; 0 without a hole.

    That is the width of a band. A band along the picture's edge has known pixels on one side, and counts twice.

    Raises:
        ValueError: all is missing.
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
    """A hole that is too wide to be filled at once.

    Attributes:
        missing: (H, W), all of the hole.
        part: (H, W), the part that is too wide.
        window: rows and columns around that part, as far as its coarsest scale can see.
        across: width of the hole in pixels.
    """

    missing: Mask
    part: Mask
    window: tuple[slice, slice]
    across: int

    def levels(self, reach: int) -> int:
        """Return how often the picture is halved until the hole is no wider than `reach`."""
        return max(math.ceil(math.log2(self.across / reach)), 0)


def widest(hole: Mask, at_once: int = REACH) -> WideHole | None:
    """Return what of a hole is wider than `at_once` pixels. None: nothing is, or all of the picture is missing."""
    if not hole.any() or hole.all() or not eroded(hole[window_of(hole, 1, 1)], at_once // 2).any():
        return None
    across = width(hole)
    part = wide_part(hole, at_once, min(at_once // 3, _RIM))
    around = 2 ** math.ceil(math.log2(max(across / REACH, 1)))
    return WideHole(missing=hole, part=part, window=window_of(part, 2 * REACH * around, 64 * around), across=across)


def wide_part(hole: Mask, width: int, rim: int) -> Mask:
    """Return the hole without branches narrower than about `width`: opened by a square, plus `rim` pixels around."""
    reach, part = width // 2, np.zeros_like(hole)
    if hole.any():
        around = window_of(hole, 1, 1)  # beyond which all is known
        part[around] = hole[around] & dilated(eroded(hole[around], reach), reach + rim)
    return part


def window_of(mask: Mask, margin: int, step: int) -> tuple[slice, slice]:
    """Return rows and columns of the mask with at least `margin` pixels around; they begin on multiples of `step`."""
    h, w = mask.shape
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    top, left = (max(int(k[0]) - margin, 0) // step * step for k in (rows, columns))
    return slice(top, min(int(rows[-1]) + 1 + margin, h)), slice(left, min(int(columns[-1]) + 1 + margin, w))
