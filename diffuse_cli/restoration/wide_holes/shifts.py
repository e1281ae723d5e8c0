"""Every missing pixel is shown by a known one some shift away; graph cuts place the seams between the shifts.

Shift maps (Pritch, Kav-Venaki and Peleg 2009) of few shifts (He and Sun 2012), by alpha expansion (Boykov, Veksler and
Zabih 2001).
"""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from .exemplars import Sources
from .widths import Mask, dilated

Pixels = NDArray[np.int64]
Costs = NDArray[np.float64]
_BAND = 2
"""Known pixels around a hole whose likeness tells where a seam to them costs little."""
_MOST_SHIFTS = 40
_SWEEPS = 2
_UNKNOWN = 0.5
"""What it costs where a pixel that is compared is not known; the distance of two colours is in [-1, 1] units."""
_NOT_THERE = 3.0
"""What it costs to show a pixel by one that is not known."""
_FAR = 0.5
"""What it costs to show a pixel by one as far away as the picture is long."""
_DEEP = 8.0
"""Pixels from the rim at which the estimate counts half."""
_WHOLE = 2000
"""Costs are whole numbers of this fraction, as flows are."""


def best_seams(x: NDArray[np.float32], known: Mask, own: Mask, proposals: Sequence[Sources]) -> Sources:
    """Return what shows each pixel of a hole, of the shifts in some proposals, with the least visible seams.

    Args:
        x: (h, w, C), with an estimate of what is missing, which the pixels are to be like.
        known: (h, w).
        own: (h, w), the missing pixels that are filled.
        proposals: what may show them.
    """
    seams = _Seams(x, known, own)
    shifts = [seams.shifts_of(sources) for sources in proposals]
    counted = Counter((int(down), int(across)) for shift in shifts for down, across in shift.T)
    best = min(shifts, key=seams.cost)
    for _ in range(_SWEEPS):
        for one, _count in counted.most_common(_MOST_SHIFTS):
            best = seams.expanded(best, one)
    rows, columns = np.mgrid[: known.shape[0], : known.shape[1]]
    filled = own[seams.at]
    rows[own], columns[own] = (at[filled] + shift[filled] for at, shift in zip(seams.at, best, strict=True))
    return rows.clip(0, known.shape[0] - 1), columns.clip(0, known.shape[1] - 1)


class _Seams:
    """The costs of showing pixels by others. A shift map is (2, N), down and across, for the pixels `at`."""

    def __init__(self, x: NDArray[np.float32], known: Mask, own: Mask) -> None:
        self.x, self.known, self.own = x, known, own
        where = dilated(own, _BAND) & (own | known)
        self.at = np.nonzero(where)
        self.trust = 1 / (1 + distance_transform_edt(own)[self.at] / _DEEP)
        number = np.full((where.shape[0] + 1, where.shape[1] + 1), -1)
        number[self.at] = np.arange(len(self.at[0]))
        beside = [number[self.at[0] + down, self.at[1] + across] for down, across in ((0, 1), (1, 0))]
        self.first = np.concatenate([np.flatnonzero(other >= 0) for other in beside])
        self.second = np.concatenate([other[other >= 0] for other in beside])

    def shifts_of(self, sources: Sources) -> Pixels:
        """Return the shift map of sources. In the band around the hole it is that of the nearest missing pixel."""
        nearest = distance_transform_edt(~self.own, return_distances=False, return_indices=True)[:, *self.at]
        return np.stack([source[tuple(nearest)] - near for source, near in zip(sources, nearest, strict=True)])

    def cost(self, shift: Pixels) -> float:
        """Return what a shift map costs."""
        return float(self._alone(shift).sum() + self._between(shift, shift).sum())

    def expanded(self, shift: Pixels, one: tuple[int, int]) -> Pixels:
        """Return the shift map of least cost in which every pixel keeps its shift or gets this one."""
        other = np.broadcast_to(np.array(one)[:, None], shift.shape)
        keep, take = self._alone(shift), self._alone(other)
        both_keep, only_second = self._between(shift, shift), self._between(shift, other)
        only_first = self._between(other, shift)
        before = float(keep.sum() + both_keep.sum())
        np.add.at(take, self.first, only_first - both_keep)
        np.add.at(take, self.second, -only_first)
        apart = np.maximum(only_second + only_first - both_keep, 0)
        taken = _least_cut(take - keep, self.first, self.second, apart)
        if not taken.any():
            return shift
        changed = np.where(taken, other, shift)
        return changed if self.cost(changed) < before else shift

    def _alone(self, shift: Pixels) -> Costs:
        """Return what it costs to show each pixel so, (N,)."""
        here = self.at[0] + shift[0], self.at[1] + shift[1]
        there = self._is_known(*here)
        far = _FAR * np.hypot(*shift) / max(self.known.shape)
        unlike = self.trust * self._unlike(here, self.at)
        costs: Costs = np.where(there, unlike, _UNKNOWN + _NOT_THERE) + far
        return costs

    def _between(self, a: Pixels, b: Pixels) -> Costs:
        """Return what it costs where first pixels have shifts of one map and second ones those of another, (M,)."""
        a, b = a[:, self.first], b[:, self.second]
        costs = np.zeros(len(self.first))
        for number in (self.first, self.second):
            row, column = self.at[0][number], self.at[1][number]
            one, two = (row + a[0], column + a[1]), (row + b[0], column + b[1])
            are_known = self._is_known(*one) & self._is_known(*two)
            costs += np.where(are_known, self._unlike(one, two), _UNKNOWN)
        costs[(a == b).all(0)] = 0
        return costs

    def _is_known(self, row: Pixels, column: Pixels) -> Mask:
        h, w = self.known.shape
        inside = (row >= 0) & (row < h) & (column >= 0) & (column < w)
        known: Mask = inside & self.known[row * inside, column * inside]
        return known

    def _unlike(self, a: tuple[Pixels, ...], b: tuple[Pixels, ...]) -> Costs:
        """Return the distances of colours; pixels outside the picture are moved into it."""
        h, w = self.known.shape
        one, two = (self.x[row.clip(0, h - 1), column.clip(0, w - 1)] for row, column in (a, b))
        distances: Costs = np.sqrt(((one - two) ** 2).sum(-1, dtype=np.float64))
        return distances


def _least_cut(take: Costs, first: Pixels, second: Pixels, apart: Costs) -> Mask:
    """Return which of N pixels take part, so that the sum of costs is least.

    Args:
        take: (N,), what it costs more to take part.
        first: (M,), numbers of pixels.
        second: (M,), numbers of pixels beside them.
        apart: (M,), what it costs if the second takes part and the first does not, not negative.
    """
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import breadth_first_order, maximum_flow

    count = len(take)
    every, source, sink = np.arange(count), np.full(count, count), np.full(count, count + 1)
    tails = np.concatenate([source, every, first]).astype(np.int32)  # as maximum_flow takes them
    heads = np.concatenate([every, sink, second]).astype(np.int32)
    room = np.concatenate([take.clip(0), (-take).clip(0), apart])
    back = np.zeros(len(room), np.int32)
    graph = csr_array(
        (
            np.concatenate([(room * _WHOLE).round().astype(np.int32), back]),
            (np.concatenate([tails, heads]), np.concatenate([heads, tails])),
        ),
        shape=(count + 2, count + 2),
    )
    left = graph - maximum_flow(graph, count, count + 1).flow
    left.data = left.data.clip(0)
    left.eliminate_zeros()
    parted = np.ones(count + 2, bool)
    parted[breadth_first_order(left, count, return_predecessors=False)] = False
    return parted[:count]
