"""Pixels put together from many places, without seams: their differences are kept, and their values follow.

Poisson image editing (Perez et al. 2003) with the differences at the pixels' own places, screened so that colours do
not drift (Bhat et al. 2008), solved by conjugate gradients.
"""

import torch
from torch import Tensor

_SCREEN = 1e-3
"""Weight of a pixel's own value; a difference has 1."""
_ITERATIONS = 80
_ENOUGH = 1e-4
_BLOCK = 1 << 18
"""Pixels whose differences are computed at once; intermediate results take many times their memory."""
_STEPS = ((0, 1), (1, 0), (0, -1), (-1, 0))


def without_seams(x: Tensor, known: Tensor, pixels: tuple[Tensor, Tensor], source: tuple[Tensor, Tensor]) -> Tensor:
    """Return values of missing pixels whose differences are those at their sources: (M, C).

    If two neighbours come from different places, their difference is the mean of those at either place.

    Args:
        x: (H, W, C).
        known: (H, W) bool; nothing beyond the picture is known.
        pixels: rows and columns (M,) of all missing pixels.
        source: rows and columns (M,) of the pixels that show them.
    """
    h, w = known.shape
    links = _neighbours(*pixels)
    planes = (x[..., channel].reshape(-1) for channel in range(x.shape[-1]))  # one by one, which takes a third
    return torch.stack([_joined(plane, pixels, source, links, h, w) for plane in planes], 1)


def _neighbours(rows: Tensor, columns: Tensor) -> list[Tensor]:
    """Return, for each step, the numbers (M,) of the missing pixels there, from 1; 0 = it is known or outside."""
    row, column = rows - rows.min() + 1, columns - columns.min() + 1  # within a box and a rim of one
    number = torch.zeros(int(row.max()) + 2, int(column.max()) + 2, dtype=torch.int32)
    number[row, column] = torch.arange(1, len(row) + 1, dtype=torch.int32)
    return [number[row + down, column + across] for down, across in _STEPS]


def _joined(
    plane: Tensor, pixels: tuple[Tensor, Tensor], source: tuple[Tensor, Tensor], links: list[Tensor], h: int, w: int
) -> Tensor:
    """Return the values of the missing pixels of one channel (H * W,): (M,)."""
    values = plane[source[0] * w + source[1]]
    wanted, degree = torch.zeros_like(values), torch.full_like(values, _SCREEN)
    for begin in range(0, len(values), _BLOCK):
        block = slice(begin, begin + _BLOCK)
        for (down, across), other in zip(_STEPS, links, strict=True):
            row, column = pixels[0][block] + down, pixels[1][block] + across
            inside = (row >= 0) & (row < h) & (column >= 0) & (column < w)
            missing, there = other[block] > 0, (other[block] - 1).clamp(min=0)
            here = source[0][block], source[1][block]
            step = plane[_moved(here, down, across, h, w)] - values[block]
            back = values[there] - plane[_moved((source[0][there], source[1][there]), -down, -across, h, w)]
            neighbour = torch.where(missing, values[there], plane[(row * w + column) * inside])
            wanted[block] += ((neighbour - values[block]) - torch.where(missing, (step + back) / 2, step)) * inside
            degree[block] += inside
    return values + _solved(wanted, degree, links)


def _moved(at: tuple[Tensor, Tensor], down: int, across: int, h: int, w: int) -> Tensor:
    return (at[0] + down).clamp(0, h - 1) * w + (at[1] + across).clamp(0, w - 1)


def _solved(b: Tensor, degree: Tensor, links: list[Tensor]) -> Tensor:
    """Solve degree x - (sum of linked x) = b for x, all (M,). Sums are doubles, so threads do not change them."""

    def product(x: Tensor) -> Tensor:
        padded = torch.cat([x.new_zeros(1), x])  # the first is what 0 finds
        out = degree * x
        for other in links:
            out -= padded.index_select(0, other)
        return out

    x, rest = torch.zeros_like(b), b.clone()
    ahead = rest.clone()
    left = first = _dot(rest, rest)
    for _ in range(_ITERATIONS):
        if left <= _ENOUGH * first:
            break
        turned = product(ahead)
        length = left / max(_dot(ahead, turned), 1e-30)
        x += length * ahead
        rest -= length * turned
        before, left = left, _dot(rest, rest)
        ahead = rest + left / max(before, 1e-30) * ahead
    return x


def _dot(a: Tensor, b: Tensor) -> float:
    return float((a * b).sum(dtype=torch.float64))
