"""Data steps for shots of one scene, each on pixels of its own: what lies between one's pixels, another one shows.

A pixel of a shot is the mean of the result over the square that it covers, A x. In each part of the result

    (sum of A^T W A + rho) u = sum of A^T W (y - A x)

is solved for u by conjugate gradients, and x + u is the step (see data_step). W is the share of each pixel's precision
in that of the best ones. Shifts by fractions of a pixel make frequencies known that no shot alone shows.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor

from .tiling import Window, empty_picture, spans, widened

_SIDE: Final = 512
_MARGIN: Final = 24
_ROUNDS: Final = 12
_NEAR: Final = 0.02
"""The rest of the residual that ends the conjugate gradients."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Shot:
    """A shot, as a list of pixels.

    Attributes:
        values: (3, n), [-1, 1] units.
        x, y: (n,), where their centres lie, in pixels of the result.
        weight: (n,), their precision over that of noise of std sigma_n.
        side: of the square that a pixel covers, in pixels of the result.
    """

    values: Tensor
    x: Tensor
    y: Tensor
    weight: Tensor
    side: float


def shots_step(shots: Sequence[Shot], size: tuple[int, int]) -> Callable[[Tensor, float], Tensor]:
    """Return the data step of shots.

    Args:
        shots: of one scene.
        size: (H, W) of the result.
    """
    parts = [(rows, columns) for rows in spans(0, size[0], _SIDE) for columns in spans(0, size[1], _SIDE)]

    def step(x: Tensor, rho: float) -> Tensor:
        out = empty_picture(size)
        for rows, columns in parts:
            around = widened(rows, _MARGIN, size[0]), widened(columns, _MARGIN, size[1])
            inner = x[..., around[0], around[1]].float()
            moved = _solved(inner, [_within(shot, around) for shot in shots], rho)
            top, left = rows.start - around[0].start, columns.start - around[1].start
            kept = slice(top, top + rows.stop - rows.start), slice(left, left + columns.stop - columns.start)
            out[..., rows, columns] = (inner + moved)[..., kept[0], kept[1]]
        return out

    return step


def _within(shot: Shot, window: Window) -> Shot:
    """Return the pixels that lie in a window, with their places in it."""
    rows, columns = window
    edge = shot.side / 2
    x, y = shot.x - columns.start, shot.y - rows.start
    wide, high = columns.stop - columns.start - 1, rows.stop - rows.start - 1
    inside = (x >= edge - 0.5) & (y >= edge - 0.5) & (x <= wide + 0.5 - edge) & (y <= high + 0.5 - edge)
    inside &= shot.weight > 0
    return Shot(values=shot.values[:, inside], x=x[inside], y=y[inside], weight=shot.weight[inside], side=shot.side)


def _seen(x: Tensor, shot: Shot) -> Tensor:
    """Return what a shot shows of a picture (1, 3, H, W): (3, n)."""
    count = max(2, math.ceil(shot.side))
    steps = [((k + 0.5) / count - 0.5) * shot.side for k in range(count)]
    total = torch.zeros(3, len(shot.x))
    for down in steps:
        for right in steps:
            across, along = (2 * (shot.x + right) + 1) / x.shape[-1] - 1, (2 * (shot.y + down) + 1) / x.shape[-2] - 1
            places = torch.stack([across, along], -1)[None, None]
            total = total + F.grid_sample(x, places, padding_mode="border", align_corners=False)[0, :, 0]
    return total / count**2


def _solved(x: Tensor, shots: Sequence[Shot], rho: float) -> Tensor:
    """Return u (1, 3, H, W)."""

    def back(parts: Sequence[Tensor]) -> Tensor:
        """Return the sum of A^T W."""
        with torch.enable_grad():
            anywhere = torch.zeros_like(x, requires_grad=True)
            told = [
                (_seen(anywhere, shot) * (shot.weight * part)).sum() for shot, part in zip(shots, parts, strict=True)
            ]
            return torch.autograd.grad(torch.stack(told).sum(), anywhere)[0]

    u = torch.zeros_like(x)
    rest = back([shot.values - _seen(x, shot) for shot in shots])
    way, square = rest, float((rest**2).sum())
    end = square * _NEAR**2
    for _ in range(_ROUNDS):
        if square <= end:
            break
        there = back([_seen(way, shot) for shot in shots]) + rho * way
        far = square / float((way * there).sum())
        u, rest = u + far * way, rest - far * there
        before, square = square, float((rest**2).sum())
        way = rest + square / before * way
    return u
