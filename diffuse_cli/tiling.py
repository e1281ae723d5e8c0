"""A denoiser over tiles is a denoiser: same arguments, same result, bounded memory."""

from collections.abc import Iterator
from typing import Protocol

import torch
from torch import Tensor

from .denoiser import Denoise

GRID = 16
"""Tile origins lie on multiples of this, so that a tile's pooling grid is the whole picture's."""
MARGIN = 64
"""Context around a tile that is computed and thrown away."""
AUTO_TILE = 640
"""Side of a tile without its margins under `auto`: activations stay small, and it depends on nothing but the picture."""


class Croppable(Protocol):
    """A denoiser that can be narrowed to a window of its picture."""

    def crop(self, rows: slice, columns: slice) -> Denoise:
        """The same denoiser of a window."""

    def __call__(self, x: Tensor, sigma: Tensor) -> Tensor:
        """As `Denoise`."""


def _spans(length: int, tile: int) -> Iterator[tuple[slice, slice]]:
    """Windows with margins, and the part of each that is kept, both in picture coordinates."""
    for start in range(0, length, tile):
        stop = min(start + tile, length)
        yield slice(max(start - MARGIN, 0), min(stop + MARGIN, length)), slice(start, stop)


def tiled(denoise: Croppable, tile: int | None) -> Denoise:
    """Evaluate `denoise` tile by tile, with margins wider than a pixel's practical reach.

    Args:
        denoise: of the whole picture.
        tile: side of the kept part, rounded up to a multiple of 16; None = the whole picture in one piece.
    """
    if tile is None:
        return denoise
    side = -(-max(tile, GRID) // GRID) * GRID

    def over_tiles(x: Tensor, sigma: Tensor) -> Tensor:
        if max(x.shape[-2:]) <= side:
            return denoise(x, sigma)
        out = torch.empty_like(x)
        for rows, keep_rows in _spans(x.shape[-2], side):
            for columns, keep_columns in _spans(x.shape[-1], side):
                part = denoise.crop(rows, columns)(x[..., rows, columns], sigma)
                inner_rows = slice(keep_rows.start - rows.start, keep_rows.stop - rows.start)
                inner_columns = slice(keep_columns.start - columns.start, keep_columns.stop - columns.start)
                out[..., keep_rows, keep_columns] = part[..., inner_rows, inner_columns]
        return out

    return over_tiles
