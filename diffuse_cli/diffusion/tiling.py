"""A denoiser over tiles: same arguments, same result, bounded memory, and no work where none is needed."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..system.arrays import empty_array, row_blocks
from .denoiser import DenoiserFn

GRID = 16
"""Tiles begin on multiples of this, so that their pooling grids are the whole picture's."""
MARGIN = 80
"""Context around a tile that is computed and thrown away.

Largest difference to the whole picture in 8-bit levels, of strokes and a box in tiles of 64 pixels, which need most:
0.60 with a margin of 64, 0.027 with 80, 0.007 with 96.
"""
_SMALLEST_SPLIT = 8
"""Side in units of the grid up to which a box is not split to save work; the margins would eat what is saved."""
_OVERHEAD = 2 * GRID * GRID
"""Cost of a further tile beside its pixels, in pixels."""


BATCH_PIXELS = 512 * 512
"""Most pixels of a batch of small tiles with their margins; larger batches are hardly faster (docs/performance.md)."""


BY_ROWS_FROM = 1 << 22
"""Pixels from which `by_rows` works block by block, so that intermediate results take little memory."""


class Pending(Protocol):
    """A denoiser of windows, whose call can begin now and be waited for later."""

    def begin(self, x: Tensor, sigma: Tensor) -> Callable[[], Tensor]:
        """Begin a call, and return a function that returns its result, (B, 3, h, w)."""


Window = tuple[slice, slice]
"""Rows and columns of a picture."""


class Croppable(Protocol):
    """A denoiser that can be narrowed to windows of its picture."""

    def windows(self, windows: Sequence[Window]) -> Pending:
        """Return the denoiser of windows of equal size, as one batch."""


@dataclass(frozen=True, slots=True)
class Tile:
    """The part of the picture that one call computes. It begins on the grid.

    Attributes:
        rows: of the picture.
        columns: of the picture.
        margin: context around it, in pixels.
    """

    rows: slice
    columns: slice
    margin: int = MARGIN

    def window(self, size: tuple[int, int]) -> Window:
        """Return the tile with its margins, as far as the picture (height, width) reaches."""
        return widened(self.rows, self.margin, size[0]), widened(self.columns, self.margin, size[1])

    def within(self, rows: slice, columns: slice) -> Window:
        """Return the tile in coordinates of a window."""
        return _shifted(self.rows, rows.start), _shifted(self.columns, columns.start)


def widened(span: slice, by: int, length: int) -> slice:
    """Return a span of an axis with margins, as far as the axis reaches."""
    return slice(max(span.start - by, 0), min(span.stop + by, length))


def _shifted(span: slice, by: int) -> slice:
    return slice(span.start - by, span.stop - by)


@dataclass(frozen=True, slots=True)
class Grid:
    """What a network asks of its tiles.

    Attributes:
        step: tiles begin on multiples of this.
        margin: context around a tile, in pixels; a multiple of the step.
    """

    step: int = GRID
    margin: int = MARGIN


CORE_GRID = Grid()
"""Of the core's network."""


def plan_tiles(
    size: tuple[int, int], side: int | None, needed: NDArray[np.bool_] | None = None, grid: Grid = CORE_GRID
) -> list[Tile]:
    """Return tiles of about equal size that cover what is needed of a picture.

    Args:
        size: (height, width) of the picture.
        side: longest side of a tile, rounded up to a multiple of the grid. None: the picture in one piece.
        needed: (height, width), True at the pixels that are needed; tiles are as tight around them as pays. None: all.
        grid: where tiles begin, and their margin.
    """
    step = grid.step
    cells = -(-(side or max(size)) // step)
    if needed is None:
        boxes = _split((0, -(-size[0] // step), 0, -(-size[1] // step)), cells)
    else:
        occupied = _cells(needed, step)
        box = _tight(occupied, (0, occupied.shape[0], 0, occupied.shape[1]))
        parts = [] if box is None else _split(box, cells)
        boxes = [tight for part in parts for tight in _cheapest(occupied, part, size, grid)[1]]
    return [_tile(box, size, grid) for box in boxes]


def _tile(box: "_Box", size: tuple[int, int], grid: Grid) -> Tile:
    top, bottom, left, right = (grid.step * edge for edge in box)
    return Tile(slice(top, min(bottom, size[0])), slice(left, min(right, size[1])), grid.margin)


_Box = tuple[int, int, int, int]
"""Top, bottom, left, right in units of the grid."""


def _split(box: _Box, most: int) -> list[_Box]:
    """Return parts of about equal size, at most so long."""
    top, bottom, left, right = box
    return [
        (rows.start, rows.stop, columns.start, columns.stop)
        for rows in spans(top, bottom, most)
        for columns in spans(left, right, most)
    ]


def spans(start: int, stop: int, most: int) -> Iterator[slice]:
    """Yield parts of an axis, of about equal length, at most so long."""
    count = -(-(stop - start) // most)
    step = -(-(stop - start) // count)
    return (slice(at, min(at + step, stop)) for at in range(start, stop, step))


def _cells(needed: NDArray[np.bool_], step: int) -> NDArray[np.bool_]:
    """Return which cells of the grid hold something that is needed."""
    rows = np.logical_or.reduceat(needed, np.arange(0, needed.shape[0], step), axis=0)
    cells: NDArray[np.bool_] = np.logical_or.reduceat(rows, np.arange(0, needed.shape[1], step), axis=1)
    return cells


def _tight(occupied: NDArray[np.bool_], box: _Box) -> _Box | None:
    """Return the smallest box around the occupied cells of a box. None: there are none."""
    top, bottom, left, right = box
    part = occupied[top:bottom, left:right]
    rows, columns = np.flatnonzero(part.any(1)), np.flatnonzero(part.any(0))
    if len(rows) == 0:
        return None
    return top + int(rows[0]), top + int(rows[-1]) + 1, left + int(columns[0]), left + int(columns[-1]) + 1


def _cheapest(occupied: NDArray[np.bool_], box: _Box, size: tuple[int, int], grid: Grid) -> tuple[int, list[_Box]]:
    """Return the pixels that a box costs, and its boxes: itself made tight, or its halves' if these cost less."""
    tight = _tight(occupied, box)
    if tight is None:
        return 0, []
    top, bottom, left, right = tight
    window = _tile(tight, size, grid).window(size)
    cost = (window[0].stop - window[0].start) * (window[1].stop - window[1].start) + _OVERHEAD
    if max(bottom - top, right - left) <= _SMALLEST_SPLIT:
        return cost, [tight]
    if bottom - top >= right - left:
        middle = (top + bottom) // 2
        halves = (top, middle, left, right), (middle, bottom, left, right)
    else:
        middle = (left + right) // 2
        halves = (top, bottom, left, middle), (top, bottom, middle, right)
    found = [_cheapest(occupied, half, size, grid) for half in halves]
    apart = sum(half[0] for half in found)
    return (apart, found[0][1] + found[1][1]) if apart < cost else (cost, [tight])


def batched(tiles: Sequence[Tile], size: tuple[int, int], most: int) -> list[list[Tile]]:
    """Group tiles whose windows are equally large into batches.

    A batch's size changes the rounding (in fp32, too), and with it a picture's bytes. So batches and their order follow
    from the tiles alone, and pictures never share one.

    Args:
        tiles: of the picture.
        size: (height, width) of the picture.
        most: most pixels of a batch; a larger tile stands alone.
    """
    alike: dict[tuple[int, int], list[Tile]] = {}
    for tile in tiles:
        rows, columns = tile.window(size)
        alike.setdefault((rows.stop - rows.start, columns.stop - columns.start), []).append(tile)
    batches: list[list[Tile]] = []
    for (height, width), found in alike.items():
        count = max(most // (height * width), 1)
        batches += [found[k : k + count] for k in range(0, len(found), count)]
    return batches


def tiled(
    denoise: Croppable,
    tiles: Sequence[Tile],
    *,
    batch_pixels: int = BATCH_PIXELS,
    rest: Tensor | None = None,
    on_tile: Callable[[], None] = lambda: None,
) -> DenoiserFn:
    """Return a denoiser that evaluates `denoise` tile by tile, with margins wider than a pixel's practical reach.

    Args:
        denoise: the denoiser of the whole picture.
        tiles: see `plan_tiles`.
        batch_pixels: most pixels of a batch of small tiles with their margins.
        rest: (1, 3, H, W), the result where no tile lies. None: tiles lie everywhere.
        on_tile: called after each tile, to show progress.
    """

    def over_tiles(x: Tensor, sigma: Tensor) -> Tensor:
        size = (x.shape[-2], x.shape[-1])
        out = empty_picture(size) if rest is None else copied_picture(rest)
        waiting: tuple[list[Tile], Callable[[], Tensor]] | None = None
        for batch in batched(tiles, size, batch_pixels):
            windows = [tile.window(size) for tile in batch]
            states = [x[..., rows, columns] for rows, columns in windows]
            begun = denoise.windows(windows).begin(states[0] if len(states) == 1 else torch.cat(states), sigma)
            if waiting is not None:
                _keep(out, *waiting, on_tile)
            waiting = batch, begun
        if waiting is not None:
            _keep(out, *waiting, on_tile)
        return out

    return over_tiles


def _keep(out: Tensor, batch: list[Tile], result: Callable[[], Tensor], on_tile: Callable[[], None]) -> None:
    for tile, found in zip(batch, result(), strict=True):
        rows, columns = tile.within(*tile.window((out.shape[-2], out.shape[-1])))
        out[0, :, tile.rows, tile.columns] = found[:, rows, columns]
        on_tile()


def empty_picture(size: tuple[int, int]) -> Tensor:
    """Return (1, 3, H, W) of arbitrary content, in host memory or a mapped file, laid out as (H, W, 3)."""
    return torch.from_numpy(empty_array((*size, 3), np.float32)).permute(2, 0, 1)[None]


def by_rows(combine: Callable[..., Tensor], *pictures: Tensor) -> Tensor:
    """Combine pictures pixel by pixel; large ones block by block, into an `empty_picture`.

    Args:
        combine: (pictures (1, C, h, w)) -> (1, 3, h, w), pixel by pixel.
        pictures: (1, C, H, W).
    """
    size = (pictures[0].shape[-2], pictures[0].shape[-1])
    if len(pictures[0]) > 1 or size[0] * size[1] < BY_ROWS_FROM:
        return combine(*pictures)
    out = empty_picture(size)
    for rows in row_blocks(out[0].permute(1, 2, 0).numpy()):
        out[..., rows, :] = combine(*(x[..., rows, :] for x in pictures))
    return out


def copied_picture(x: Tensor) -> Tensor:
    """Return a copy of a picture (1, 3, H, W), see `empty_picture`."""
    out = empty_picture((x.shape[-2], x.shape[-1]))
    for rows in row_blocks(out[0].permute(1, 2, 0).numpy()):
        out[..., rows, :] = x[..., rows, :]
    return out
