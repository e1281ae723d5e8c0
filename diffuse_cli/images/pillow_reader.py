"""Reading with Pillow. What it would cut to 8 bits is read by another way, or refused."""

import io
import logging
import re
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile, UnidentifiedImageError
from PIL.JpegImagePlugin import JpegImageFile
from PIL.TiffImagePlugin import TiffImageFile

from ..errors import DEFECTS, PictureError
from ..system.arrays import copied, empty_array, equal_channels, row_blocks
from ..system.files import reason
from ..system.streams import is_stream, opened
from ..system.urls import Url, head
from . import cmyk
from .jpeg_damage import damage, mended
from .jpeg_data import coded_picture
from .metadata import orientation, source_of
from .picture import JpegData, Levels, Picture, check_size, from_array, integers, to_unit, upright
from .tiff import BITS, EXTRA, MAGICS, PHOTOMETRIC, PLANAR, SAMPLES, UnusualTiffError

ANIMATED = ("GIF", "PNG", "WEBP")
"""Formats whose animations are read and written."""
READABLE = ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "PPM", "AVIF", "GIF")


_QUIET: Final = r"PIL\.|pydicom|pylibjpeg|openjpeg|libjpeg|rle\b|diffuse_cli\.images\.dicom"
"""Modules whose warnings are not shown."""
_quiet_lock = threading.Lock()
_quiet_users = 0
_quiet_undo = ExitStack()


@contextmanager
def quiet_pillow() -> Iterator[None]:
    """Silence the warnings of Pillow and pydicom, and lift Pillow's size limit.

    All of it is process-wide, so threads share one switch.
    """
    global _quiet_users
    with _quiet_lock:
        if _quiet_users == 0:
            _quiet_undo.enter_context(warnings.catch_warnings())
            warnings.filterwarnings("ignore", module=_QUIET)
            log = logging.getLogger("pydicom")
            _quiet_undo.callback(setattr, log, "disabled", log.disabled)
            log.disabled = True  # it quotes values of tags, which may be about a patient
            _quiet_undo.callback(setattr, Image, "MAX_IMAGE_PIXELS", Image.MAX_IMAGE_PIXELS)
            _quiet_undo.callback(setattr, ImageFile, "MAXBLOCK", ImageFile.MAXBLOCK)
            Image.MAX_IMAGE_PIXELS = None
        _quiet_users += 1
    try:
        yield
    finally:
        with _quiet_lock:
            _quiet_users -= 1
            if _quiet_users == 0:
                _quiet_undo.close()


def quick_size(path: Path, data: bytes | None = None) -> tuple[int, int] | None:
    """Return (width, height) from the header alone; None where Pillow cannot tell, or the file is a pipe.

    Args:
        path: the file.
        data: its content, where that is known.
    """
    if data is None and is_stream(path):
        return None
    try:
        if data is None and isinstance(path, Url):
            data = head(path)
        with quiet_pillow(), Image.open(path if data is None else io.BytesIO(data)) as image:
            return image.size
    except DEFECTS:
        raise
    except Exception:  # whatever is wrong with it will be said when it is read
        return None


def is_animation(image: Image.Image) -> bool:
    """Return whether an opened picture is the first frame of an animation that is read frame by frame.

    Args:
        image: opened by Pillow.
    """
    return image.format in ANIMATED and bool(getattr(image, "is_animated", False))


def may_be_animation(path: Path) -> bool:
    """Return whether a file is an animation. What cannot be looked at before it is read, such as a pipe, may be one.

    Args:
        path: the file.
    """
    if path == Path("-") or is_stream(path):
        return True
    try:
        with quiet_pillow(), opened(path) as file, Image.open(file, formats=ANIMATED) as image:
            return is_animation(image)
    except DEFECTS:
        raise
    except Exception:  # whatever is wrong with it will be said when it is read
        return False


NOT_A_PICTURE = (
    "not a picture that diffuse reads (PNG, JPEG, WebP, TIFF, BMP, PPM, AVIF, GIF, .npy; HEIC, JPEG XL and camera RAW "
    "with the extra [formats], DICOM with [dicom]), an unusual kind of one, or a damaged one; open it in an image "
    "editor and save it as PNG, and a clip of another kind as MP4 or MKV"
)


@contextmanager
def decoding() -> Iterator[None]:
    """Turn what a decoder says of a broken file into one line. Trouble with disk or memory comes through.

    Raises:
        PictureError: in the place of whatever a decoder raises.
    """
    try:
        yield
    except (PictureError, MemoryError, *DEFECTS):
        raise
    except UnidentifiedImageError as error:
        raise PictureError(NOT_A_PICTURE) from error
    except Exception as error:  # decoders meet broken files with a dozen different types
        if isinstance(error, OSError) and error.errno:
            raise
        raise PictureError(f"damaged or cut short ({reason(error)}); copy it from its source again") from error


@dataclass(frozen=True, slots=True)
class PillowReader:
    """A reader of one picture of a file. Its errors do not name the file yet.

    Attributes:
        file: the file.
        frame: number of the page of a TIFF, from 0.
    """

    file: BinaryIO
    frame: int = 0
    """Of a TIFF."""

    def picture(self, max_pixels: int) -> Picture:
        """Decode the picture.

        Args:
            max_pixels: refuse a larger picture before decoding.

        Raises:
            PictureError: as `image_io.read_picture`.
            UnusualTiffError: a TIFF that needs another reader.
        """
        return self.picture_of(self.opened(max_pixels))

    def opened(self, max_pixels: int) -> ImageFile.ImageFile:
        """Open the file, and refuse what its header shows to be unreadable. Nothing is decoded.

        Args:
            max_pixels: refuse a larger picture.

        Raises:
            PictureError: as `image_io.read_picture`.
            UnusualTiffError: a TIFF that needs another reader.
        """
        with decoding():
            image = self._open()
            self._check(image, max_pixels)
            return image

    def turn(self) -> int:
        """Return how the picture is turned for display, as EXIF numbers it; 1 = not at all."""
        with decoding():
            return orientation(self._open())

    def picture_of(self, image: ImageFile.ImageFile) -> Picture:
        """Decode an opened picture.

        Args:
            image: from `opened`.

        Raises:
            PictureError: as `image_io.read_picture`.
            UnusualTiffError: a TIFF that needs another reader.
        """
        with decoding():
            if isinstance(image, JpegImageFile):
                return self._jpeg()
            levels, depth = self._levels(image)
            turn = orientation(image)
            source = source_of(image, self.file)
            if image.mode == "CMYK":
                levels, source = cmyk.converted(image, source)
        if depth == 32:
            return from_array(upright(levels, turn), source)
        if image.mode == "P" and not source.icc and levels.shape[2] == 3 and equal_channels(levels):
            levels = levels[..., :1]  # a gray palette; with a profile for colour it must stay colour
        levels = upright(levels, turn)
        colours = 1 if levels.shape[2] < 3 else 3
        alpha = integers(levels[..., -1], depth) if levels.shape[2] > colours else None
        return Picture(pixels=to_unit(levels[..., :colours], depth), alpha=alpha, depth=depth, source=source)

    def _jpeg(self) -> Picture:
        """Decode a JPEG as far as it goes."""
        self.file.seek(0)
        data = self.file.read()
        whole = mended(data)
        with Image.open(io.BytesIO(whole), formats=READABLE) as image:
            assert isinstance(image, JpegImageFile)
            levels, turn, source = plain_levels(image, image.mode), orientation(image), source_of(image, self.file)
            if image.mode == "CMYK":
                levels, source = cmyk.converted(image, source)
            else:
                source = replace(source, jpeg_data=JpegData(coded=coded_picture(whole), orientation=turn))
        found = damage(data, levels)
        if found is not None and found.missing.all():
            raise ValueError("it has no data of its pixels")
        if found is not None:
            missing, doubtful = (upright(one[..., None], turn)[..., 0] for one in (found.missing, found.doubtful))
            source = replace(source, damage=replace(found, missing=missing, doubtful=doubtful))
        return Picture(pixels=to_unit(upright(levels, turn), 8), source=source)

    def _open(self) -> ImageFile.ImageFile:
        self.file.seek(0)
        is_tiff = self.file.read(4) in MAGICS
        self.file.seek(0)
        try:
            image = Image.open(self.file, formats=READABLE)
            if self.frame:
                image.seek(self.frame)
        except (UnidentifiedImageError, SyntaxError) as error:
            if is_tiff:
                raise UnusualTiffError("a TIFF of a kind that Pillow does not know") from error
            raise
        assert isinstance(image, ImageFile.ImageFile)
        return image

    def _check(self, image: ImageFile.ImageFile, max_pixels: int) -> None:
        """Refuse what the header shows to be unreadable."""
        check_size(*image.size, max_pixels)
        most = _MOST_PIXELS_A_BYTE.get(image.format or "")
        if most is not None and image.width * image.height > most * _size(self.file):
            raise ValueError(f"too small a file for {image.width}x{image.height} pixels")
        if image.format == "WEBP" and max(image.size) > _MOST_WEBP_SIDE:
            raise ValueError("sides that a WebP cannot have")
        # A phone's JPEG may carry a preview or a gain map as further pictures (MPO): the first is the picture.
        if image.format not in ("MPO", "TIFF", *ANIMATED) and getattr(image, "is_animated", False):
            raise PictureError(f"an animated {image.format}; convert it to APNG, WebP or GIF first")
        if image.mode in ("LAB", "YCbCr", "HSV"):
            raise PictureError(
                f"its colours are {image.mode}, which diffuse does not read; "
                "convert it to RGB first, with its own profile"
            )
        if image.mode == "I" and image.format != "PPM":
            raise UnusualTiffError("32-bit or signed samples")
        if hidden := self._hidden_depth(image):
            raise UnusualTiffError(hidden) if image.format == "TIFF" else _lossy(hidden)

    def _hidden_depth(self, image: ImageFile.ImageFile) -> str:
        """Return what Pillow would cut to 8 bits, or misread, without a word; "" = nothing."""
        codec, rawmode = coding(image)
        if isinstance(image, TiffImageFile):
            if _has_more_channels(image):
                return "a TIFF with channels beside colour and alpha"
            bits = max(image.tag_v2.get(BITS, (1,)))
            known = image.mode == "F" or (image.mode.startswith("I;16") and bits == 16) or _DEEP.fullmatch(rawmode)
            if bits > 8 and not known:
                return f"{bits}-bit TIFF of this kind ({rawmode})"
            if bits > 8 and image.tag_v2.get(PLANAR) == 2 and image.mode != "F" and len(image.getbands()) > 1:
                return f"{bits}-bit TIFF in separate planes"
        if image.format == "PPM" and codec == "ppm_plain" and image.mode == "RGB" and _maxval(image) > 255:
            return "a 16-bit PPM written as text"
        return ""

    def _levels(self, image: ImageFile.ImageFile) -> tuple[NDArray[Any], int]:
        """Return integers (H, W, 1 to 4), the last of 2 or 4 alpha, and their depth. Floats have depth 32."""
        codec, rawmode = coding(image)
        if codec == "ppm":
            return _pnm_levels(image, self.file)
        if rawmode == "LA;16B":  # Pillow has no such mode, but another whose pixels have as many bytes
            _take_for(image, "RGBA")
            image.load()
            return _array(image).view(">u2").astype(np.uint16), 16
        image.load()
        if image.mode == "F":
            return _array(image)[..., None], 32
        if match := _DEEP.fullmatch(rawmode):
            deep, low = copied(_array(image), np.uint16), self._low_bytes(*match.groups())
            for rows in row_blocks(deep):
                deep[rows] <<= 8
                deep[rows] |= low[rows]
            return _with_transparency(deep, image), 16
        if image.mode.startswith("I"):
            deep = copied(_array(image), np.uint16)[..., None]
            if isinstance(image, TiffImageFile) and image.tag_v2.get(PHOTOMETRIC) == 0:
                deep ^= 65535  # white is zero: Pillow turns that round at 8 bits only
            return _with_transparency(deep, image), 16
        return plain_levels(image, rawmode), 8

    def _low_bytes(self, channels: str, order: str) -> NDArray[np.uint8]:
        """Return the low bytes of 16-bit samples. Pillow keeps the high ones, so it is told the opposite byte order."""
        if order == "N":
            order = "L" if sys.byteorder == "little" else "B"
        image = self._open()
        _take_for(image, f"{channels};16{'L' if order == 'B' else 'B'}")
        image.load()
        return _array(image)


def _has_more_channels(image: TiffImageFile) -> bool:
    colours = {0: 1, 1: 1, 2: 3}.get(image.tag_v2.get(PHOTOMETRIC, -1))
    if colours is None:
        return False
    more, kinds = image.tag_v2.get(SAMPLES, 1) - colours, image.tag_v2.get(EXTRA, ())
    return more > 1 or (more == 1 and kinds[:1] not in ((1,), (2,)))


def _array(image: Image.Image) -> NDArray[Any]:
    """Return the pixels of a decoded picture. Pillow makes two copies at once, so a large picture comes in bands."""
    if image.width * image.height < _BAND_PIXELS:
        return np.asarray(image)
    rows = max(_BAND_PIXELS // image.width, 1)
    tops = range(0, image.height, rows)
    bands = (np.asarray(image.crop((0, top, image.width, min(top + rows, image.height)))) for top in tops)
    first = next(bands)
    array: NDArray[Any] = empty_array((image.height, *first.shape[1:]), first.dtype.type)
    array[:rows] = first
    for top, band in zip(tops[1:], bands, strict=True):
        array[top : top + rows] = band
    return array


_BAND_PIXELS = 1 << 22


def _take_for(image: ImageFile.ImageFile, rawmode: str) -> None:
    """Have the samples decoded in another raw mode."""
    image.tile = [
        tile._replace(args=(rawmode, *tile.args[1:]) if isinstance(tile.args, tuple) else rawmode)
        for tile in image.tile
    ]


_MOST_PIXELS_A_BYTE = {"PNG": 8 * 1100, "GIF": 2600, "JPEG": 2048, "MPO": 2048}
"""Deflate packs 1032:1 at best, and a pixel has at least one bit: what claims more is damaged.

A code of a GIF has 12 bits and stands for at most 3,838 pixels. Of a JPEG with less than a quarter of a bit for each
block, hardly anything is there.
"""
_MOST_WEBP_SIDE = 16383
_DEEP = re.compile(r"(RGB|RGBA|RGBX);16([BLN])")


def coding(image: ImageFile.ImageFile) -> tuple[str, str]:
    """Return the name of the decoder and its raw mode.

    Args:
        image: opened, and not decoded yet.
    """
    if not image.tile:
        return "", ""
    codec, _, _, args = image.tile[0]
    return codec, args if isinstance(args, str) else str(args[0]) if args else ""


def _size(file: BinaryIO) -> int:
    at = file.tell()  # where Pillow goes on reading
    size = file.seek(0, io.SEEK_END)
    file.seek(at)
    return size


def _lossy(hidden: str) -> PictureError:
    return PictureError(f"{hidden} would be read with a loss; convert it to 16-bit PNG first")


def _maxval(image: ImageFile.ImageFile) -> int:
    args: Any = image.tile[0].args
    return int(args[1])


def _pnm_levels(image: ImageFile.ImageFile, file: BinaryIO) -> tuple[Levels, int]:
    """Read a binary PGM or PPM whose white is not 255. Pillow reads these slowly, and colour with 8 bits."""
    maxval, channels = _maxval(image), 3 if image.mode == "RGB" else 1
    kind, depth = (np.dtype("u1"), 8) if maxval < 256 else (np.dtype(">u2"), 16)
    file.seek(image.tile[0].offset)
    count = image.width * image.height * channels
    levels: NDArray[Any] = np.frombuffer(file.read(count * kind.itemsize), kind, count)
    levels = np.rint(np.minimum(levels, maxval) * (2.0**depth - 1) / maxval)
    return integers(levels.reshape(image.height, image.width, channels), depth), depth


def plain_levels(image: ImageFile.ImageFile, rawmode: str) -> NDArray[np.uint8]:
    """Return (H, W, 1 to 4) of a decoded picture of 8 bits or less.

    Args:
        image: decoded.
        rawmode: how its samples were coded, by Pillow's name.
    """
    transparent = image.info.get("transparency")
    if isinstance(transparent, str):  # a text chunk of that name
        del image.info["transparency"]
    elif isinstance(transparent, int) and rawmode in ("L;2", "L;4"):
        # Pillow widens the pixels of a PNG of few bits, but not the level that is transparent.
        image.info["transparency"] = transparent * {"L;2": 85, "L;4": 17}[rawmode]
    mode = {"1": "L", "La": "LA", "RGBa": "RGBA", "RGBX": "RGB", "P": "RGB", "PA": "RGBA"}.get(image.mode, image.mode)
    if image.has_transparency_data and mode in ("L", "RGB"):
        mode += "A"
    levels = _array(image if image.mode == mode else image.convert(mode))
    return levels[..., None] if levels.ndim == 2 else levels


def _with_transparency(levels: NDArray[np.uint16], image: ImageFile.ImageFile) -> NDArray[np.uint16]:
    """Add alpha to a picture in which one level or colour is transparent (tRNS)."""
    transparent = image.info.get("transparency")
    if not isinstance(transparent, int | tuple):
        return levels
    opaque = (levels != np.array(transparent)).any(axis=2, keepdims=True)
    return np.concatenate([levels, opaque.astype(np.uint16) * np.uint16(65535)], axis=2)


def is_deep_avif(file: BinaryIO) -> bool:
    """Return whether some plane has more than 8 bits, which Pillow cuts (AV1 in ISOBMFF, section 2.3: high_bitdepth).

    Args:
        file: an AVIF.
    """
    file.seek(0)
    head = file.read(1 << 16)
    return any(head[m.end() + 2] & 0x40 for m in re.finditer(rb"av1C(?=\x81..)", head, re.DOTALL))
