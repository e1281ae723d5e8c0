"""A picture on the grid of its JPEG blocks: bands of rows, planes of luma and chroma, coefficients of blocks."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ...degradation.estimation.blocks import dct_matrix

Floats = NDArray[np.float32]

SIDE: Final = 8
HALO: Final = 32
"""Rows beyond a band that its own rows depend on: the filters reach 16, the chroma of a block 16."""
_BAND_NUMBERS: Final = 1 << 22
_CENTRE: Final = np.float32(128)
_TO_YCC: Final = np.array([[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]], np.float32)
_TO_RGB: Final = np.linalg.inv(_TO_YCC.astype(np.float64)).astype(np.float32)
_DCT: Final = dct_matrix().astype(np.float32)


@dataclass(frozen=True, kw_only=True, slots=True)
class Canvas:
    """The whole blocks that hold a picture, whose own pixels begin somewhere in the first.

    Attributes:
        top: rows of the canvas above the picture.
        left: columns of the canvas left of the picture.
        height: of the picture.
        width: of the picture.
        unit: (rows, columns) of the largest block in pixels: 8 times those of a sample of chroma.
    """

    top: int
    left: int
    height: int
    width: int
    unit: tuple[int, int]

    @property
    def size(self) -> tuple[int, int]:
        """(rows, columns) of the canvas, multiples of the unit."""
        rows, columns = self.top + self.height, self.left + self.width
        return -(-rows // self.unit[0]) * self.unit[0], -(-columns // self.unit[1]) * self.unit[1]

    def bands(self) -> Iterator[tuple[slice, slice]]:
        """Yield rows of the canvas, multiples of the unit, and the same with the rows around that they depend on."""
        rows, columns = self.size
        step = max(_BAND_NUMBERS // (3 * columns) // self.unit[0], 4) * self.unit[0]
        for begin in range(0, rows, step):
            end = min(begin + step, rows)
            yield slice(begin, end), slice(max(begin - HALO, 0), min(end + HALO, rows))

    def cut(self, pixels: Floats, rows: slice) -> Floats:
        """Return rows of the canvas (n, columns, C). Beyond the picture (H, W, C) its border is repeated."""
        within = rows.start >= self.top and rows.stop <= self.top + self.height
        if within and self.left == 0 and self.size[1] == self.width:
            return pixels[rows.start - self.top : rows.stop - self.top]
        down = np.clip(np.arange(rows.start, rows.stop) - self.top, 0, self.height - 1)
        across = np.clip(np.arange(self.size[1]) - self.left, 0, self.width - 1)
        return np.asarray(pixels[down][:, across])

    def paste(self, band: Floats, rows: slice, pixels: Floats) -> None:
        """Write rows of the canvas (n, columns, C) into the picture (H, W, C), as far as they are in it."""
        begin, end = max(rows.start, self.top), min(rows.stop, self.top + self.height)
        if begin < end:
            inside = band[begin - rows.start : end - rows.start, self.left : self.left + self.width]
            pixels[begin - self.top : end - self.top] = inside

    def whole(self, rows: slice, cell: tuple[int, int]) -> NDArray[np.bool_]:
        """Return which blocks (m, n) of these rows lie in the picture as a whole, for a plane of such cells."""
        down = _inside(rows.start, rows.stop, SIDE * cell[0], self.top, self.top + self.height)
        across = _inside(0, self.size[1], SIDE * cell[1], self.left, self.left + self.width)
        return down[:, None] & across


def _inside(start: int, stop: int, side: int, first: int, last: int) -> NDArray[np.bool_]:
    begins = np.arange(start, stop, side)
    return (begins >= first) & (begins + side <= last)


def planes_of(levels: Floats) -> list[Floats]:
    """Return Y, Cb and Cr (H, W) of RGB levels (H, W, 3), or the one plane of gray ones, all around 0 as coded."""
    centred = levels - _CENTRE
    if levels.shape[2] == 1:
        return [centred[..., 0]]
    return list((_TO_YCC @ centred.reshape(-1, 3).T).reshape(3, *levels.shape[:2]))


def levels_of(planes: Sequence[Floats]) -> Floats:
    """Return the levels (H, W, C) of planes, the inverse of `planes_of`."""
    levels = np.stack(planes, axis=2)
    return np.asarray((levels if len(planes) == 1 else levels @ _TO_RGB.T) + _CENTRE)


def shrunk(plane: Floats, cell: tuple[int, int]) -> Floats:
    """Return a plane's means over cells, as the coder makes its chroma."""
    if cell == (1, 1):
        return plane
    rows = _sum([plane[k :: cell[0]] for k in range(cell[0])])  # a mean over such short axes takes five times as long
    total = _sum([rows[:, k :: cell[1]] for k in range(cell[1])])
    return np.asarray(total / np.float32(cell[0] * cell[1]))


def _sum(parts: Sequence[Floats]) -> Floats:
    total = parts[0].copy()
    for part in parts[1:]:
        total += part
    return total


def repeated(plane: Floats, cell: tuple[int, int]) -> Floats:
    """Return a plane with each sample repeated over its cell: the pseudo-inverse of `shrunk`."""
    return plane.repeat(cell[0], 0).repeat(cell[1], 1)


def samples_of(plane: Floats, cell: tuple[int, int]) -> Floats:
    """Return the samples from which a decoder interpolated a plane, linearly between their centres.

    The mean over a cell is 3/4 of its sample and 1/8 of both neighbours, along each axis that was interpolated.
    """
    samples = shrunk(plane, cell)
    for axis in (0, 1):
        if cell[axis] == 2 and samples.shape[axis] > 1:
            samples = np.moveaxis(_unmixed(np.moveaxis(samples, axis, 0)), 0, axis)
    return samples


def _unmixed(rows: Floats) -> Floats:
    from scipy.linalg import solve_banded

    bands = np.full((3, len(rows)), 0.125)
    bands[1] = 0.75
    bands[1, [0, -1]] += 0.125
    return np.asarray(solve_banded((1, 1), bands, rows, check_finite=False), np.float32)


def coefficients(plane: Floats) -> Floats:
    """Return the orthonormal cosine transform of a plane's blocks, (rows, columns, 64)."""
    rows, columns = plane.shape[0] // SIDE, plane.shape[1] // SIDE
    blocks = plane.reshape(rows, SIDE, columns, SIDE).swapaxes(1, 2).reshape(-1, SIDE * SIDE)
    return np.asarray(blocks @ _DCT.T).reshape(rows, columns, SIDE * SIDE)


def plane_of(coefficients: Floats) -> Floats:
    """Return the plane of coefficients (rows, columns, 64), the inverse of `coefficients`."""
    rows, columns = coefficients.shape[:2]
    blocks = (coefficients.reshape(-1, SIDE * SIDE) @ _DCT).reshape(rows, columns, SIDE, SIDE)
    return np.ascontiguousarray(blocks.swapaxes(1, 2)).reshape(rows * SIDE, columns * SIDE)
