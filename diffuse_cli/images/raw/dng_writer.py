"""DNG with linear light (LinearRaw): one picture of 16 bits, as the camera's colours are."""

from typing import BinaryIO, Final

import numpy as np
from PIL.TiffImagePlugin import IFDRational, ImageFileDirectory_v2

from ...system.arrays import row_blocks
from ..exif import EXIF_IFD, MAKER_NOTE
from ..picture import Picture, Source, as_coded
from ..tiff_writer import described
from . import dng_tags
from .dng_tags import DOUBLE, LONG, RATIONAL, SHORT, SRATIONAL
from .reader import laws_of
from .sensor import SensorData, Tag

_LINEAR_RAW: Final = 34892
_BLACK: Final = 0
"""Level of black. darktable 4.2 knows no other in a LinearRaw, so noise below black is cut off, as programs do."""
_WHITE: Final = 65535
_FIRST_OWN: Final = 50706
_MOSAIC: Final = frozenset({33421, 33422, 37398, 37399})
"""Tags of a mosaic, and the standard of files with one."""


def write_dng(stream: BinaryIO, picture: Picture, source: Source) -> None:
    """Write a LinearRaw DNG of 16 bits, not compressed: LibRaw, RawTherapee and darktable read no other way alike.

    Args:
        stream: empty, seekable.
        picture: light, as `read_light` returns it.
        source: what is said beside it.

    Raises:
        ValueError: it is no light of a sensor, or more than the 4 GB that a TIFF can hold.
    """
    sensor = picture.source.sensor
    if sensor is None:
        raise ValueError("no light of a sensor")
    gains = np.array(sensor.gains)
    light = (as_coded(picture.pixels, sensor.orientation) + np.float32(1)) / np.float32(2)
    height, width, _ = light.shape
    if height * width * 6 > 2**32 - 2**24:
        raise ValueError("more than the 4 GB that a TIFF can hold")
    ifd = described(source)
    _clear(ifd)
    _set(ifd, (256, LONG, width), (257, LONG, height), (258, SHORT, (16, 16, 16)), (259, SHORT, 1), (254, LONG, 0))
    _set(ifd, (262, SHORT, _LINEAR_RAW), (277, SHORT, 3), (278, LONG, height), (284, SHORT, 1))
    _set(ifd, (274, SHORT, sensor.orientation), (279, LONG, height * width * 6), (273, LONG, 0))
    _set(ifd, (dng_tags.DNG_VERSION, 1, bytes((1, 4, 0, 0))), (dng_tags.BACKWARD_VERSION, 1, bytes((1, 4, 0, 0))))
    _set(ifd, (dng_tags.BLACK_LEVEL, LONG, (_BLACK,) * 3), (dng_tags.WHITE_LEVEL, LONG, (_WHITE,) * 3))
    _set(ifd, (dng_tags.ACTIVE_AREA, LONG, (0, 0, height, width)), *sensor.tags)
    _set(ifd, (dng_tags.NOISE_PROFILE, DOUBLE, _noise_left(picture, sensor)))
    stream.write(b"II*\0\x08\0\0\0")
    stream.write(ifd.tobytes(8))
    factor = (np.float32(_WHITE - _BLACK) / gains).astype(np.float32)
    for rows in row_blocks(light):
        levels = np.clip(np.rint(light[rows] * factor + np.float32(_BLACK)), 0, _WHITE)
        stream.write(levels.astype("<u2").tobytes())


def _noise_left(picture: Picture, sensor: SensorData) -> tuple[float, ...]:
    """Return gain and offset of each colour.

    The noise of interpolated colours correlates, so what is measured in the picture is compared with what was measured
    in it before. The noise of the sensor that is left is the same share.
    """
    light = (picture.pixels + np.float32(1)) / np.float32(2)
    after = laws_of(light, np.array(sensor.gains))
    found: list[float] = []
    for k, (law, before, left) in enumerate(zip(sensor.laws, sensor.seen, after, strict=True)):
        usual = max(float(np.median(light[::7, ::7, k])) / sensor.gains[k], 0.0)
        share = min(float(left.at(usual) / before.at(usual)), 1.0)
        one = law.scaled(1.0, share)
        found += [max(one.gain, 1e-12), max(one.offset, 1e-14)]
    return tuple(found)


def _clear(ifd: ImageFileDirectory_v2) -> None:
    """Take out what is said about another file's pixels. Maker notes point into the file that they come from."""
    for tag in [tag for tag in ifd if tag >= _FIRST_OWN or tag in _MOSAIC]:
        del ifd[tag]
    if isinstance(inner := ifd.get(EXIF_IFD), dict):
        inner.pop(MAKER_NOTE, None)


def _set(ifd: ImageFileDirectory_v2, *tags: Tag) -> None:
    for number, kind, value in tags:
        if kind in (RATIONAL, SRATIONAL):
            parts = np.asarray(value, object).reshape(-1, 2)
            value = tuple(IFDRational(int(up), int(down)) for up, down in parts)
        ifd.tagtype[number] = kind
        ifd[number] = value
