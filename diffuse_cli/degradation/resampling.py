"""The resizer by windows, and as a matrix with its adjoint."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

_WIDE = 256
"""Columns at once: each needs few of a row's pixels, and a matrix for all would hold zeros."""


def resize_window(x: Tensor, size: tuple[int, int], rows: slice, columns: slice) -> Tensor:
    """Return a window of `operators.resize(x, size)`, equal to it up to rounding, from the pixels that it needs.

    Args:
        x: (B, C, h, w).
        size: (H, W) of the whole result.
        rows: of the window.
        columns: of the window.
    """
    if tuple(x.shape[-2:]) == size:
        return x[..., rows, columns]
    weights, span = _bicubic(x.shape[-2], size[0], rows)
    begins = range(columns.start, columns.stop, _WIDE)
    parts = [_bicubic(x.shape[-1], size[1], slice(at, min(at + _WIDE, columns.stop))) for at in begins]
    first, last = parts[0][1].start, parts[-1][1].stop
    resized = weights @ x[..., span, first:last]
    return torch.cat([resized[..., at.start - first : at.stop - first] @ across.T for across, at in parts], -1)


def _bicubic(length: int, size: int, window: slice) -> tuple[Tensor, slice]:
    """Return the weights (window, n) of the n pixels of an axis that make a window of it, in torch's arithmetic."""
    scale = torch.tensor(length / size, dtype=torch.float32)
    wide = scale.clamp(min=1)
    centre = scale * (torch.arange(window.start, window.stop) + 0.5)
    low = (centre - 2 * wide + 0.5).long().clamp(min=0)
    high = (centre + 2 * wide + 0.5).long().clamp(max=length)
    span = slice(int(low[0]), int(high[-1]))
    at = torch.arange(span.start, span.stop)
    distance = ((at - centre[:, None] + 0.5) / wide).abs()
    near = (1.5 * distance - 2.5) * distance**2 + 1
    far = ((-0.5 * distance + 2.5) * distance - 4) * distance + 2
    weights = torch.where(distance < 1, near, torch.where(distance < 2, far, 0.0))
    weights = torch.where((at >= low[:, None]) & (at < high[:, None]), weights, 0.0)
    return weights / weights.sum(1, keepdim=True), span


_SMALL, _LARGE = 64, 128
"""Rows of R and of its transpose at once: more would multiply more zeros, fewer would be too little work."""


def taps(small: int, large: int) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Return one axis of the shrinker, R: the first tap of each row (small,), and the weights from there (small, taps).

    The cubic of Keys with a = -0.5, stretched by the factor, cut off at the borders and normalised, as Pillow and torch
    have it. It is in doubles, as in Pillow; `resize_window` has torch's floats.

    Args:
        small: pixels of the axis after shrinking.
        large: pixels before.
    """
    factor = large / small
    centres = factor * (np.arange(small) + 0.5)
    first = np.maximum((centres - 2 * factor + 0.5).astype(np.intp), 0)
    last = np.minimum((centres + 2 * factor + 0.5).astype(np.intp), large)
    at = first[:, None] + np.arange(int((last - first).max()))
    t = np.abs(at - centres[:, None] + 0.5) / factor
    near, far = (1.5 * t - 2.5) * t**2 + 1, ((-0.5 * t + 2.5) * t - 4) * t + 2
    weights = np.where(t < 1, near, np.where(t < 2, far, 0.0)) * (at < last[:, None])
    return first, weights / weights.sum(1, keepdims=True)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Band:
    """Some rows of a banded matrix.

    Attributes:
        rows: which.
        columns: where they are not 0.
        weights: what they are there.
    """

    rows: slice
    columns: slice
    weights: Tensor


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Shrinker:
    """The shrinker A for pictures of one size.

    Attributes:
        down: bands of R along columns, and bands of its transpose.
        across: the same along rows.
    """

    down: tuple[Sequence[Band], Sequence[Band]]
    across: tuple[Sequence[Band], Sequence[Band]]

    def shrunk(self, x: Tensor) -> Iterator[tuple[slice, Tensor]]:
        """Yield A x, rows by rows: which rows, and (n, w).

        Args:
            x: (H, W).
        """
        return _products(x, self.down[0], self.across[0])

    def adjoint(self, r: Tensor) -> Iterator[tuple[slice, Tensor]]:
        """Yield A^T r, rows by rows: which rows, and (n, W).

        Args:
            r: (h, w).
        """
        return _products(r, self.down[1], self.across[1])


def shrinker(small: tuple[int, int], large: tuple[int, int]) -> Shrinker:
    """Return the shrinker from one size to another.

    Args:
        small: (h, w) after shrinking.
        large: (H, W) before.
    """
    down, across = (_axis(*lengths) for lengths in zip(small, large, strict=True))
    return Shrinker(down=down, across=across)


def _products(x: Tensor, down: Sequence[Band], across: Sequence[Band]) -> Iterator[tuple[slice, Tensor]]:
    for band in down:
        part = band.weights @ x[band.columns]
        yield band.rows, torch.cat([part[:, one.columns] @ one.weights.mT for one in across], 1)


def _axis(small: int, large: int) -> tuple[Sequence[Band], Sequence[Band]]:
    first, weights = taps(small, large)
    width = weights.shape[1]

    def matrix(rows: slice) -> tuple[int, NDArray[np.float64]]:
        """Some rows of R, and which column they begin with."""
        begin = int(first[rows.start])
        dense = np.zeros((rows.stop - rows.start, int(first[rows.stop - 1]) + width - begin))
        np.put_along_axis(dense, (first[rows] - begin)[:, None] + np.arange(width), weights[rows], 1)
        return begin, dense[:, : large - begin]

    shrinking, adjoint = [], []
    for start in range(0, small, _SMALL):
        rows = slice(start, min(start + _SMALL, small))
        begin, dense = matrix(rows)
        columns = slice(begin, begin + dense.shape[1])
        shrinking.append(Band(rows=rows, columns=columns, weights=torch.from_numpy(dense).float()))
    for start in range(0, large, _LARGE):
        stop = min(start + _LARGE, large)
        touching = np.flatnonzero((first < stop) & (first + width > start))
        columns = slice(int(touching[0]), int(touching[-1]) + 1)
        begin, dense = matrix(columns)
        part = np.zeros((dense.shape[0], stop - start))
        seen = slice(max(start, begin), min(stop, begin + dense.shape[1]))
        part[:, seen.start - start : seen.stop - start] = dense[:, seen.start - begin : seen.stop - begin]
        adjoint.append(Band(rows=slice(start, stop), columns=columns, weights=torch.from_numpy(part.T.copy()).float()))
    return shrinking, adjoint
