"""A hole filled from its rim inwards, edges first, by pieces of what is known (Criminisi, Perez and Toyama 2004)."""

import math
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter

from .patch_search import Draw
from .widths import Mask, dilated

Sources = tuple[NDArray[np.int64], NDArray[np.int64]]
"""Rows and columns (h, w) of the pixels that show each pixel; a known one shows itself."""

_REACH = 64
"""Pixels around a piece in which its like is looked for."""
_NEARLY = 1.0
"""How much more unlike pieces may be that are drawn."""
_EDGELESS = 0.05
"""What a place without edges counts beside one with an edge from black to white."""
_TINY = 1e-4


@dataclass(frozen=True, kw_only=True, slots=True)
class Pieces:
    """What pieces a hole is filled with.

    Attributes:
        radius: they have sides of 2 radius + 1.
        farther: how much more unlike a piece counts that is as far away as the picture is long.
        draw: random numbers, by which other pieces are taken that are nearly as alike. None: the most alike.
    """

    radius: int
    farther: float
    draw: Draw | None = None


def grown_in(x: NDArray[np.float32], known: Mask, own: Mask, pieces: Pieces) -> Sources | None:
    """Return what shows each pixel of a hole when it is filled piece by piece.

    The next piece lies where most around it is known and the strongest edge meets the rim. It gets what is most like
    its known pixels, near sources first.

    Args:
        x: (h, w, C); not read where it is not known.
        known: (h, w).
        own: (h, w), the missing pixels that are filled.
        pieces: which ones.

    Returns:
        the sources, or None if nowhere a whole piece is known.
    """
    radius = pieces.radius
    whole = ~dilated(~known, radius)
    for rim in (whole[:radius], whole[-radius:], whole[:, :radius], whole[:, -radius:]):
        rim[...] = False
    if not whole.any():
        return None
    growth = _Growth(x, known, own, pieces, whole)
    while growth.left.any():
        row, column, confidence = growth.next_place()
        growth.copy((row, column), growth.most_like(row, column), confidence)
    return growth.rows, growth.columns


class _Growth:
    """A hole that is being filled. Its places are rows and columns of centres of pieces."""

    def __init__(self, x: NDArray[np.float32], known: Mask, own: Mask, pieces: Pieces, whole: Mask) -> None:
        self.x, self.done, self.left = np.where(known[..., None], x, np.float32(0)), known.copy(), own.copy()
        self.pieces, self.radius, self.whole = pieces, pieces.radius, whole
        self.confidence = known.astype(np.float32)
        self.rows, self.columns = np.mgrid[: known.shape[0], : known.shape[1]]
        self.planes = torch.from_numpy(self.x.copy()).permute(2, 0, 1)[None]  # of what was known at first
        self.squares = self.planes.square().sum(1, keepdim=True)

    def next_place(self) -> tuple[int, int, float]:
        """Return the place to fill next, and how much of it is certain."""
        done = np.pad(self.done, 1, mode="edge").astype(np.float32)
        across, down = done[1:-1, 2:] - done[1:-1, :-2], done[2:, 1:-1] - done[:-2, 1:-1]
        touched = done[1:-1, 2:] + done[1:-1, :-2] + done[2:, 1:-1] + done[:-2, 1:-1] > 0
        front = np.nonzero(self.left & touched)
        if len(front[0]) == 0:  # what is left touches holes that others fill
            front = np.nonzero(self.left)
        certain = uniform_filter(self.confidence, 2 * self.radius + 1, mode="constant")[front]
        length = np.maximum(np.hypot(across[front], down[front]), 1e-6)
        slope = self._strongest_slopes(front)
        edge = np.abs(slope[0] * across[front] - slope[1] * down[front]) / length
        first = int(np.argmax(certain * (edge + _EDGELESS)))
        return int(front[0][first]), int(front[1][first]), float(certain[first])

    def _strongest_slopes(self, front: tuple[NDArray[np.intp], ...]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return the slope down and across that is strongest within the piece at each place."""
        margin = self.radius + 1
        top, left = (max(int(at.min()) - margin, 0) for at in front)
        window = slice(top, int(front[0].max()) + margin + 1), slice(left, int(front[1].max()) + margin + 1)
        light, done = (np.pad(part, 1, mode="edge") for part in (self.x[window].mean(2), self.done[window]))
        across = (light[1:-1, 2:] - light[1:-1, :-2]) * (done[1:-1, 2:] & done[1:-1, :-2]) / 2
        down = (light[2:, 1:-1] - light[:-2, 1:-1]) * (done[2:, 1:-1] & done[:-2, 1:-1]) / 2
        strength = torch.from_numpy(across**2 + down**2)[None, None]
        pooled = F.max_pool2d(strength, 2 * self.radius + 1, 1, self.radius, return_indices=True)[1]
        where = pooled[0, 0].numpy()[front[0] - top, front[1] - left]
        return down.reshape(-1)[where], across.reshape(-1)[where]

    def most_like(self, row: int, column: int) -> tuple[int, int]:
        """Return the place that is most like one, by the pixels that are done."""
        (h, w), r = self.whole.shape, self.radius
        top, left = min(row, r), min(column, r)  # how far the piece reaches within the picture
        here = slice(row - top, row + r + 1), slice(column - left, column + r + 1)
        weight = torch.from_numpy(self.done[here].astype(np.float32))[None, None]
        piece = torch.from_numpy(self.x[here]).permute(2, 0, 1)[None] * weight
        rows, columns = (max(at - _REACH, r) for at in (row, column))
        stop = min(row + _REACH + 1, h - r), min(column + _REACH + 1, w - r)
        if not self.whole[rows : stop[0], columns : stop[1]].any():
            rows, columns, stop = r, r, (h - r, w - r)
        down, across = weight.shape[2] - 1 - top, weight.shape[3] - 1 - left
        area = (..., slice(rows - top, stop[0] + down), slice(columns - left, stop[1] + across))
        unlike = F.conv2d(self.squares[area], weight) - 2 * F.conv2d(self.planes[area], piece) + piece.square().sum()
        cost = unlike[0, 0].numpy().clip(0) / max(float(weight.sum()), 1.0) + _TINY
        distance = np.hypot(*np.ogrid[rows - row : stop[0] - row, columns - column : stop[1] - column])
        cost = cost * (1 + self.pieces.farther * distance / max(h, w))
        if self.pieces.draw is not None:
            cost = cost * (1 + _NEARLY * self.pieces.draw(cost.size).numpy().reshape(cost.shape))
        cost = np.where(self.whole[rows : stop[0], columns : stop[1]], cost, math.inf)
        best = divmod(int(cost.argmin()), cost.shape[1])
        return rows + best[0], columns + best[1]

    def copy(self, place: tuple[int, int], source: tuple[int, int], confidence: float) -> None:
        """Fill what is left of a piece."""
        r, (h, w) = self.radius, self.left.shape
        here = tuple(slice(max(at - r, 0), min(at + r + 1, length)) for at, length in zip(place, (h, w), strict=True))
        apart = source[0] - place[0], source[1] - place[1]
        rows, columns = np.nonzero(self.left[here])
        rows, columns = rows + here[0].start, columns + here[1].start
        self.x[rows, columns] = self.x[rows + apart[0], columns + apart[1]]
        self.rows[rows, columns] += apart[0]
        self.columns[rows, columns] += apart[1]
        self.confidence[rows, columns] = confidence
        self.done[rows, columns] = True
        self.left[rows, columns] = False
