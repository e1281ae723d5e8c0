"""What is missing of a picture, textured like what is known of it, at one scale of several.

Completion by patches (Wexler, Shechtman and Irani 2007; Newson et al. 2014), around the network's estimate: patches of
what is known that are most like it take its place, and are searched for anew, until what is missing is made of pieces
of the picture that also meet the known pixels.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from ...system.process import one_thread
from .patch_grid import SIDE, near_missing, patch_grid, whole_patches
from .patch_search import Draw, Matches, anywhere, best_matches, twice_as_large
from .patch_vote import average, best, depths, weights
from .seams import without_seams

MOST_PIXELS = 1 << 22
"""Missing ones; of more, the enlarged texture of the scale before is as fine as it gets."""
_MOST_AT_FIRST = 1 << 15
"""The same where nothing was found at half the size: what is known is too little there, or the hole the world."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Effort:
    """How often patches are searched and averaged, in how many rounds, between which lines, and trusting what."""

    passes: int
    rounds: int
    step: int
    trusts: tuple[float, float]


_FIRST = _Effort(passes=5, rounds=4, step=1, trusts=(0.02, 0.3))
"""Of the coarsest scale, whose estimate is hardly trusted at first."""
_NEXT = _Effort(passes=1, rounds=1, step=2, trusts=(0.3, 0.3))


@one_thread()
def textured(x: Tensor, known: Tensor, before: Matches | None, draw: Draw) -> tuple[Tensor, Matches | None]:
    """The picture with what is missing made of known patches.

    Args:
        x: (1, 3, H, W), with an estimate of what is missing; it may be overwritten.
        known: (H, W) bool.
        before: what was found at half the size, None at the coarsest scale.
        draw: random numbers.
    Returns: (1, 3, H, W), equal to x where it is known, and what was found; x and None where nothing can be found.
    """
    rows, columns = torch.nonzero(~known, as_tuple=True)
    if min(known.shape) < SIDE or not 0 < len(rows) <= (_MOST_AT_FIRST if before is None else MOST_PIXELS):
        return x, None
    near = near_missing(known)
    whole = whole_patches(near)
    if not bool(whole.any()):
        return x, None
    how = _FIRST if before is None else _NEXT
    grid = patch_grid(near, how.step)
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
