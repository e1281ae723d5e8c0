"""What patches make of the pixels that several of them cover (Wexler, Shechtman and Irani 2007)."""

import torch
from torch import Tensor

from .patch_search import Matches

_NEARER = 1.3
"""How much more a patch counts for each pixel that it is nearer to what is known (Wexler et al., section 3.3)."""
_CENTRED = 0.02
_FAINT = 1e-6


def weights(found: Matches, depth: Tensor) -> Tensor:
    """(N,), how much each patch counts: how well it fits, and how near to what is known it lies.

    Args: depth (H, W), pixels to the nearest known one.
    """
    every = found.cost[:: max(len(found.cost) // 100_000, 1)]
    usual = torch.quantile(every, 0.75) + _FAINT
    near = _NEARER ** -depth[found.grid.rows, found.grid.columns]
    return (-2 * found.cost / usual).exp().clamp_min(_FAINT) * near


def average(x: Tensor, found: Matches, weight: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Of missing pixels (M,), the mean of all that cover them: (M, C). Pixels that none covers stay as they are."""
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
    """Of missing pixels (M,), which known pixel shows each of them, by the patch that counts most: rows, columns (M,).

    Pixels that none covers, at the picture's corners, are shown by themselves.
    """
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
