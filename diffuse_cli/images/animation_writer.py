"""Animations written frame by frame: what APNG, WebP and GIF have in common.

A frame is written where it differs from the one before. So no more than two frames are in memory.
"""

from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .picture import Frame, Source

Flags = NDArray[np.bool_]


class Shown(NamedTuple):
    """A frame on its way to a file.

    Attributes:
        levels: (H, W, 1 to 4), the last of 2 or 4 alpha.
        frame: how it is shown.
        source: what the file says beside its pixels.
    """

    levels: NDArray[np.uint8]
    frame: Frame
    source: Source


class Box(NamedTuple):
    """A rectangle of pixels."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def size(self) -> tuple[int, int]:
        """(width, height)."""
        return self.right - self.left, self.bottom - self.top

    def of(self, array: NDArray[Any]) -> NDArray[Any]:
        """Return the pixels within."""
        return array[self.top : self.bottom, self.left : self.right]


def box_of(where: Flags, *, even: bool = False) -> Box:
    """Return the smallest box around what is flagged, at least one pixel.

    Args:
        where: (H, W).
        even: it begins at even coordinates.
    """
    rows, columns = np.flatnonzero(where.any(axis=1)), np.flatnonzero(where.any(axis=0))
    if not rows.size:
        return Box(0, 0, 1, 1)
    left, top = int(columns[0]), int(rows[0])
    return Box(
        left - left % 2 if even else left, top - top % 2 if even else top, int(columns[-1]) + 1, int(rows[-1]) + 1
    )


class Boxed(NamedTuple):
    """A frame, and the part of it that is written."""

    shown: Shown
    box: Box


def boxed(frames: Iterator[Shown], *, even: bool = False) -> Iterator[Boxed]:
    """Yield frames with what of each differs from the one before.

    Args:
        frames: of one size, with the same channels.
        even: boxes begin at even coordinates.

    Raises:
        ValueError: sizes or channels differ.
    """
    before: NDArray[np.uint8] | None = None
    for shown in frames:
        levels = shown.levels
        if before is not None and before.shape != levels.shape:
            raise ValueError("its frames have different sizes or channels")
        changed = np.ones(levels.shape[:2], bool) if before is None else (levels != before).any(axis=2)
        yield Boxed(shown, box_of(changed, even=even))
        before = None if shown.frame.is_still else levels  # what follows is drawn from nothing


def clock(unit: int) -> Callable[[Frame], int]:
    """Return what tells how long frames are shown, one after the other, in whole units. Their sum stays as it is.

    Args:
        unit: milliseconds.
    """
    end = Fraction(0)

    def ticks(frame: Frame) -> int:
        nonlocal end
        begin, end = end, end + Fraction(frame.duration)
        return round(end / unit) - round(begin / unit)

    return ticks
