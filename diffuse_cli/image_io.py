"""Image files: a file becomes a Picture and a Picture a file, with nothing lost that nobody asked to lose."""

import errno
import io
import os
import re
import secrets
import sys
import threading
import warnings
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO, Final, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile, PngImagePlugin, UnidentifiedImageError
from PIL.JpegImagePlugin import JpegImageFile, get_sampling
from PIL.TiffImagePlugin import ImageFileDirectory_v2, TiffImageFile

from .errors import PictureError, UsageError
from .png16 import write_png16

Levels = NDArray[np.uint8] | NDArray[np.uint16]
"""Integers as a file holds them."""

MAX_PIXELS: Final = 500_000_000
TEMPORARY_SUFFIX: Final = ".diffuse-tmp"
"""Ends the name of a file that is being written: `.{process id}-{random}.diffuse-tmp`."""

_FORMAT = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".webp": "WEBP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".bmp": "BMP",
    ".ppm": "PPM",
    ".pgm": "PPM",
    ".avif": "AVIF",
}
_READABLE = ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "PPM", "AVIF", "GIF")
_HOLDS_16_BIT = ("PNG", "TIFF", "PPM")
_HOLDS_ALPHA = ("PNG", "WEBP", "TIFF", "AVIF")
_LOSSLESS = ("PNG", "TIFF", "BMP", "PPM")


@dataclass(frozen=True, kw_only=True, slots=True)
class JpegCoding:
    """How a JPEG was coded.

    Attributes:
        tables: quantisation tables, 64 numbers each in row order: luma, chroma, and a second chroma where it differs.
        subsampling: of the chroma: 0 = 4:4:4, 1 = 4:2:2, 2 = 4:2:0, -1 = another, or a gray picture.
        progressive: whether it was coded in several scans.
        orientation: how the decoded picture was turned to be displayed, as EXIF numbers it; 1 = not at all.
    """

    tables: tuple[tuple[int, ...], ...]
    subsampling: int
    progressive: bool
    orientation: int = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """What a file said beside its pixels.

    Attributes:
        format: Pillow's name of the format ("PNG", "JPEG", ...); "" = from no file.
        lossy: the coding had thrown something away (JPEG, AVIF, lossy WebP).
        icc: the colour profile, b"" = none.
        exif: a TIFF block without the "Exif" lead-in, orientation 1 (it is applied); b"" = none.
        xmp: the packet, b"" = none.
        dpi: horizontal and vertical dots per inch.
        jpeg: None unless it was a JPEG.
    """

    format: str = ""
    lossy: bool = False
    icc: bytes = b""
    exif: bytes = b""
    xmp: bytes = b""
    dpi: tuple[float, float] | None = None
    jpeg: JpegCoding | None = None


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Picture:
    """A picture and all that its file said about it.

    Attributes:
        pixels: (H, W, C) in [-1, 1], C = 3 colour or 1 gray, as displayed (orientation applied).
        alpha: (H, W), the file's integers of `depth` bits; None = opaque.
        depth: bits per channel, 8 or 16.
        source: what else the file said.
    Raises: ValueError: shapes or types that do not fit together.
    """

    pixels: NDArray[np.float32]
    alpha: Levels | None = None
    depth: int = 8
    source: Source = field(default_factory=Source)

    def __post_init__(self) -> None:
        """Check that pixels, alpha and depth fit together."""
        shape = self.pixels.shape
        if len(shape) != 3 or shape[2] not in (1, 3) or 0 in shape or self.pixels.dtype != np.float32:
            raise ValueError(f"pixels are {shape} {self.pixels.dtype}, not float32 (H, W, 1) or (H, W, 3)")
        if self.depth not in (8, 16):
            raise ValueError(f"depth is {self.depth}, not 8 or 16")
        if self.alpha is not None and (self.alpha.shape != shape[:2] or self.alpha.dtype.itemsize * 8 != self.depth):
            raise ValueError(f"alpha is {self.alpha.shape} {self.alpha.dtype}, the pixels {shape}, {self.depth} bit")

    @property
    def is_gray(self) -> bool:
        """Whether it has no colour: one channel, or three equal ones."""
        first = self.pixels[..., :1]
        return self.pixels.shape[2] == 1 or bool((self.pixels == first).all())


def to_unit(levels: Levels, depth: int) -> NDArray[np.float32]:
    """Levels 0 .. 2^depth - 1 of any shape, as numbers in [-1, 1]."""
    pixels = levels.astype(np.float32, order="C")
    pixels /= np.float32((2**depth - 1) / 2)
    pixels -= 1
    return pixels


def to_levels(pixels: NDArray[np.float32], depth: int) -> Levels:
    """Numbers in [-1, 1], of any shape, as the nearest of the levels 0 .. 2^depth - 1. The inverse of `to_unit`.

    Raises: PictureError: some are not finite.
    """
    if not (np.isfinite(pixels.min()) and np.isfinite(pixels.max())):
        raise PictureError("the result holds numbers that are not finite, so it is not written; report this as a bug")
    levels = pixels + np.float32(1)
    levels *= np.float32((2**depth - 1) / 2)
    np.rint(levels, out=levels)
    np.clip(levels, 0, 2**depth - 1, out=levels)
    return _integers(levels, depth)


def _integers(levels: NDArray[Any], depth: int) -> Levels:
    return levels.astype(np.uint8, order="C") if depth == 8 else levels.astype(np.uint16, order="C")


def _shown(path: Path) -> str:
    """A path on one line that any terminal can show: newlines and broken encodings are escaped."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in str(path))


def _reason(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__


# Reading -------------------------------------------------------------------------------------------------------------


def read_picture(path: Path, *, max_pixels: int = MAX_PIXELS) -> Picture:
    """Read an image file; what it is, is told by its content, not by its name.

    Args:
        path: PNG, JPEG, WebP, TIFF, BMP, PBM/PGM/PPM, AVIF or a still GIF.
        max_pixels: refuse, before decoding, what has more: a small file can hold a picture that fills the memory.
    Raises: PictureError: it is none of these, damaged, too large, animated, has several pages, or is of a kind (CMYK,
        floating point, ...) that would lose something; or the disk fails.
    """
    try:
        with _quiet_pillow(), path.open("rb") as file:
            return _Reader(path, file).picture(max_pixels)
    except OSError as error:
        raise PictureError(f"{_shown(path)}: {_disk_trouble(error)}") from error


_REMEDY = {
    errno.ENOENT: "there is no such file or folder (any more); check the name",
    errno.EISDIR: "this is a folder; name a file in it",
    errno.ENOTDIR: "a part of this path is a file, not a folder; check the name",
    errno.EACCES: "access is not permitted; change its permissions, or choose another place",
    errno.EPERM: "access is not permitted; change its permissions, or choose another place",
    errno.EROFS: "the disk is read-only; choose another place",
    errno.ENOSPC: "the disk is full; free some space, or choose another place",
    errno.EDQUOT: "the disk quota is used up; free some space, or choose another place",
    errno.ENAMETOOLONG: "the name is too long; choose a shorter one",
}


def _disk_trouble(error: OSError) -> str:
    return _REMEDY.get(error.errno or 0, f"{error.strerror or _reason(error)}; check the disk and try again")


_quiet_lock = threading.Lock()
_quiet_users = 0
_quiet_undo = ExitStack()


@contextmanager
def _quiet_pillow() -> Iterator[None]:
    """No warnings from Pillow, and no limit but max_pixels. These are process-wide, so threads share one switch."""
    global _quiet_users
    with _quiet_lock:
        if _quiet_users == 0:
            _quiet_undo.enter_context(warnings.catch_warnings())
            warnings.filterwarnings("ignore", module=r"PIL\.")
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


@dataclass(frozen=True, slots=True)
class _Reader:
    """One file on its way to being a Picture."""

    path: Path
    file: BinaryIO

    def picture(self, max_pixels: int) -> Picture:
        if not self.file.seekable():  # a pipe
            return _Reader(self.path, io.BytesIO(self.file.read())).picture(max_pixels)
        image = self._open()
        with self._decoding():
            self._check(image, max_pixels)
            levels, depth = self._levels(image)
            orientation = _orientation(image)
            source = _source(image, self.file)
        if image.mode == "P" and not source.icc and levels.shape[2] == 3 and _equal_channels(levels):
            levels = levels[..., :1]  # a gray palette; with a profile for colour it must stay colour
        levels = _upright(levels, orientation)
        colours = 1 if levels.shape[2] < 3 else 3
        alpha = _integers(levels[..., -1], depth) if levels.shape[2] > colours else None
        return Picture(pixels=to_unit(levels[..., :colours], depth), alpha=alpha, depth=depth, source=source)

    def _error(self, problem: str) -> PictureError:
        return PictureError(f"{_shown(self.path)}: {problem}")

    @contextmanager
    def _decoding(self) -> Iterator[None]:
        """Say in one line what a decoder says of a broken file; trouble with disk or memory is another thing."""
        try:
            yield
        except (PictureError, MemoryError):
            raise
        except UnidentifiedImageError as error:
            raise self._error(
                "not a picture that diffuse reads (PNG, JPEG, WebP, TIFF, BMP, PPM, AVIF), an unusual kind of one, or "
                "a damaged one; open it in an image editor and save it as PNG"
            ) from error
        except Exception as error:  # decoders meet broken files with a dozen different types
            if isinstance(error, OSError) and error.errno:
                raise
            raise self._error(f"damaged or cut short ({_reason(error)}); copy it from its source again") from error

    def _open(self) -> ImageFile.ImageFile:
        self.file.seek(0)
        if not self.file.read(1):
            raise self._error("the file is empty (0 bytes); copy it from its source again")
        self.file.seek(0)
        with self._decoding():
            image = Image.open(self.file, formats=_READABLE)
            assert isinstance(image, ImageFile.ImageFile)
            return image

    def _check(self, image: ImageFile.ImageFile, max_pixels: int) -> None:
        """Refuse what the header tells is not to be read."""
        width, height = image.size
        if width * height > max_pixels:
            raise self._error(
                f"{width}x{height} is more than {max_pixels / 1e6:g} million pixels, the limit; cut it into parts first"
            )
        # A phone's JPEG may carry a preview or a gain map as further pictures (MPO): the first is the picture.
        if image.format != "MPO" and getattr(image, "is_animated", False):
            several = "several pages" if image.format == "TIFF" else "an animation"
            raise self._error(f"{several}, of which diffuse would see only the first; save it as single pictures")
        if image.mode in ("CMYK", "LAB", "YCbCr", "HSV"):
            raise self._error(f"its colours are {image.mode}; convert it to RGB first")
        if image.mode == "F" or (image.mode == "I" and image.format != "PPM"):
            raise self._error("32-bit or signed samples cannot be read yet; convert it to 16-bit integers first")
        if hidden := self._hidden_depth(image):
            raise self._error(f"{hidden} would be read with a loss; convert it to 16-bit PNG first")

    def _hidden_depth(self, image: ImageFile.ImageFile) -> str:
        """What Pillow would cut to 8 bits, or misread, without a word; "" = nothing."""
        codec, rawmode = _coding(image)
        if isinstance(image, TiffImageFile):
            bits = max(image.tag_v2.get(_BITS, (1,)))
            if bits > 8 and not (image.mode.startswith("I;16") and bits == 16) and not _DEEP.fullmatch(rawmode):
                return f"{bits}-bit TIFF of this kind ({rawmode})"
            if bits > 8 and image.tag_v2.get(_PLANAR) == 2:
                return f"{bits}-bit TIFF in separate planes"
        if image.format == "PPM" and codec == "ppm_plain" and image.mode == "RGB" and _maxval(image) > 255:
            return "a 16-bit PPM written as text"
        if image.format == "AVIF" and _is_deep_avif(self.file):
            return "10- or 12-bit AVIF"
        return ""

    def _levels(self, image: ImageFile.ImageFile) -> tuple[Levels, int]:
        """Decode to integers (H, W, 1 to 4) and their depth; the last of 2 or 4 channels is alpha."""
        codec, rawmode = _coding(image)
        if codec == "ppm":
            return _pnm_levels(image, self.file)
        if rawmode == "LA;16B":  # Pillow has no such mode, but another whose pixels have as many bytes
            _take_for(image, "RGBA")
            image.load()
            return np.asarray(image).view(">u2").astype(np.uint16), 16
        image.load()
        if match := _DEEP.fullmatch(rawmode):
            deep = np.asarray(image).astype(np.uint16)
            deep <<= 8
            deep |= self._low_bytes(*match.groups())
            return _with_transparency(deep, image), 16
        if image.mode.startswith("I"):
            deep = np.asarray(image).astype(np.uint16)[..., None]
            if isinstance(image, TiffImageFile) and image.tag_v2.get(_PHOTOMETRIC) == 0:
                deep ^= 65535  # white is zero: Pillow turns that round at 8 bits only
            return _with_transparency(deep, image), 16
        return _plain_levels(image, rawmode), 8

    def _low_bytes(self, channels: str, order: str) -> NDArray[np.uint8]:
        """The low bytes of 16-bit samples: Pillow keeps the high ones, so it is told the opposite byte order."""
        if order == "N":
            order = "L" if sys.byteorder == "little" else "B"
        image = self._open()
        _take_for(image, f"{channels};16{'L' if order == 'B' else 'B'}")
        image.load()
        return np.asarray(image)


def _take_for(image: ImageFile.ImageFile, rawmode: str) -> None:
    """Have the samples decoded as something else than Pillow takes them for."""
    image.tile = [
        tile._replace(args=(rawmode, *tile.args[1:]) if isinstance(tile.args, tuple) else rawmode)
        for tile in image.tile
    ]


_BITS, _COMPRESSION, _PHOTOMETRIC, _PLANAR = 258, 259, 262, 284
_DEEP = re.compile(r"(RGB|RGBA|RGBX);16([BLN])")


def _coding(image: ImageFile.ImageFile) -> tuple[str, str]:
    """The decoder's name and what it takes the samples for."""
    if not image.tile:
        return "", ""
    codec, _, _, args = image.tile[0]
    return codec, args if isinstance(args, str) else str(args[0]) if args else ""


def _maxval(image: ImageFile.ImageFile) -> int:
    args: Any = image.tile[0].args
    return int(args[1])


def _pnm_levels(image: ImageFile.ImageFile, file: BinaryIO) -> tuple[Levels, int]:
    """A binary PGM or PPM whose white is not 255: Pillow decodes these slowly, and colour to 8 bits."""
    maxval, channels = _maxval(image), 3 if image.mode == "RGB" else 1
    kind, depth = (np.dtype("u1"), 8) if maxval < 256 else (np.dtype(">u2"), 16)
    file.seek(image.tile[0].offset)
    count = image.width * image.height * channels
    levels: NDArray[Any] = np.frombuffer(file.read(count * kind.itemsize), kind, count)
    levels = np.rint(np.minimum(levels, maxval) * (2.0**depth - 1) / maxval)
    return _integers(levels.reshape(image.height, image.width, channels), depth), depth


def _plain_levels(image: ImageFile.ImageFile, rawmode: str) -> NDArray[np.uint8]:
    """(H, W, 1 to 4) of a decoded picture of 8 bits or less."""
    transparent = image.info.get("transparency")
    if isinstance(transparent, str):  # a text chunk of that name
        del image.info["transparency"]
    elif isinstance(transparent, int) and rawmode in ("L;2", "L;4"):
        # Pillow widens the pixels of a PNG of few bits, but not the level that is transparent.
        image.info["transparency"] = transparent * {"L;2": 85, "L;4": 17}[rawmode]
    mode = {"1": "L", "La": "LA", "RGBa": "RGBA", "RGBX": "RGB", "P": "RGB", "PA": "RGBA"}.get(image.mode, image.mode)
    if image.has_transparency_data and mode in ("L", "RGB"):
        mode += "A"
    levels = np.asarray(image if image.mode == mode else image.convert(mode))
    return levels[..., None] if levels.ndim == 2 else levels


def _with_transparency(levels: NDArray[np.uint16], image: ImageFile.ImageFile) -> NDArray[np.uint16]:
    """Alpha for a picture in which one level or colour is transparent (tRNS)."""
    transparent = image.info.get("transparency")
    if not isinstance(transparent, int | tuple):
        return levels
    opaque = (levels != np.array(transparent)).any(axis=2, keepdims=True)
    return np.concatenate([levels, opaque.astype(np.uint16) * np.uint16(65535)], axis=2)


def _equal_channels(levels: Levels) -> bool:
    return bool((levels == levels[..., :1]).all())


def _orientation(image: ImageFile.ImageFile) -> int:
    """How a decoded picture is to be turned, 1 = not at all. Pillow has turned a TIFF when it decodes it."""
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # broken EXIF says nothing
        return 1


def _upright(levels: Levels, orientation: int) -> Levels:
    """Turn and mirror (H, W, C) as the EXIF orientation asks for."""
    if orientation in (5, 6, 7, 8):
        levels = levels.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        levels = levels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        levels = levels[::-1]
    return levels


def as_coded(pixels: NDArray[np.float32], coding: JpegCoding) -> NDArray[np.float32]:
    """A displayed picture (H, W, C) turned back to how the JPEG's blocks lie."""
    if coding.orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if coding.orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return pixels.swapaxes(0, 1) if coding.orientation in (5, 6, 7, 8) else pixels


# What else a file says -----------------------------------------------------------------------------------------------

_ORIENTATION, _X_DPI, _Y_DPI, _DPI_UNIT, _XMP, _ICC = 274, 282, 283, 296, 700, 34675
_EXIF_IFD, _GPS_IFD, _INTEROP_IFD = 34665, 34853, 40965
_LAYOUT_TAGS = frozenset(
    {*range(254, 260), *range(262, 267), 273, _ORIENTATION, *range(277, 285), *range(288, 294), _DPI_UNIT, 301}
    | {*range(317, 326), 330, *range(332, 348), *range(512, 522), *range(529, 533), 559, _XMP, 34377, _ICC}
)
"""TIFF tags that tell how the pixels lie in that very file, or that have a field of their own in Source."""


def _source(image: ImageFile.ImageFile, file: BinaryIO) -> Source:
    info = image.info
    name = "JPEG" if image.format == "MPO" else image.format or ""
    icc, xmp = info.get("icc_profile"), info.get("xmp", info.get("XML:com.adobe.xmp"))
    xmp = xmp.encode() if isinstance(xmp, str) else xmp
    return Source(
        format=name,
        lossy=name in ("JPEG", "AVIF") or (name == "WEBP" and _is_lossy_webp(file)),
        icc=icc if isinstance(icc, bytes) else b"",
        exif=_exif(image),
        xmp=re.sub(rb"(tiff:Orientation(?:\s*=\s*[\"']|>))[2-8]", rb"\g<1>1", xmp) if isinstance(xmp, bytes) else b"",
        # Pillow gives a TIFF that says nothing of it a resolution of 1.
        dpi=None if isinstance(image, TiffImageFile) and _X_DPI not in image.tag_v2 else _dpi(info.get("dpi")),
        jpeg=_jpeg_coding(image) if isinstance(image, JpegImageFile) else None,
    )


def _dpi(value: object) -> tuple[float, float] | None:
    """The resolution, unless it is nonsense; 65,535 is the most that a JPEG can say."""
    try:
        x, y = (float(v) for v in value)  # type: ignore[attr-defined]
        return (x, y) if 0 < x <= 65535 and 0 < y <= 65535 else None
    except (TypeError, ValueError, ZeroDivisionError):
        return None


def _jpeg_coding(image: JpegImageFile) -> JpegCoding:
    """The tables that the channels use, in their order; Pillow gives the last to the channels that are left over."""
    tables = [tuple(image.quantization[layer[3]]) for layer in image.layer]
    while len(tables) > 1 and tables[-1] == tables[-2]:
        tables.pop()
    return JpegCoding(
        tables=tuple(tables),
        subsampling=get_sampling(image),
        progressive=bool(image.info.get("progressive")),
        orientation=_orientation(image),
    )


def _is_lossy_webp(file: BinaryIO) -> bool:
    """Whether the pixels are coded as VP8 (and not VP8L): Pillow does not tell."""
    file.seek(12)
    for _ in range(64):  # profile, animation and alpha chunks may come first
        head = file.read(8)
        if head[:4] in (b"VP8 ", b"VP8L") or len(head) < 8:
            return head[:4] != b"VP8L"
        size = int.from_bytes(head[4:], "little")
        file.seek(size + size % 2, io.SEEK_CUR)
    return True


def _is_deep_avif(file: BinaryIO) -> bool:
    """Whether some plane has more than 8 bits (AV1 in ISOBMFF, section 2.3: the flag high_bitdepth)."""
    file.seek(0)
    head = file.read(1 << 16)
    return any(head[m.end() + 2] & 0x40 for m in re.finditer(rb"av1C(?=\x81..)", head, re.DOTALL))


def _exif(image: ImageFile.ImageFile) -> bytes:
    """The EXIF block, orientation 1; b"" if there is none or it is broken."""
    try:
        if isinstance(image, TiffImageFile):
            rebuilt = Image.Exif()
            rebuilt.update(_exif_tags(image.getexif()))
            return rebuilt.tobytes()[6:] if rebuilt else b""
        raw = image.info.get("exif", b"")
        if not raw and "Raw profile type exif" in image.info:  # ImageMagick's way before PNG had a chunk for it
            raw = bytes.fromhex("".join(image.info["Raw profile type exif"].split("\n")[3:]))
        raw = re.sub(rb"\A(?:Exif\0\0)+", b"", raw)
        if not raw:
            return b""
        parsed = Image.Exif()
        parsed.load(raw)
        parsed.tobytes()  # what cannot be written again would only fail later
        return _with_orientation_1(raw)
    except Exception:  # the parser meets broken blocks with many types
        return b""


def _with_orientation_1(exif: bytes) -> bytes:
    """Set the orientation in place: all else stays as it is, offsets inside the maker notes included.

    Raises: ValueError: the first directory is cut short.
    """
    order: Literal["little", "big"] = "little" if exif[:2] == b"II" else "big"
    block, first = bytearray(exif), int.from_bytes(exif[4:8], order) + 2
    end = first + 12 * int.from_bytes(exif[first - 2 : first], order)
    if end > len(exif):
        raise ValueError("the EXIF directory is cut short")
    for entry in range(first, end, 12):
        if int.from_bytes(exif[entry : entry + 2], order) == _ORIENTATION:
            block[entry + 2 : entry + 4] = (3).to_bytes(2, order)  # SHORT, whatever it was
            block[entry + 4 : entry + 8] = (1).to_bytes(4, order)
            block[entry + 8 : entry + 12] = (1).to_bytes(2, order) + bytes(2)
    return bytes(block)


def _exif_tags(exif: Image.Exif) -> dict[int, Any]:
    """The tags that describe the picture and not its file, sub-directories as dictionaries."""
    tags = {tag: value for tag, value in exif.items() if tag not in _LAYOUT_TAGS}
    for tag in (_EXIF_IFD, _GPS_IFD):
        if tag in tags:
            tags[tag] = dict(exif.get_ifd(tag))
    if _INTEROP_IFD in tags.get(_EXIF_IFD, {}):
        tags[_EXIF_IFD][_INTEROP_IFD] = dict(exif.get_ifd(_INTEROP_IFD))
    return {tag: value for tag, value in tags.items() if value != {}}


# Writing -------------------------------------------------------------------------------------------------------------


def check_writable_format(path: Path) -> str:
    """The format that a path's suffix stands for, by Pillow's name.

    Raises: UsageError: the suffix is unknown.
    """
    if kind := _FORMAT.get(path.suffix.lower()):
        return kind
    suffix = f"the suffix {path.suffix!a}" if path.suffix else "a name without a suffix"
    raise UsageError(f"{_shown(path)}: {suffix} is no picture format; use one of {' '.join(_FORMAT)}")


def is_lossless(path: Path, picture: Picture) -> bool:
    """Whether what is written to this path comes back bit for bit.

    Raises: UsageError: the suffix is unknown.
    """
    kind = check_writable_format(path)
    return kind in _LOSSLESS or (kind == "WEBP" and not _was_lossy_webp(picture.source))


def _was_lossy_webp(source: Source) -> bool:
    return source.format == "WEBP" and source.lossy


def write_picture(picture: Picture, path: Path) -> None:
    """Write a picture in the format of the path's suffix, whole or not at all.

    Depth, grayness, alpha, profile, EXIF, XMP and resolution are kept. A JPEG that was a JPEG keeps its tables, its
    subsampling and its scans, another has quality 95 and full chroma; a WebP is lossless unless it was a lossy one.
    An existing file is replaced, a symbolic link too (what it points to is left alone).

    Raises: UsageError: the suffix is unknown. PictureError: the format cannot hold the depth, the alpha or the colour,
        some pixels are not finite, or the disk fails. Nothing is left behind then.
    """
    check_fits(picture, path)
    kind = check_writable_format(path)
    try:
        levels = to_levels(picture.pixels, picture.depth)
    except PictureError as error:
        raise PictureError(f"{_shown(path)}: {error}") from error
    if picture.alpha is not None:
        levels = np.concatenate([levels, picture.alpha[..., None]], axis=2)
    try:
        with _quiet_pillow(), _replaced_whole(path) as stream:
            _encode(stream, levels, kind, picture.source)
    except OSError as error:
        if error.errno is None:  # the encoder's own words
            raise PictureError(f"{_shown(path)}: cannot be written ({_reason(error)}); try -o out.png") from error
        raise PictureError(f"{_shown(path)}: cannot be written: {_disk_trouble(error)}") from error
    except (ValueError, TypeError, KeyError, RuntimeError, ArithmeticError) as error:
        raise PictureError(f"{_shown(path)}: cannot be written as {kind} ({_reason(error)}); try -o out.png") from error


def write_bytes(data: bytes, path: Path) -> None:
    """Write a small file beside a picture, whole or not at all.

    Raises: PictureError: the disk fails. Nothing is left behind then.
    """
    try:
        with _replaced_whole(path) as stream:
            stream.write(data)
    except OSError as error:
        raise PictureError(f"{_shown(path)}: cannot be written: {_disk_trouble(error)}") from error


def check_fits(picture: Picture, path: Path) -> None:
    """Refuse to lose depth, alpha or colour; worth asking before the work is done.

    Raises: UsageError: the suffix is unknown. PictureError: the format cannot hold them.
    """
    kind, problem = check_writable_format(path), ""
    colour = picture.pixels.shape[2] == 3
    if picture.depth == 16 and kind not in _HOLDS_16_BIT:
        problem = f"{kind} cannot hold 16 bits per channel, but PNG, TIFF and PPM can; use -o out.png"
    elif picture.alpha is not None and kind not in _HOLDS_ALPHA:
        problem = f"{kind} cannot hold transparency; use -o out.png"
    elif picture.depth == 16 and picture.alpha is not None and not colour and kind == "TIFF":
        # It could be written, but Pillow could not read it back.
        problem = "16-bit gray TIFF with transparency is not supported; use -o out.png"
    elif colour and path.suffix.lower() == ".pgm":
        problem = "PGM cannot hold colour; use -o out.ppm"
    if problem:
        raise PictureError(f"{_shown(path)}: {problem}")


@contextmanager
def _replaced_whole(path: Path) -> Iterator[BinaryIO]:
    """A stream whose bytes become the file when all are on the disk; before that, nothing is seen of them."""
    temporary = path.parent / f".{os.getpid()}-{secrets.token_hex(8)}{TEMPORARY_SUFFIX}"
    try:
        with temporary.open("xb") as stream:  # opened plainly, so the umask gives it the rights of any new file
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
    with suppress(OSError):  # some systems have no such thing as opening a folder
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _encode(stream: BinaryIO, levels: Levels, kind: str, source: Source) -> None:
    """Write levels (H, W, 1 to 4)."""
    if kind == "TIFF":
        _write_tiff(stream, levels, source)
    elif levels.dtype == np.uint8:
        plain = levels[..., 0] if levels.shape[2] == 1 else levels
        if source.jpeg and source.jpeg.progressive:
            # libjpeg needs room for the whole file then; Pillow's guess is too small for fine tables.
            ImageFile.MAXBLOCK = max(ImageFile.MAXBLOCK, min(8 * plain.size, 2**31 - 1))
        Image.fromarray(plain).save(stream, kind, **_options(kind, source, levels.shape[2] < 3))
    elif kind == "PNG":
        chunks = PngImagePlugin.getchunks(Image.new("L", (1, 1)), **_options(kind, source, levels.shape[2] < 3))
        ancillary = [chunk[:2] for chunk in chunks if chunk[0] not in (b"IHDR", b"IDAT", b"IEND")]
        write_png16(stream, levels.astype(np.uint16), ancillary)
    else:
        height, width, channels = levels.shape
        stream.write(b"P%d\n%d %d\n65535\n" % (6 if channels == 3 else 5, width, height))
        stream.write(levels.astype(">u2").tobytes())


def _options(kind: str, source: Source, gray: bool) -> dict[str, Any]:
    """What Pillow is told beside the pixels."""
    options: dict[str, Any] = {}
    if icc := _fitting_profile(source.icc, gray):
        options["icc_profile"] = icc
    if source.exif:
        options["exif"] = b"Exif\0\0" + source.exif
    if kind in ("PNG", "JPEG", "BMP") and (source.dpi or kind == "BMP"):
        options["dpi"] = source.dpi or (0, 0)  # without it, Pillow says 96 in a BMP
    if source.xmp and kind == "PNG":  # where Pillow ignores xmp= without a word
        options["pnginfo"] = PngImagePlugin.PngInfo()
        options["pnginfo"].add_itxt("XML:com.adobe.xmp", source.xmp.decode("utf-8", "replace"))
    elif source.xmp:
        options["xmp"] = source.xmp
    if kind == "JPEG":
        options |= _jpeg_options(source.jpeg)
    elif kind == "WEBP" and not _was_lossy_webp(source):
        options |= {"lossless": True, "exact": True}  # exact: the colour under transparent pixels is kept
    elif kind == "WEBP":
        options |= {"quality": 95}
    elif kind == "AVIF":
        options |= {"quality": 95, "subsampling": "4:0:0" if gray else "4:4:4"}
    return options


SUBSAMPLINGS: Final = ("4:4:4", "4:2:2", "4:2:0")
"""Of a JPEG's chroma, in the order of Pillow's numbers."""


def jpeg_coding(quality: int, subsampling: str) -> JpegCoding:
    """How the IJG encoder codes at a quality (1..100), for a picture that is to be written so."""
    stream = io.BytesIO()
    Image.new("RGB", (16, 16)).save(stream, "JPEG", quality=quality)
    with Image.open(stream) as image:
        assert isinstance(image, JpegImageFile)
        return replace(_jpeg_coding(image), subsampling=SUBSAMPLINGS.index(subsampling))


def through_jpeg(levels: NDArray[np.uint8], quality: int, subsampling: str) -> NDArray[np.uint8]:
    """What a JPEG of this quality (1..100, the IJG encoder's) leaves of (H, W, 3) levels; no file is written."""
    stream = io.BytesIO()
    Image.fromarray(levels).save(stream, "JPEG", quality=quality, subsampling=subsampling)
    with Image.open(stream) as image:
        return np.array(image)


def _jpeg_options(coding: JpegCoding | None) -> dict[str, Any]:
    if coding is None:
        return {"quality": 95, "subsampling": "4:4:4"}
    return {
        "qtables": [list(table) for table in coding.tables],
        "subsampling": max(coding.subsampling, 0),  # 4:4:4 loses nothing of a kind that Pillow cannot write
        "progressive": coding.progressive,
    }


def _fitting_profile(icc: bytes, gray: bool) -> bytes:
    """The profile, unless it speaks of other channels than the file has."""
    return icc if icc[16:20] == (b"GRAY" if gray else b"RGB ") else b""


def _write_tiff(stream: BinaryIO, levels: Levels, source: Source) -> None:
    """A TIFF of 8 or 16 bits (TIFF 6.0), deflated with horizontal differencing. Pillow writes no colour at 16 bits."""
    height, width, channels = levels.shape
    rows = max(1, (1 << 20) // (width * channels * levels.itemsize))
    strips = [_tiff_strip(levels[top : top + rows]) for top in range(0, height, rows)]
    sizes = [len(strip) for strip in strips]
    if sum(sizes) > 2**32 - 2**24:
        raise ValueError("more than the 4 GB that a TIFF can hold")
    ifd = _tiff_tags(source, channels < 3)
    ifd[256], ifd[257], ifd[277], ifd[278] = width, height, channels, rows
    ifd[_BITS], ifd[_COMPRESSION], ifd[317] = (8 * levels.itemsize,) * channels, 8, 2
    ifd[_PHOTOMETRIC], ifd[_PLANAR] = 2 if channels > 2 else 1, 1
    if channels in (2, 4):
        ifd[338] = 2  # the extra channel is alpha, not multiplied in
    # Counted from the end of the directory, which is where Pillow adds when it writes them.
    ifd[273], ifd[279] = tuple(int(n) for n in np.cumsum([0, *sizes[:-1]])), tuple(sizes)
    ifd.save(stream)
    stream.writelines(strips)


def _tiff_strip(levels: Levels) -> bytes:
    differences = levels.copy()
    differences[:, 1:] -= levels[:, :-1]
    return zlib.compress(differences.astype(differences.dtype.newbyteorder("<")).tobytes())


def _tiff_tags(source: Source, gray: bool) -> ImageFileDirectory_v2:
    ifd = ImageFileDirectory_v2()
    exif = Image.Exif()
    exif.load(source.exif)
    for tag, value in _exif_tags(exif).items():
        ifd[tag] = value
    if source.dpi:
        ifd[_X_DPI], ifd[_Y_DPI], ifd[_DPI_UNIT] = *source.dpi, 2
    if source.xmp:
        ifd[_XMP] = source.xmp
    if icc := _fitting_profile(source.icc, gray):
        ifd[_ICC] = icc
    return ifd
