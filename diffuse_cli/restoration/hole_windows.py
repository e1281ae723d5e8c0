"""Windows around holes, for networks that draw pictures of about one size."""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import find_objects, label

from ..diffusion.tiling import Window


def windows_around(hole: NDArray[np.bool_], side: int, widest: float = 1.0) -> list[Window]:
    """Return windows that hold all holes, each with one in its middle as far as the picture reaches.

    A hole that lies in the window of another has none of its own.

    Args:
        hole: (H, W), True where the picture is missing.
        side: of a window, or the picture's if that is shorter.
        widest: windows of wide holes are larger: so many times the hole.
    """
    windows: list[Window] = []
    for part in find_objects(label(hole, np.ones((3, 3)))[0]):
        if not any(_holds(other, part) for other in windows):
            sides = (max(side, round(widest * (span.stop - span.start))) for span in part)
            rows, columns = (_around(*one) for one in zip(part, sides, hole.shape, strict=True))
            windows.append((rows, columns))
    return windows


def _around(span: slice, side: int, length: int) -> slice:
    """Return a span of the side, or of all of the axis if that is shorter, with another in its middle."""
    side = min(side, length)
    begin = min(max((span.start + span.stop - side) // 2, 0), length - side)
    return slice(begin, begin + side)


def _holds(window: Window, part: tuple[slice, ...]) -> bool:
    return all(a.start <= b.start and b.stop <= a.stop for a, b in zip(window, part, strict=True))
