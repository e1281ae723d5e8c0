"""TIFF files of 8 and 16 bits and of floats. Pillow writes no 16-bit colour and no floats in colour."""

import zlib
from collections.abc import Iterable
from typing import Any, BinaryIO, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from .metadata import DPI_UNIT, ICC, IPTC, PHOTOSHOP, X_DPI, XMP, Y_DPI, exif_tags, iptc_record
from .picture import Source
from .white_level import MAX_SAMPLE

_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC = 256, 257, 258, 259, 262
_STRIP_OFFSETS, _CHANNELS, _STRIP_ROWS, _STRIP_SIZES, _PLANAR, _PREDICTOR = 273, 277, 278, 279, 284, 317
_EXTRA, _SAMPLE_FORMAT, _DESCRIPTION = 338, 339, 270
_DEFLATE: Final = 8
_MOST_BYTES: Final = 2**32 - 2**24


def write_tiff(stream: BinaryIO, pages: Iterable[tuple[NDArray[Any], Source]]) -> None:
    """Write a TIFF of 8 or 16 bits or of floats (TIFF 6.0), deflated; integers with horizontal differencing.

    Args:
        stream: empty, seekable.
        pages: samples (H, W, 1 to 4), the last of 2 or 4 alpha, and what is said beside them, with extra channels of
            the same size; taken one by one.

    Raises:
        ValueError: more than the 4 GB that a TIFF can hold.
    """
    stream.write(b"II*\0\0\0\0\0")
    pointer = 4
    for samples, source in pages:
        stream.seek(0, 2)
        at = stream.tell() + stream.tell() % 2
        stream.write(bytes(at - stream.tell()))
        ifd, strips = _page(samples, source)
        block = ifd.tobytes(at)
        if at + len(block) + sum(map(len, strips)) > _MOST_BYTES:
            raise ValueError("more than the 4 GB that a TIFF can hold")
        stream.write(block)
        stream.writelines(strips)
        stream.seek(pointer)
        stream.write(at.to_bytes(4, "little"))
        pointer = at + 2 + 12 * int.from_bytes(block[:2], "little")
    stream.seek(0, 2)


def _page(samples: NDArray[Any], source: Source) -> tuple[ImageFileDirectory_v2, list[bytes]]:
    samples, kinds = _with_extra(samples, source)
    height, width, channels = samples.shape
    floating = samples.dtype.kind == "f"
    rows = max(1, (1 << 20) // (width * channels * samples.itemsize))
    strips = [_strip(samples[top : top + rows]) for top in range(0, height, rows)]
    sizes = [len(strip) for strip in strips]
    ifd = described(source)
    ifd[_WIDTH], ifd[_HEIGHT], ifd[_CHANNELS], ifd[_STRIP_ROWS] = width, height, channels, rows
    ifd[_BITS], ifd[_COMPRESSION], ifd[_PREDICTOR] = (8 * samples.itemsize,) * channels, _DEFLATE, 1 if floating else 2
    ifd[_PHOTOMETRIC], ifd[_PLANAR] = 2 if channels - len(kinds) == 3 else 1, 1
    if source.white and samples.dtype == np.uint16:
        ifd[MAX_SAMPLE] = (source.white,) * channels
    if floating:
        ifd[_SAMPLE_FORMAT] = (3,) * channels
    if kinds:
        ifd[_EXTRA] = kinds
    # Counted from the end of the directory, which is where Pillow adds when it writes them.
    ifd[_STRIP_OFFSETS], ifd[_STRIP_SIZES] = tuple(int(n) for n in np.cumsum([0, *sizes[:-1]])), tuple(sizes)
    return ifd, strips


def _with_extra(samples: NDArray[Any], source: Source) -> tuple[NDArray[Any], tuple[int, ...]]:
    """Return all channels, and the kinds of those beside colour; 2 = alpha, not multiplied in."""
    colours = 1 if samples.shape[2] < 3 else 3
    if source.extra is None or source.extra.levels.shape[:2] != samples.shape[:2]:
        return samples, (2,) * (samples.shape[2] - colours)
    return source.extra.joined(samples, colours)


def _strip(samples: NDArray[Any]) -> bytes:
    little = samples.dtype.newbyteorder("<")
    if samples.dtype.kind == "f":
        return zlib.compress(samples.astype(little).tobytes())
    differences = samples.copy()
    differences[:, 1:] -= samples[:, :-1]
    return zlib.compress(differences.astype(little).tobytes())


def described(source: Source) -> ImageFileDirectory_v2:
    """Return a directory that says what a file is to say beside its pixels.

    Args:
        source: what is said.
    """
    ifd = ImageFileDirectory_v2()
    block = Image.Exif()
    block.load(source.exif)
    for tag, value in exif_tags(block).items():
        ifd[tag] = value
    if source.dpi:
        ifd[X_DPI], ifd[Y_DPI], ifd[DPI_UNIT] = *source.dpi, 2
    if source.xmp:
        ifd.tagtype[XMP] = 1
        ifd[XMP] = source.xmp
    if source.icc:
        ifd[ICC] = source.icc
    if source.photoshop:
        ifd.tagtype[PHOTOSHOP] = 1
        ifd[PHOTOSHOP] = source.photoshop
    if record := iptc_record(source.photoshop):
        ifd.tagtype[IPTC] = 7
        ifd[IPTC] = record
    if comment := dict(source.texts).get("Description", dict(source.texts).get("Comment")):
        ifd[_DESCRIPTION] = ifd.get(_DESCRIPTION, comment)
    return ifd
