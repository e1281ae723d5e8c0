"""Margins around a picture, filled strip by strip: from what is near the edge and looks like what lies beside it."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.float32]

NEAR: Final = 1.5
"""How much of the picture beside a margin is looked at, in widths of the margin."""
LEAST_NEAR: Final = 96
"""The same in pixels, at least."""
_CELL: Final = 8
"""Side of the squares whose colours are compared, in pixels."""
_EDGE: Final = 3
"""Squares that lie beside the edge."""
_UNLIKE: Final = 0.14
"""How far a square's colours are from those of every square beside the edge where it is something else; [-1, 1]."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Strip:
    """A margin, and what is near it.

    Attributes:
        window: its rows and columns, with those of the picture that are near.
        sources: (h, w) of the window, True where pieces of the picture may be taken from.
    """

    window: tuple[slice, slice]
    sources: NDArray[np.bool_]


def strips(pixels: Pixels, margins: tuple[int, int, int, int]) -> tuple[Strip, ...]:
    """Return the margins in the order in which they are filled: beside the picture, then above and below all that.

    Args:
        pixels: (H, W, C), the canvas with the picture on it, [-1, 1].
        margins: left, top, right and bottom of the canvas, in pixels.
    """
    left, top, right, bottom = margins
    height, width = pixels.shape[:2]
    rows, everywhere = slice(top, height - bottom), slice(0, width)
    known = np.zeros((height, width), bool)
    known[rows, left : width - right] = True
    windows = [
        (left, (rows, slice(0, _reach(left, width - right))), "left"),
        (right, (rows, slice(width - _reach(right, width - left), width)), "right"),
        (top, (slice(0, _reach(top, height - bottom)), everywhere), "top"),
        (bottom, (slice(height - _reach(bottom, height - top), height), everywhere), "bottom"),
    ]
    return tuple(
        Strip(window=window, sources=_like_edge(pixels[window], known[window], side))
        for margin, window, side in windows
        if margin > 0
    )


def _reach(margin: int, most: int) -> int:
    """Return how many pixels a window is wide: a margin and what is near it."""
    return min(margin + max(round(NEAR * margin), LEAST_NEAR), most)


def _like_edge(pixels: Pixels, known: NDArray[np.bool_], side: str) -> NDArray[np.bool_]:
    """Return the known pixels that look like some of those beside the edge.

    A thing that does not reach the edge, such as a face, is none of them, so it is not repeated in the margin.

    Args:
        pixels: (h, w, C) of the window.
        known: (h, w), where the picture is.
        side: on which side of it the margin lies.
    """
    turns = {"left": 0, "top": 1, "right": 2, "bottom": 3}[side]
    turned, there = np.rot90(pixels, turns), np.rot90(known, turns)  # now the margin is on the left
    rows, columns = there.any(1), there.any(0)
    inside = turned[rows][:, columns]
    like = np.zeros_like(there)
    like[np.ix_(rows, columns)] = _like_first(inside)
    return np.rot90(like, -turns)


def _like_first(pixels: Pixels) -> NDArray[np.bool_]:
    """Return where a picture (h, w, C) looks like its first columns."""
    h, w = pixels.shape[:2]
    cells = _cells(pixels)
    first = cells[:, :_EDGE].reshape(-1, cells.shape[2])
    away = np.full(cells.shape[:2], np.inf, np.float32)
    for one in first:
        np.minimum(away, np.abs(cells - one).max(2), out=away)
    like = np.repeat(np.repeat(away <= _UNLIKE, _CELL, 0), _CELL, 1)
    grown: NDArray[np.bool_] = np.pad(like, ((0, max(h - like.shape[0], 0)), (0, max(w - like.shape[1], 0))), "edge")
    return grown[:h, :w]


def _cells(pixels: Pixels) -> Pixels:
    """Return mean and std of the colours of squares: (rows, columns, 2 C). What is smaller than one is one."""
    h, w, channels = pixels.shape
    down, across = max(h // _CELL, 1), max(w // _CELL, 1)
    cut = pixels[: down * _CELL, : across * _CELL] if min(h, w) >= _CELL else None
    if cut is None:
        return np.concatenate([pixels.mean((0, 1)), pixels.std((0, 1))])[None, None].astype(np.float32)
    squares = cut.reshape(down, _CELL, across, _CELL, channels)
    return np.concatenate([squares.mean((1, 3)), squares.std((1, 3))], axis=2).astype(np.float32)
