"""What the pages of a TIFF say beside their pixels. Pillow reads the directories."""

import struct
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, BinaryIO, Final

from PIL import Image
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from ..errors import PictureError
from .metadata import (
    DPI_UNIT,
    ICC,
    IPTC,
    PHOTOSHOP,
    X_DPI,
    XMP,
    Y_DPI,
    exif_tags,
    photoshop_of,
    plausible_dpi,
    raw_bytes,
)
from .picture import Source
from .xmp import upright_xmp

MAGICS: Final = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
SUBFILE, BITS, PHOTOMETRIC, SAMPLES, PLANAR, EXTRA = 254, 258, 262, 277, 284, 338
_MOST_PAGES: Final = 100_000


class UnusualTiffError(PictureError):
    """Pillow does not read this kind of TIFF, or reads it with a loss."""


def directories(file: BinaryIO) -> Iterator[ImageFileDirectory_v2]:
    """Yield the directory of every page, in order.

    Args:
        file: a TIFF or BigTIFF.

    Raises:
        ValueError: the pages lead in a circle, or there are none.
    """
    file.seek(0)
    head = file.read(8)
    head += file.read(8) if head[2:3] == b"+" or head[3:4] == b"+" else b""
    seen: set[int] = set()
    at = ImageFileDirectory_v2(head).next
    while at:
        if at in seen or len(seen) > _MOST_PAGES:
            raise ValueError("its pages lead in a circle")
        seen.add(at)
        file.seek(at)
        ifd = ImageFileDirectory_v2(head)
        ifd.load(file)
        yield ifd
        at = ifd.next or 0
    if not seen:
        raise ValueError("it has no pages")


def is_page(ifd: Any) -> bool:  # noqa: ANN401 - Pillow's directory, which knows no types of values
    """Return whether a directory holds a page, and not a thumbnail (bit 0) or a mask (bit 2).

    Args:
        ifd: one of `directories`.
    """
    kind = ifd.get(SUBFILE, 0)
    return not (isinstance(kind, int) and kind & 0b101)


def source_of_directory(file: BinaryIO, ifd: ImageFileDirectory_v2) -> Source:
    """Return what a page says beside its pixels.

    Args:
        file: the TIFF.
        ifd: directory of the page.
    """
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
