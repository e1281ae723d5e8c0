"""The pixels that several patches cover, made of all of them (Wexler, Shechtman and Irani 2007)."""

import torch
from torch import Tensor

from ...degradation.mask_shapes import steps_inside
from .patch_grid import RADIUS, PatchGrid
from .patch_search import Matches
from .widths import window_of

_NEARER = 1.3
"""Factor by which a patch counts more for each pixel that it is nearer to what is known (Wexler et al., 3.3)."""
_CENTRED = 0.02
_FAINT = 1e-6
_DEEPEST = 24
"""Steps from what is known beyond which all patches count the same."""
_ROWS = 256
"""Rows whose depths are computed at once."""
_BLOCK = 1 << 18
"""Pixels taken at once, so that intermediate results take little memory."""


def depths(grid: PatchGrid, known: Tensor) -> Tensor:
    """Return how many steps each patch's centre is from what is known (H, W), at most 24: (N,)."""
    columns = window_of((~known).numpy(), RADIUS + 1, 1)[1]
    depth = torch.empty(len(grid.rows))
    for top in range(0, len(known), _ROWS):
        first = max(top - _DEEPEST, 0)
        begin, end = torch.searchsorted(grid.rows, torch.tensor([top, top + _ROWS])).tolist()
        if begin < end:
            region = ~known[first : top + _ROWS + _DEEPEST, columns]
            steps = steps_inside(region[None, None], _DEEPEST)[0, 0]
            depth[begin:end] = steps[grid.rows[begin:end] - first, grid.columns[begin:end] - columns.start]
    return depth


def weights(found: Matches, depth: Tensor) -> Tensor:
    """Return how much each patch counts, (N,): by how well it fits, and by its depth (see `depths`)."""
    every = found.cost[:: max(len(found.cost) // 100_000, 1)]
    usual = torch.quantile(every, 0.75) + _FAINT
    return (-2 * found.cost / usual).exp().clamp_min(_FAINT) * _NEARER**-depth


def average(x: Tensor, found: Matches, weight: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Return the mean of all patches that cover each missing pixel: (M, C). Pixels that none covers stay as they are.

    Args:
        x: (H, W, C).
        found: the matches.
        weight: (N,), how much each patch counts.
        rows: (M,), of the missing pixels.
        columns: (M,), of the missing pixels.
    """
    blocks = zip(torch.split(rows, _BLOCK), torch.split(columns, _BLOCK), strict=True)
    return torch.cat([_average(x, found, weight, *block) for block in blocks])


def _average(x: Tensor, found: Matches, weight: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    flat, width = x.reshape(-1, x.shape[-1]), x.shape[1]
    total, count = torch.zeros(len(rows), x.shape[-1]), torch.zeros(len(rows))
    for which, down, across in found.grid.covering(rows, columns):
        there = which.clamp(min=0)
        share = weight[there] * (which >= 0)
        source = (found.rows[there] + down) * width + found.columns[there] + across
        total.addcmul_(flat[(source * (which >= 0))], share[:, None])
        count += share
    return torch.where((count > 0)[:, None], total / count[:, None], flat[rows * width + columns])


def best(found: Matches, weight: Tensor, rows: Tensor, columns: Tensor) -> tuple[Tensor, Tensor]:
    """Return the known pixel that shows each missing one, by the patch that counts most: rows and columns (M,).

    Pixels that no patch covers, at the picture's corners, are shown by themselves.

    Args:
        found: the matches.
        weight: (N,), how much each patch counts.
        rows: (M,), of the missing pixels.
        columns: (M,), of the missing pixels.
    """
    blocks = zip(torch.split(rows, _BLOCK), torch.split(columns, _BLOCK), strict=True)
    parts = [_best(found, weight, *block) for block in blocks]
    return torch.cat([row for row, _ in parts]), torch.cat([column for _, column in parts])


def _best(found: Matches, weight: Tensor, rows: Tensor, columns: Tensor) -> tuple[Tensor, Tensor]:
    most = torch.zeros(len(rows))
    row, column = rows.clone(), columns.clone()
    for which, down, across in found.grid.covering(rows, columns):
        there = which.clamp(min=0)
        counts = weight[there] * (1 - _CENTRED * (down * down + across * across)) * (which >= 0)
        more = counts > most
        most = torch.where(more, counts, most)
        row = torch.where(more, found.rows[there] + down, row)
        column = torch.where(more, found.columns[there] + across, column)
    return row, column
