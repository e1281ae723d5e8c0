"""The white of 16-bit files that use a part of their range: 10, 12 or 14 bits of a camera or a microscope in 16."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from .dicom_values import on_levels_of
from .picture import Picture, to_levels, to_unit

MAX_SAMPLE: Final = 281
"""TIFF's tag MaxSampleValue."""
_WHOLE: Final = 65535
_FULL_EIGHT: Final = 255
_TEN, _TWELVE, _FOURTEEN = 1023, 4095, 16383
_STATED: Final = frozenset(2**bits - 1 for bits in range(9, 16))
_FORMATS: Final = frozenset({"", "PNG", "TIFF", "PPM", "NPY"})
"""Formats whose 16-bit numbers are the camera's own. The others scale their numbers to the whole range."""
_FEWEST_LEVELS: Final = 64
_CUT_OFF: Final = 1e-4
"""Share of all samples that have the highest level, where a sensor cut off the light."""


def stated_white(directory: Mapping[int, Any]) -> int:
    """Return the white that a TIFF's directory states; 0 = none.

    Many programs write the highest sample there, which says nothing of white. So only 2^bits - 1 counts.

    Args:
        directory: its tags, by number.
    """
    value = directory.get(MAX_SAMPLE)
    highest = max(value, default=0) if isinstance(value, tuple) else value
    return highest if isinstance(highest, int) and highest in _STATED else 0


def with_white(picture: Picture, stated: int = 0) -> Picture:
    """Return a picture on the scale of its own white, if it uses a part of the 16-bit range.

    Args:
        picture: as it was read, 65535 = white.
        stated: the white that its file states; 0 = none.
    """
    fits = picture.depth == 16 and not picture.floating and picture.source.format in _FORMATS
    if not fits or picture.source.white or float(picture.pixels.max()) > to_unit(np.array([_STATED_MOST]), 16)[0]:
        return picture
    levels = to_levels(picture.pixels, 16)
    white = stated if stated >= int(levels.max()) else found_white(levels)
    if white == 0:
        return picture
    return replace(picture, pixels=to_unit(levels, 16, white), source=replace(picture.source, white=white))


_STATED_MOST: Final = np.uint16(max(_STATED))


def on_scale_of(picture: Picture, other: Picture) -> Picture:
    """Return a picture on the scale of another's white, or of another's DICOM values, so that both can be compared.

    Args:
        picture: of any kind.
        other: of any kind.
    """
    if picture.depth != 16 or other.depth != 16 or picture.floating or other.floating:
        return picture
    if picture.source.dicom is not None and other.source.dicom is not None:
        return on_levels_of(picture, other)
    if picture.white == other.white:
        return picture
    levels = to_levels(picture.pixels, 16, picture.white)
    white = 0 if other.white == _WHOLE else other.white
    return replace(picture, pixels=to_unit(levels, 16, other.white), source=replace(picture.source, white=white))


def found_white(levels: NDArray[Any]) -> int:
    """Return the white that levels show; 0 = the whole range.

    A picture whose highest level is below a sixteenth of the range would be all but black, so it has 10 or 12 bits. One
    that ends below a quarter may be dark: it has 14 bits only where the sensor cut off the light. Levels that lie
    apart were stretched from fewer bits to the whole range. Few levels are labels or a drawing.

    Args:
        levels: 16-bit integers without alpha, of any shape.
    """
    highest = int(levels.max())
    if not _FULL_EIGHT < highest <= _FOURTEEN:
        return 0
    different, counts = np.unique(levels, return_counts=True)
    if len(different) < _FEWEST_LEVELS or np.diff(different).min() > 1:
        return 0
    if highest <= _TWELVE:
        return _TEN if highest <= _TEN else _TWELVE
    is_cut_off = highest > _FOURTEEN // 2 and counts[-1] > max(_CUT_OFF * levels.size, 4 * counts[-8:-1].mean())
    return _FOURTEEN if highest == _FOURTEEN or is_cut_off else 0


def told(picture: Picture) -> str:
    """Return a line for the user; "" = white is the type's own.

    Args:
        picture: as `with_white` returns it.
    """
    white = 0 if picture.source.dicom is not None else picture.source.white
    return f"{white.bit_length()} bits in 16: white is {white}" if white else ""
