"""TIFF files beyond Pillow: 16-bit colour and floating point, written, and read where they are plainly stored."""

import struct
import zlib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any, BinaryIO, Final, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from ..errors import PictureError
from . import exif
from .metadata import (
    DPI_UNIT,
    ICC,
    IPTC,
    PHOTOSHOP,
    X_DPI,
    XMP,
    Y_DPI,
    exif_tags,
    iptc_record,
    photoshop_of,
    plausible_dpi,
    raw_bytes,
)
from .picture import Source, check_size, upright
from .xmp import upright_xmp

MAGICS: Final = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
SUBFILE, WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC = 254, 256, 257, 258, 259, 262
STRIP_OFFSETS, CHANNELS, STRIP_ROWS, STRIP_SIZES, PLANAR, PREDICTOR = 273, 277, 278, 279, 284, 317
TILE_WIDTH, EXTRA, SAMPLE_FORMAT = 322, 338, 339
_DEFLATE, _OLD_DEFLATE = 8, 32946
_MOST_BYTES = 2**32 - 2**24


class UnusualTiffError(PictureError):
    """A TIFF that is stored in another way than `read_plain` knows."""


# Reading -------------------------------------------------------------------------------------------------------------


def directories(file: BinaryIO) -> list[ImageFileDirectory_v2]:
    """The directory of every page, in order.

    Raises: ValueError: they lead in a circle, or there are none.
    """
    file.seek(0)
    head = file.read(8)
    head += file.read(8) if head[2:3] == b"+" or head[3:4] == b"+" else b""
    found: list[ImageFileDirectory_v2] = []
    seen: set[int] = set()
    at = ImageFileDirectory_v2(head).next
    while at:
        if at in seen or len(seen) > 100_000:
            raise ValueError("its pages lead in a circle")
        seen.add(at)
        file.seek(at)
        ifd = ImageFileDirectory_v2(head)
        ifd.load(file)
        found.append(ifd)
        at = ifd.next or 0
    if not found:
        raise ValueError("it has no pages")
    return found


def is_page(ifd: Any) -> bool:  # noqa: ANN401 - Pillow's directory, which knows no types of values
    """Whether a directory holds a page: not a thumbnail (bit 0) or a mask (bit 2)."""
    kind = ifd.get(SUBFILE, 0)
    return not (isinstance(kind, int) and kind & 0b101)


def read_plain(file: BinaryIO, ifd: ImageFileDirectory_v2, max_pixels: int) -> NDArray[Any]:
    """The samples (H, W, 1 to 4) of a page in strips, as displayed: uint8, uint16 or floats, alpha not multiplied in.

    Raises: UnusualTiffError: tiles, planes, other codings or colours. PictureError: more than `max_pixels`.
        ValueError: damaged.
    """
    width, height, channels = int(ifd[WIDTH]), int(ifd[HEIGHT]), int(ifd.get(CHANNELS, 1))
    check_size(width, height, max_pixels)
    kind = _sample_kind(ifd, channels)
    order: Literal["<", ">"] = "<" if ifd.prefix == b"II" else ">"
    rows = _strips(file, ifd, width * channels * kind.itemsize, height)
    # Differences are of single samples (TIFF 6.0, section 14), so they add up in the samples' own type, modulo.
    array = np.frombuffer(bytearray().join(rows), kind.newbyteorder(order)).astype(kind)
    array = array.reshape(height, width, channels)
    if ifd.get(PREDICTOR, 1) == 2:
        array = np.cumsum(array, axis=1, dtype=kind)
    if ifd.get(PHOTOMETRIC) == 0:
        array = (1 - array) if kind.kind == "f" else np.invert(array)
    array = _with_alpha(array, ifd)
    return upright(array, int(ifd.get(exif.ORIENTATION, 1)))


def _sample_kind(ifd: ImageFileDirectory_v2, channels: int) -> np.dtype[Any]:
    """The type of the samples, if it and how they are stored is plain."""
    bits, formats = set(ifd.get(BITS, (1,))), set(ifd.get(SAMPLE_FORMAT, (1,)))
    plain = {
        "tiles": TILE_WIDTH in ifd,
        "separate planes": ifd.get(PLANAR, 1) != 1 and channels > 1,
        "another compression": ifd.get(COMPRESSION, 1) not in (1, _DEFLATE, _OLD_DEFLATE),
        "a predictor": ifd.get(PREDICTOR, 1) not in ((1, 2) if formats == {1} else (1,)),
        "other colours": ifd.get(PHOTOMETRIC) not in (0, 1, 2) or channels > 4,
        "a fill order": ifd.get(266, 1) != 1,
    }
    if problems := [what for what, here in plain.items() if here]:
        raise UnusualTiffError(f"a TIFF with {', '.join(problems)}")
    known = {(1, 8): "u1", (1, 16): "u2", (3, 16): "f2", (3, 32): "f4", (3, 64): "f8"}
    if len(bits) != 1 or len(formats) != 1 or (key := (min(formats), min(bits))) not in known:
        raise UnusualTiffError(f"a TIFF of {'/'.join(map(str, sorted(bits)))}-bit samples of this kind")
    return np.dtype(known[key])


def _strips(file: BinaryIO, ifd: ImageFileDirectory_v2, line: int, height: int) -> Iterator[bytes]:
    rows = min(int(ifd.get(STRIP_ROWS, height)), height)
    offsets, sizes = ifd[STRIP_OFFSETS], ifd[STRIP_SIZES]
    for strip, top in enumerate(range(0, height, rows)):
        wanted = min(rows, height - top) * line
        file.seek(offsets[strip])
        data = file.read(sizes[strip])
        if ifd.get(COMPRESSION, 1) != 1:
            data = zlib.decompressobj().decompress(data, wanted)
        if len(data) < wanted:
            raise ValueError("a strip is cut short")
        yield data[:wanted]


def _with_alpha(array: NDArray[Any], ifd: ImageFileDirectory_v2) -> NDArray[Any]:
    """Colours and alpha, which is not multiplied in; a channel that is no alpha is left out."""
    colours, extra = (3 if ifd.get(PHOTOMETRIC) == 2 else 1), ifd.get(EXTRA, ())
    if array.shape[2] < colours:
        raise ValueError("fewer channels than colours")
    kind = extra[0] if extra and array.shape[2] > colours else 0
    if kind not in (1, 2):
        return array[..., :colours]
    array = array[..., : colours + 1]
    return array if kind == 2 else divided_by_alpha(array)


def divided_by_alpha(array: NDArray[Any]) -> NDArray[Any]:
    """Colours (H, W, 2 or 4) that alpha had been multiplied into, as they were, as far as alpha lets them be seen."""
    full = 1.0 if array.dtype.kind == "f" else float(np.iinfo(array.dtype).max)
    alpha = array[..., -1:].astype(np.float64)
    colours = np.divide(array[..., :-1] * full, alpha, out=np.zeros(array[..., :-1].shape), where=alpha > 0)
    if array.dtype.kind != "f":
        colours = np.minimum(np.rint(colours), full)
    return np.concatenate([colours.astype(array.dtype), array[..., -1:]], axis=2)


def source_of_directory(file: BinaryIO, ifd: ImageFileDirectory_v2) -> Source:
    """What a page says beside its pixels."""
    block = Image.Exif()
    rebuilt = Image.Exif()
    with suppress(Exception):  # broken EXIF says nothing
        file.seek(0)
        block.load_from_fp(file)
        rebuilt.update(exif_tags(block))
        rebuilt.tobytes()
    icc, xmp, photoshop = ifd.get(ICC, b""), ifd.get(XMP, b""), b""
    with suppress(struct.error):
        photoshop = photoshop_of(raw_bytes(ifd, PHOTOSHOP), raw_bytes(ifd, IPTC))
    unit = 2.54 if ifd.get(DPI_UNIT) == 3 else 1
    dots = (ifd.get(X_DPI), ifd.get(Y_DPI))
    return Source(
        format="TIFF",
        icc=icc if isinstance(icc, bytes) else b"",
        exif=rebuilt.tobytes()[6:] if rebuilt else b"",
        xmp=upright_xmp(xmp) if isinstance(xmp, bytes) else b"",
        photoshop=photoshop,
        dpi=None if None in dots else plausible_dpi([float(d) * unit for d in dots if d is not None]),
    )


# Writing -------------------------------------------------------------------------------------------------------------


def write_tiff(stream: BinaryIO, pages: Iterable[tuple[NDArray[Any], Source]]) -> None:
    """A TIFF of 8 or 16 bits or of floats (TIFF 6.0), deflated; integers with horizontal differencing.

    Args:
        pages: samples (H, W, 1 to 4), the last of 2 or 4 alpha, and what is said beside them; taken one by one.
    Raises: ValueError: more than the 4 GB that a TIFF can hold.
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
    height, width, channels = samples.shape
    floating = samples.dtype.kind == "f"
    rows = max(1, (1 << 20) // (width * channels * samples.itemsize))
    strips = [_strip(samples[top : top + rows]) for top in range(0, height, rows)]
    sizes = [len(strip) for strip in strips]
    ifd = _tags(source)
    ifd[WIDTH], ifd[HEIGHT], ifd[CHANNELS], ifd[STRIP_ROWS] = width, height, channels, rows
    ifd[BITS], ifd[COMPRESSION], ifd[PREDICTOR] = (8 * samples.itemsize,) * channels, _DEFLATE, 1 if floating else 2
    ifd[PHOTOMETRIC], ifd[PLANAR] = 2 if channels > 2 else 1, 1
    if floating:
        ifd[SAMPLE_FORMAT] = (3,) * channels
    if channels in (2, 4):
        ifd[EXTRA] = 2  # the extra channel is alpha, not multiplied in
    # Counted from the end of the directory, which is where Pillow adds when it writes them.
    ifd[STRIP_OFFSETS], ifd[STRIP_SIZES] = tuple(int(n) for n in np.cumsum([0, *sizes[:-1]])), tuple(sizes)
    return ifd, strips


def _strip(samples: NDArray[Any]) -> bytes:
    little = samples.dtype.newbyteorder("<")
    if samples.dtype.kind == "f":
        return zlib.compress(samples.astype(little).tobytes())
    differences = samples.copy()
    differences[:, 1:] -= samples[:, :-1]
    return zlib.compress(differences.astype(little).tobytes())


def _tags(source: Source) -> ImageFileDirectory_v2:
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
        ifd[270] = ifd.get(270, comment)
    return ifd
