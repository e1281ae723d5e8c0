"""The known patch that is most like each patch over what is missing: PatchMatch (Barnes et al. 2009)."""

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from .patch_grid import RADIUS, PatchGrid

_OFFSETS = [
    (down, across)
    for down in range(-RADIUS, RADIUS + 1)
    for across in range(-RADIUS, RADIUS + 1)
    if (down + across) % 2 == 0
]
"""The pixels of a patch that are compared: every other one, as on a chessboard."""
_LOOKS = (0, 3, 8, len(_OFFSETS))
"""Numbers of compared pixels after which patches that are already too unlike are left out; most are."""
_JUMPS = (4, 1)
_BLOCK = 1 << 15
"""Patches compared at once; what is gathered of them stays in a core's cache."""

Draw = Callable[[int], Tensor]
"""(count) -> so many numbers, equally distributed over 0 .. 1, other ones at every call."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Matches:
    """The known patch that each patch of a grid is most like.

    Attributes:
        grid: the patches.
        rows: (N,), rows of the known patches' centres.
        columns: (N,), columns of the known patches' centres.
        cost: (N,), how unlike they are: the sum of squares over half the pixels.
    """

    grid: PatchGrid
    rows: Tensor
    columns: Tensor
    cost: Tensor


def anywhere(count: int, whole: Tensor, draw: Draw) -> tuple[Tensor, Tensor]:
    """Draw known patches from all, and return rows and columns (count,) of their centres.

    Args:
        count: how many.
        whole: (H, W) bool, centres of known patches, at least one.
        draw: random numbers.
    """
    rows, columns = torch.nonzero(whole, as_tuple=True)
    chosen = (draw(count) * len(rows)).long()
    return rows[chosen], columns[chosen]


def twice_as_large(found: Matches, grid: PatchGrid, whole: Tensor, draw: Draw) -> tuple[Tensor, Tensor]:
    """Return what was found at half the size, as rows and columns (N,) of known patches for the patches of a grid.

    Args:
        found: the matches at half the size.
        grid: the patches.
        whole: (H, W) bool, centres of known patches.
        draw: random numbers; what has no match at half the size gets one of all.
    """
    nearest = []
    for lines, at in zip(found.grid.lines, (grid.rows, grid.columns), strict=True):
        nearest.append(torch.searchsorted(lines, at // 2 - RADIUS // 2).clamp(max=len(lines) - 1))
    which = found.grid.number[nearest[0], nearest[1]]
    row = grid.rows + 2 * (found.rows[which] - found.grid.rows[which])
    column = grid.columns + 2 * (found.columns[which] - found.grid.columns[which])
    h, w = whole.shape
    row, column = row.clamp(RADIUS, h - 1 - RADIUS), column.clamp(RADIUS, w - 1 - RADIUS)
    lost = torch.nonzero((which < 0) | ~whole[row, column])[:, 0]
    if len(lost):
        row[lost], column[lost] = anywhere(len(lost), whole, draw)
    return row, column


def best_matches(
    x: Tensor, known: Tensor, trust: float, whole: Tensor, grid: PatchGrid, start: tuple[Tensor, Tensor],
    rounds: int, reach: int, draw: Draw,
) -> Matches:  # fmt: skip
    """Improve matches: try what the neighbours found, and what is drawn around the match so far.

    Args:
        x: (H, W, C), with an estimate of what is missing.
        known: (H, W) bool.
        trust: weight of an estimated pixel; a known one has 1.
        whole: (H, W) bool, centres of known patches.
        grid: the patches.
        start: rows and columns (N,) of known patches to begin with.
        rounds: how often all is tried.
        reach: largest distance of a draw from the match so far; the next draw is four times nearer.
        draw: random numbers.
    """
    compare = _Comparison(x, known, trust, grid)
    h, w = known.shape
    everyone = torch.arange(len(grid.rows))
    rows, columns = start[0].clone(), start[1].clone()
    cost = compare(everyone, rows, columns, torch.full((len(everyone),), math.inf))[1]

    def attempt(row: Tensor, column: Tensor, ok: Tensor) -> None:
        ok = ok & (row >= RADIUS) & (row < h - RADIUS) & (column >= RADIUS) & (column < w - RADIUS)
        ok &= whole[row * ok, column * ok] & ((row != rows) | (column != columns))
        which = torch.nonzero(ok)[:, 0]
        found, tried = compare(which, row[which], column[which], cost[which])
        which = which[found]
        rows[which], columns[which], cost[which] = row[which], column[which], tried

    for _ in range(rounds):
        for jump in _JUMPS:
            for down, across in ((0, jump), (jump, 0), (0, -jump), (-jump, 0)):
                other = grid.neighbours(down, across)
                there = other.clamp(min=0)
                row, column = rows[there] - grid.rows[there], columns[there] - grid.columns[there]
                attempt(row + grid.rows, column + grid.columns, other >= 0)
        radius = reach
        while radius >= 1:
            row, column = (at + ((2 * draw(len(at)) - 1) * radius).round().long() for at in (rows, columns))
            attempt(row, column, torch.ones_like(row, dtype=torch.bool))
            radius //= 4
    return Matches(grid=grid, rows=rows, columns=columns, cost=cost)


class _Comparison:
    """How unlike patches of a grid and known ones are."""

    def __init__(self, x: Tensor, known: Tensor, trust: float, grid: PatchGrid) -> None:
        self.pixels, self.known, self.width = x.reshape(-1, x.shape[-1]), known.reshape(-1), x.shape[1]
        self.trust = trust
        self.centres = grid.rows * self.width + grid.columns

    def __call__(self, which: Tensor, rows: Tensor, columns: Tensor, least: Tensor) -> tuple[Tensor, Tensor]:
        """Return which (B,) of these patches (K,) are less unlike those there than `least` (K,), and how much (B,)."""
        other = rows * self.width + columns
        found, costs = [], []
        for begin in range(0, len(which), _BLOCK):
            block = slice(begin, begin + _BLOCK)
            number, cost = self._block(self.centres[which[block]], other[block], least[block])
            found.append(number + begin)
            costs.append(cost)
        return (torch.cat(found), torch.cat(costs)) if found else (which, least)

    def _block(self, here: Tensor, there: Tensor, least: Tensor) -> tuple[Tensor, Tensor]:
        number, cost = torch.arange(len(here)), torch.zeros(len(here))
        for begin, end in itertools.pairwise(_LOOKS):
            for down, across in _OFFSETS[begin:end]:
                step = down * self.width + across
                apart = self.pixels.index_select(0, here + step) - self.pixels.index_select(0, there + step)
                weight = torch.where(self.known.index_select(0, here + step), 1.0, self.trust)
                cost.add_(apart.square_().sum(1).mul_(weight))
            good = torch.nonzero(cost < least)[:, 0]
            here, there, least, number, cost = (each[good] for each in (here, there, least, number, cost))
        return number, cost


def uniform(seed: int, sample: int, stage: int) -> Draw:
    """Return a `Draw` that is the same for the same arguments (Philox, whose raw stream numpy guarantees: NEP 19)."""
    import numpy as np

    stream = np.random.Philox(key=seed, counter=np.array([0, sample, stage, 1 << 32], np.uint64))

    def draw(count: int) -> Tensor:
        return torch.from_numpy((stream.random_raw(count) >> np.uint64(11)).astype(np.float64) * math.ldexp(1, -53))

    return draw
