"""How a picture's blocks were coded: by its file's tables, or by those that its pixels agree with."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ...degradation.estimation.compression import picture_grid
from ...degradation.estimation.jpeg_tables import ijg_chroma_table, ijg_table, quality_of
from ...images.image_io import Picture, as_coded
from ...images.picture import JpegCoding
from ...images.units import LEVEL
from .canvas import SIDE, Canvas, Floats, coefficients, planes_of, samples_of

Cell = tuple[int, int]
Flags = NDArray[np.bool_]

_CELLS: Final[dict[int, Cell]] = {2: (2, 2), 1: (1, 2), 0: (1, 1)}
"""(rows, columns) of a sample of chroma in pixels, by the number of the subsampling, the most common first."""
_COARSE: Final = 6
"""Finer steps say nothing: rounding to whole levels moves coefficients by a good part of them."""
_MOST_STRAY: Final = 0.18
"""Root mean square distance from a multiple of the step, in steps; of any other picture it is 0.29."""
_FEWEST: Final = 20
_MEAN_SLACK: Final = 2.0
"""A quarter of a level: as much as rounding moves the mean of a constant block."""
_CHECKED_ROWS: Final = 512


@dataclass(frozen=True, kw_only=True, slots=True)
class Plane:
    """How a plane was coded.

    Attributes:
        steps: (64,), of its coefficients.
        cell: (rows, columns) of a sample in pixels.
    """

    steps: Floats
    cell: Cell = (1, 1)

    @property
    def step(self) -> float:
        """The step between the means of blocks, in levels."""
        return float(self.steps[0]) / SIDE

    def stored(self, plane: Floats) -> Floats:
        """Return the coefficients (rows, columns, 64) that a decoded plane was stored with, in levels around 0."""
        found = coefficients(samples_of(plane, self.cell))
        return np.asarray(np.round(found / self.steps) * self.steps)

    def reach(self) -> Floats:
        """Return how far a coefficient may lie from the stored one, which rounding to whole levels has blurred."""
        reach = self.steps / 2 + np.where(self.steps < _COARSE / 2, 1, 0)
        reach[0] += _MEAN_SLACK
        return np.asarray(reach, np.float32)


@dataclass(frozen=True, kw_only=True, slots=True)
class Coding:
    """How the blocks of a picture were coded.

    Attributes:
        planes: luma and, where it is known, both of chroma.
        origin: (row, column) where a block of chroma begins, at most its side.
        turned: the file's coding, which says how the picture was turned after it; None = not at all.
    """

    planes: tuple[Plane, ...]
    origin: tuple[int, int]
    turned: JpegCoding | None = None

    def canvas(self, height: int, width: int) -> Canvas:
        """Return the canvas of a picture as it was coded."""
        cell = self.planes[-1].cell
        unit = SIDE * cell[0], SIDE * cell[1]
        return Canvas(
            top=-self.origin[0] % unit[0], left=-self.origin[1] % unit[1], height=height, width=width, unit=unit
        )

    def as_coded(self, pixels: Floats) -> Floats:
        """Return displayed pixels (H, W, C) as they were coded, a view."""
        return pixels if self.turned is None else as_coded(pixels, self.turned.orientation)


def coding_of(picture: Picture, quality: float, origin: tuple[int, int] | None) -> Coding | None:
    """Find how a picture's blocks were coded. None: its pixels do not agree with such a coder.

    Args:
        picture: as it was read.
        quality: of the Independent JPEG Group's encoder.
        origin: (row, column) where blocks begin in the picture. None: as the file has them, else they are looked for.
    """
    levels = (picture.pixels[..., :1] if picture.is_gray else picture.pixels) * np.float32(LEVEL) + np.float32(LEVEL)
    file = picture.source.jpeg
    if origin is None and file is not None and quality_of(dict(enumerate(file.tables))) == quality:
        return _of_file(as_coded(levels, file.orientation), file)
    origin = picture_grid(levels) if origin is None else origin
    return None if origin is None else _of_pixels(levels, round(quality), origin)


def _of_file(levels: Floats, file: JpegCoding) -> Coding | None:
    tables = [np.asarray(table, np.float32) for table in file.tables]
    luma = Coding(planes=(Plane(steps=tables[0]),), origin=(0, 0), turned=file)
    if not _agrees(_strays(levels, luma)):
        return None
    if levels.shape[2] == 1 or len(tables) == 1 or file.subsampling not in _CELLS:
        return luma
    both = [Plane(steps=table, cell=_CELLS[file.subsampling]) for table in (tables[1], tables[-1])]
    whole = replace(luma, planes=(*luma.planes, *both))
    return whole if _agrees(_strays(levels, whole)) else luma


def _of_pixels(levels: Floats, quality: int, origin: tuple[int, int]) -> Coding | None:
    steps = ijg_table(quality).reshape(64).astype(np.float32)
    luma = Coding(planes=(Plane(steps=steps),), origin=origin)
    if not _agrees(_strays(levels, luma)):
        return None
    if levels.shape[2] == 1:
        return luma
    steps = ijg_chroma_table(quality).reshape(64).astype(np.float32)
    tried = []
    for cell in _CELLS.values():
        both = Plane(steps=steps, cell=cell)
        for row in (0, 8)[: cell[0]]:
            for column in (0, 8)[: cell[1]]:
                begin = origin[0] + row, origin[1] + column
                tried.append(replace(luma, planes=(*luma.planes, both, both), origin=begin))
    strays = [_strays(levels, coding) for coding in tried]
    best = min(range(len(tried)), key=lambda k: strays[k])
    return tried[best] if _agrees(strays[best]) else luma


def _agrees(stray: float) -> bool:
    return stray < _MOST_STRAY


def _strays(levels: Floats, coding: Coding) -> float:
    """Return how far coefficients beyond half a step lie from multiples of it, in steps, in the last plane coded.

    Clipping to black and white moves them, so blocks that touch either do not count. Nor do means: where a picture is
    constant, rounding to whole levels moves them by up to 4.
    """
    canvas = coding.canvas(*levels.shape[:2])
    rows = canvas.size[0]
    count = min(rows, _CHECKED_ROWS // canvas.unit[0] * canvas.unit[0])
    begin = (rows - count) // 2 // canvas.unit[0] * canvas.unit[0]
    band = slice(begin, begin + count)
    cut = canvas.cut(levels, band)
    planes = planes_of(cut)
    clipped = np.asarray(((cut < 0.5) | (cut > 254.5)).any(axis=2))
    total, number = 0.0, 0
    for plane, coded in _last(planes, coding.planes):
        found = coefficients(samples_of(plane, coded.cell)) / coded.steps
        near = np.round(found)
        usable = canvas.whole(band, coded.cell) & ~_any_in_block(clipped, coded.cell)
        counted = (near != 0) & (coded.steps >= _COARSE) & usable[..., None]
        counted[..., 0] = False
        total += float(np.square((found - near)[counted]).sum())
        number += int(counted.sum())
    # Where nearly all coefficients vanish, they agree with any steps.
    return 0.0 if number < _FEWEST else (total / number) ** 0.5


def _any_in_block(flags: Flags, cell: Cell) -> Flags:
    rows, columns = SIDE * cell[0], SIDE * cell[1]
    blocks = flags.reshape(flags.shape[0] // rows, rows, flags.shape[1] // columns, columns)
    return np.asarray(blocks.any(axis=(1, 3)))


def _last(planes: Sequence[Floats], coded: Sequence[Plane]) -> list[tuple[Floats, Plane]]:
    """Return luma alone, or both planes of chroma if they are coded."""
    return [(planes[0], coded[0])] if len(coded) == 1 else list(zip(planes[1:], coded[1:], strict=True))
