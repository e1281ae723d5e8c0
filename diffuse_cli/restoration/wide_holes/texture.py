"""What is missing of a picture, textured like what is known of it, at one scale.

Completion by patches (Wexler, Shechtman and Irani 2007; Newson et al. 2014), around the network's estimate. The known
patches that are most like the estimate take its place, and the search begins again, until what is missing is made of
pieces of the picture that also meet the known pixels.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ...system.process import one_thread
from .patch_grid import SIDE, near_missing, patch_grid, whole_patches
from .patch_search import Draw, Matches, anywhere, best_matches, twice_as_large
from .patch_vote import average, best, depths, weights
from .seams import without_seams

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
    x: Tensor, known: Tensor, before: Matches | None, draw: Draw, sources: Tensor | None = None
) -> tuple[Tensor, Matches | None]:
    """Make what is missing of a picture of known patches.

    Args:
        x: (1, 3, H, W), with an estimate of what is missing; it may be overwritten.
        known: (H, W) bool.
        before: what was found at half the size. None: this is the coarsest scale.
        draw: random numbers.
        sources: (H, W) bool, where centres of known patches may be. None, or where no patch fits: anywhere.

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
    for turn in range(how.passes):
        trust = how.trusts[min(turn, 1)]
        found = best_matches(picture, known, trust, whole, grid, start, how.rounds, reach, draw)
        weight = weights(found, depth)
        if turn + 1 < how.passes:
            picture[rows, columns] = average(picture, found, weight, rows, columns)
            start = found.rows, found.columns
    source = best(found, weight, rows, columns)
    picture[rows, columns] = without_seams(picture, known, (rows, columns), source)
    return picture.permute(2, 0, 1)[None], found
