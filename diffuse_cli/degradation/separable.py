"""Blur and shrinking along one axis, as a matrix with few diagonals.

A picture is blurred and shrunk along its columns, then along its rows: A = M_h (x) M_w. Each M is the shrinker times a
Gaussian with replicated ends, as `operators.degrade` applies them.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .resampling import taps

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Axis:
    """The matrix of one axis, (small, large).

    Attributes:
        first: (small,), the first pixel that each row sees.
        weights: (small, n), the weights of the pixels from there on. They are 0 beyond the end of the axis.
        large: pixels before shrinking.
    """

    first: NDArray[np.intp]
    weights: Floats
    large: int

    @property
    def small(self) -> int:
        """Pixels after shrinking."""
        return len(self.first)

    def rows(self, window: slice) -> slice:
        """Return the rows that see any pixel of a window."""
        seeing = np.flatnonzero((self.first < window.stop) & (self.first + self.weights.shape[1] > window.start))
        return slice(int(seeing[0]), int(seeing[-1]) + 1)

    def columns(self, rows: slice) -> slice:
        """Return the pixels that some rows see."""
        return slice(
            int(self.first[rows.start]), min(int(self.first[rows.stop - 1]) + self.weights.shape[1], self.large)
        )

    def matrix(self, rows: slice) -> Floats:
        """Return some rows of the matrix, (rows, columns), for the columns that they see."""
        columns, width = self.columns(rows), self.weights.shape[1]
        dense = np.zeros((rows.stop - rows.start, columns.stop - columns.start + width))
        at = (self.first[rows] - columns.start)[:, None] + np.arange(width)
        np.put_along_axis(dense, at, self.weights[rows], 1)
        return dense[:, : columns.stop - columns.start]


def axis(small: int, large: int, std: float) -> Axis:
    """Return the matrix of one axis that is blurred, then shrunk.

    Args:
        small: pixels after shrinking.
        large: pixels before.
        std: of the Gaussian, in pixels before shrinking; 0 = none.
    """
    if small == large:
        first, weights = np.arange(large), np.ones((large, 1))
    else:
        first, weights = taps(small, large)
    if std == 0:
        return Axis(first=first, weights=weights, large=large)
    kernel = gaussian(std)
    reach, n = len(kernel) // 2, weights.shape[1]
    wide = np.zeros((small, n + 2 * reach))
    for k in range(n):
        wide[:, k : k + 2 * reach + 1] += weights[:, k, None] * kernel
    return _folded(first - reach, wide, large)


def gaussian(std: float) -> Floats:
    """Return the weights of a Gaussian that reaches 4 stds, as `operators.blur` has it."""
    reach = math.ceil(4 * std)
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / std) ** 2)
    return np.asarray(kernel / kernel.sum())


def _folded(first: NDArray[np.intp], weights: Floats, large: int) -> Axis:
    """Give the weights of pixels beyond the ends to the last pixels, which are replicated there."""
    width = weights.shape[1]
    at = np.clip(first[:, None] + np.arange(width), 0, large - 1)
    begin = np.clip(first, 0, max(large - width, 0))
    folded = np.zeros_like(weights)
    np.add.at(folded, (np.arange(len(first))[:, None], at - begin[:, None]), weights)
    return Axis(first=begin, weights=folded, large=large)
