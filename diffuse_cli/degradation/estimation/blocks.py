"""What the readings of a picture start from: its luma, windows of it, and the cosine transform of 8x8 blocks."""

import math

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

LUMA = np.array([0.299, 0.587, 0.114])
"""BT.601, as JPEG's Y."""
WHITE = 255.0


def luma_weights(channels: int) -> NDArray[np.float32]:
    """Return what each channel contributes to the luma, (C,).

    Args:
        channels: 1 or 3.
    """
    return (LUMA if channels == 3 else np.ones(1)).astype(np.float32)


def dct_matrix() -> NDArray[np.float64]:
    """Return the orthonormal 2-D cosine transform of a flattened 8x8 block, (64, 64)."""
    from scipy.fft import dct  # a late import: it takes a fifth of torch's time

    one = dct(np.eye(8), axis=0, norm="ortho")
    return np.asarray(np.kron(one, one), dtype=np.float64)


def frequencies(first: int, last: int) -> NDArray[np.bool_]:
    """Return which coefficients of a flattened 8x8 block have first <= i + j <= last, (64,).

    Args:
        first: the lowest diagonal.
        last: the highest diagonal.
    """
    order = np.add.outer(np.arange(8), np.arange(8)).ravel()
    return np.asarray((order >= first) & (order <= last))


def windows_of(levels: NDArray[np.float32], side: int, stride: int, most: int) -> NDArray[np.float32]:
    """Return windows at an equal stride.

    Args:
        levels: (H, W) or (H, W, C).
        side: pixels of a window's side.
        stride: least distance of windows in pixels. A larger one is odd, so that all phases of a JPEG grid take part.
        most: about how many windows to return.

    Returns:
        (rows, columns, side, side) or (rows, columns, C, side, side), a view.
    """
    windows = sliding_window_view(levels, (side, side), axis=(0, 1))
    if windows.shape[0] * windows.shape[1] > most * stride**2:
        stride = math.isqrt(windows.shape[0] * windows.shape[1] // most) | 1
    return windows[::stride, ::stride]


def unsaturated(patches: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Return which patches (N, D) do not lie entirely at one end of the range, where noise was cut off, (N,).

    Args:
        patches: levels 0..255.
    """
    lowest, highest = patches.min(axis=1), patches.max(axis=1)
    return np.asarray((lowest < highest) | ~at_ends(lowest))


def at_ends(levels: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Return which levels are 0 or 255, up to the rounding of a 16-bit file's scaling.

    Args:
        levels: of any shape.
    """
    return np.asarray((levels < 1e-3) | (levels > WHITE - 1e-3))


def content(levels: NDArray[np.float32]) -> tuple[slice, slice]:
    """Return the rows and columns inside a border of one colour: a mat or letterbox bears no noise.

    Args:
        levels: (H, W, C).
    """
    rows = slice(_uniform_lines(levels), len(levels) - _uniform_lines(levels[::-1, ::-1]))
    turned = levels.swapaxes(0, 1)
    return rows, slice(_uniform_lines(turned), len(turned) - _uniform_lines(turned[::-1, ::-1]))


def _uniform_lines(lines: NDArray[np.float32]) -> int:
    """Return how many of the first lines (N, M, C) have the colour of the first value throughout."""
    return next((count for count, line in enumerate(lines) if np.any(line != lines[0, 0])), len(lines))
