"""The print on a scan: without the paper's margin and the scanner's bed around it."""

import numpy as np
from numpy.typing import NDArray

from ...images.units import LEVEL

_BRIGHT, _DARK = 200.0, 24.0
"""8-bit levels: a margin is brighter or darker in all channels."""
_EVEN = 8.0
"""8-bit levels by which a margin differs from its outermost line."""
_SHARE = 0.98
"""Of a line's pixels, which must not differ more."""
_MOST = 0.3
"""Of a side. More is no margin."""


def print_area(pixels: NDArray[np.float32]) -> tuple[slice, slice]:
    """Return the rows and columns inside of an even white or black margin.

    Args:
        pixels: (H, W, C), [-1, 1].
    """
    levels = (pixels + 1) * LEVEL
    rows = _inside(levels)
    return rows, _inside(levels[rows].transpose(1, 0, 2))


def _inside(lines: NDArray[np.float32]) -> slice:
    """Return which lines (N, L, C) lie between the margins before and after them."""
    return slice(_margin(lines), len(lines) - _margin(lines[::-1]))


def _margin(lines: NDArray[np.float32]) -> int:
    """Return how many of the first lines (N, L, C) are a margin."""
    tone = np.median(lines[0], axis=0)
    if tone.max() > _DARK and tone.min() < _BRIGHT:
        return 0
    most = int(_MOST * len(lines))
    even = (np.abs(lines[:most] - tone) <= _EVEN).all(axis=2).mean(axis=1) >= _SHARE
    count = most if even.all() else int(even.argmin())
    return 0 if count == most else count
