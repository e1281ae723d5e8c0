"""Pixels put together from many places, without seams: their differences are kept, and their values follow.

Poisson image editing (Perez et al. 2003) with the differences of the pixels' own places, screened (Bhat et al. 2008) so
that colours do not drift, solved by conjugate gradients.
"""

import torch
from torch import Tensor

_SCREEN = 1e-3
"""What a pixel's own value counts, beside 1 of a difference."""
_ITERATIONS = 80
_ENOUGH = 1e-4
_STEPS = ((0, 1), (1, 0), (0, -1), (-1, 0))


def without_seams(x: Tensor, known: Tensor, pixels: tuple[Tensor, Tensor], source: tuple[Tensor, Tensor]) -> Tensor:
    """Values of missing pixels (M, C) whose differences are those at their sources.

    Where two neighbours come from different places, the mean of what either place says of their difference.

    Args:
        x: (H, W, C).
        known: (H, W) bool; nothing beyond the picture is known.
        pixels, source: rows and columns (M,) of all that is missing, and of what shows it.
    """
    h, w, channels = x.shape
    flat = x.reshape(-1, channels)
    number = torch.full((h * w,), -1, dtype=torch.int32)
    here = pixels[0] * w + pixels[1]
    number[here] = torch.arange(len(here), dtype=torch.int32)
    values = flat[source[0] * w + source[1]]
    wanted, links, degree = torch.zeros_like(values), [], torch.full((len(here), 1), _SCREEN)
    for down, across in _STEPS:
        row, column = pixels[0] + down, pixels[1] + across
        inside = (row >= 0) & (row < h) & (column >= 0) & (column < w)
        there = (row * w + column) * inside
        other = torch.where(inside, number[there], -1).long()
        neighbour = torch.where((other >= 0)[:, None], values[other.clamp(min=0)], flat[there])
        step = flat[_moved(source, down, across, h, w)] - values
        back = values[other.clamp(min=0)] - flat[
            _moved((source[0][other], source[1][other]), -down, -across, h, w)
        ]  # fmt: skip
        step = torch.where((other >= 0)[:, None], (step + back) / 2, step)
        wanted += ((neighbour - values) - step) * inside[:, None]
        degree += inside[:, None]
        links.append(other)
    return values + _solved(wanted, degree, links)


def _moved(at: tuple[Tensor, Tensor], down: int, across: int, h: int, w: int) -> Tensor:
    return (at[0] + down).clamp(0, h - 1) * w + (at[1] + across).clamp(0, w - 1)


def _solved(b: Tensor, degree: Tensor, links: list[Tensor]) -> Tensor:
    """x of degree x - (sum of linked x) = b, (M, C); -1 = no link. Sums are doubles, so threads do not change them."""

    def product(x: Tensor) -> Tensor:
        padded = torch.cat([x, x.new_zeros(1, x.shape[1])])  # what -1 finds
        out = degree * x
        for other in links:
            out -= padded[other]
        return out

    x, rest = torch.zeros_like(b), b.clone()
    ahead = rest.clone()
    left = first = _dot(rest, rest)
    for _ in range(_ITERATIONS):
        if bool((left <= _ENOUGH * first).all()):
            break
        turned = product(ahead)
        length = (left / _dot(ahead, turned).clamp_min(1e-30)).float()
        x += length * ahead
        rest -= length * turned
        before, left = left, _dot(rest, rest)
        ahead = rest + (left / before.clamp_min(1e-30)).float() * ahead
    return x


def _dot(a: Tensor, b: Tensor) -> Tensor:
    """(C,) doubles."""
    return (a * b).sum(0, dtype=torch.float64)
