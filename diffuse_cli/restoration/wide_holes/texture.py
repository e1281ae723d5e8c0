"""What is missing of a picture, textured like what is known of it, at one scale.

Completion by patches (Wexler, Shechtman and Irani 2007; Newson et al. 2014). The coarsest scale begins with pieces of
the picture that continue its lines, or, where they would be too many, with the patches that are most like the network's
estimate. Every further scale begins with what was found at half its size, shown in its own pixels, so nothing of it is
blurrier than its source.
"""

import math
from dataclasses import dataclass

import torch
from scipy.ndimage import distance_transform_edt
from torch import Tensor

from ...system.process import one_thread
from .patch_grid import RADIUS, SIDE, PatchGrid, near_missing, patch_grid, whole_patches
from .patch_search import Draw, Matches, anywhere, best_matches, twice_as_large
from .patch_vote import average, best, depths, weights
from .seams import without_seams
from .structure import structured

MOST_PIXELS = 1 << 25
"""Most missing pixels that get texture; of more, the enlarged texture of the scale before is as fine as it gets."""
_MOST_PATCHES = 1 << 20
"""About how many patches are searched for; of more pixels, their grid is wider, up to a patch's own side."""
_MOST_AT_FIRST = 1 << 15
"""The same if nothing was found at half the size, because too little is known there."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Effort:
    """How thoroughly patches are searched.

    Attributes:
        passes: how often patches are searched and averaged.
        rounds: of each search.
        step: pixels between the lines of the grid.
        trusts: weight of an estimated pixel in the first pass and in the others; a known one has 1.
    """

    passes: int
    rounds: int
    step: int
    trusts: tuple[float, float]


_FIRST = _Effort(passes=5, rounds=4, step=1, trusts=(0.02, 0.3))
"""For the coarsest scale, whose estimate is hardly trusted at first."""
_NEXT = _Effort(passes=1, rounds=1, step=2, trusts=(0.3, 0.3))


@one_thread()
def textured(
    x: Tensor,
    known: Tensor,
    before: Matches | None,
    draw: Draw,
    sources: Tensor | None = None,
    *,
    best_guess: bool = True,
) -> tuple[Tensor, Matches | None]:  # fmt: skip
    """Make what is missing of a picture of known patches.

    Args:
        x: (1, 3, H, W), with an estimate of what is missing; it may be overwritten.
        known: (H, W) bool.
        before: what was found at half the size. None: this is the coarsest scale.
        draw: random numbers.
        sources: (H, W) bool, where centres of known patches may be. None, or where no patch fits: anywhere.
        best_guess: begin with the pieces that fit best; else they are drawn, too.

    Returns:
        (1, 3, H, W), equal to x where it is known, and what was found. If nothing can be found: x and None.
    """
    rows, columns = torch.nonzero(~known, as_tuple=True)
    if min(known.shape) < SIDE or not 0 < len(rows) <= (_MOST_AT_FIRST if before is None else MOST_PIXELS):
        return x, None
    near = near_missing(known)
    whole = whole_patches(near)
    if sources is not None and bool((whole & sources).any()):
        whole = whole & sources
    if not bool(whole.any()):
        return x, None
    how = _FIRST if before is None else _NEXT
    wide = math.ceil(math.sqrt(len(rows) / _MOST_PATCHES))
    grid = patch_grid(near, min(max(how.step, wide), SIDE - 1))
    start = anywhere(len(grid.rows), whole, draw) if before is None else twice_as_large(before, grid, whole, draw)
    picture = x[0].permute(1, 2, 0).contiguous()
    depth, reach = depths(grid, known), max(known.shape)
    turns = range(how.passes)
    if before is not None and sources is None:
        picture[rows, columns] = _shown(picture, grid, start, depth, rows, columns)
    elif sources is None and (pieces := structured(picture, known, None if best_guess else draw)) is not None:
        picture, start = picture[pieces], _centres(pieces, known, grid, whole, start)
        turns = turns[-1:]
    for turn in turns:
        trust = how.trusts[min(turn, 1)]
        found = best_matches(picture, known, trust, whole, grid, start, how.rounds, reach, draw)
        weight = weights(found, depth)
        if turn + 1 < how.passes:
            picture[rows, columns] = average(picture, found, weight, rows, columns)
            start = found.rows, found.columns
    source = best(found, weight, rows, columns)
    picture[rows, columns] = without_seams(picture, known, (rows, columns), source)
    return picture.permute(2, 0, 1)[None], found


def _shown(
    x: Tensor, grid: PatchGrid, start: tuple[Tensor, Tensor], depth: Tensor, rows: Tensor, columns: Tensor
) -> Tensor:
    """Return the missing pixels as known patches show them, before any are compared: (M, C)."""
    found = Matches(grid=grid, rows=start[0], columns=start[1], cost=torch.zeros(len(start[0])))
    return average(x, found, weights(found, depth), rows, columns)


def _centres(
    pieces: tuple[Tensor, Tensor], known: Tensor, grid: PatchGrid, whole: Tensor, start: tuple[Tensor, Tensor]
) -> tuple[Tensor, Tensor]:
    """Return the known patches of a grid that pieces say, (N,): moved as the nearest missing pixel is.

    Args:
        pieces: rows and columns (H, W) of the pixels that show each pixel.
        known: (H, W) bool.
        grid: the patches.
        whole: (H, W) bool, centres of known patches.
        start: rows and columns (N,) for patches that would not be whole.
    """
    nearest = distance_transform_edt(known.numpy(), return_distances=False, return_indices=True)
    row, column = (torch.from_numpy(axis).long()[grid.rows, grid.columns] for axis in nearest)
    h, w = known.shape
    moved = (
        (grid.rows + pieces[0][row, column] - row).clamp(RADIUS, h - 1 - RADIUS),
        (grid.columns + pieces[1][row, column] - column).clamp(RADIUS, w - 1 - RADIUS),
    )
    is_whole = whole[moved]
    return torch.where(is_whole, moved[0], start[0]), torch.where(is_whole, moved[1], start[1])
