"""The coded picture of a JPEG file, without its metadata. It is copied where nothing was changed."""

import io
import re
from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SOI, EOI, SOS, COMMENT, APP0, APP14, APP15 = 0xD8, 0xD9, 0xDA, 0xFE, 0xE0, 0xEE, 0xEF
NEXT_MARKER: Final = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")
"""Any marker but those that restart a scan."""
_ALONE: Final = frozenset({0x01, *range(0xD0, 0xD8)})
"""Markers without a length."""
_JFIF: Final = b"\xff\xe0\0\x10JFIF\0\x01\x01\0\0\x01\0\x01\0\0"
"""A segment that says nothing but that colours are YCbCr."""


class Segment(NamedTuple):
    """A segment of a JPEG file (ITU-T T.81, annex B). A scan's has its coded data, too.

    Attributes:
        marker: second byte of its marker.
        start: offset of the marker.
        end: offset behind the segment.
    """

    marker: int
    start: int
    end: int


def segments(data: bytes) -> Iterator[Segment]:
    """Yield the segments of a JPEG's first picture, up to its end marker, or as far as they can be followed.

    Args:
        data: the file.
    """
    at = 2
    while at + 2 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == EOI:
            yield Segment(EOI, at, at + 2)
            return
        if marker == 0xFF or marker in _ALONE:
            at += 1 if marker == 0xFF else 2
            continue
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        if end < at + 4 or end > len(data):
            return
        if marker == SOS:
            following = NEXT_MARKER.search(data, end)
            end = len(data) if following is None else following.start()
        yield Segment(marker, at, end)
        at = end


def coded_picture(data: bytes) -> bytes:
    """Return the first picture of a JPEG file without its metadata, a JPEG file itself.

    What says how colours are coded (JFIF, Adobe) stays. A missing end marker is added.

    Args:
        data: the file.

    Returns:
        b"" if there is no coded picture.
    """
    kept, scans = [data[:2]], 0
    for one in segments(data):
        part = data[one.start : one.end]
        if _is_jfif(part):
            kept.append(_JFIF)
        elif not _is_metadata(one.marker, part) and one.marker != EOI:
            kept.append(part)
        scans += one.marker == SOS
    return b"".join([*kept, b"\xff\xd9"]) if scans else b""


def with_metadata(coded: bytes, other: bytes) -> bytes:
    """Return a coded picture with the metadata of another JPEG.

    Args:
        coded: from `coded_picture`.
        other: a JPEG file.
    """
    own = [coded[one.start : one.end] for one in segments(coded)]
    found = [other[one.start : one.end] for one in segments(other) if one.marker == COMMENT or _is_app(one.marker)]
    stays_jfif = any(_is_jfif(part) for part in own)
    head = [part for part in found if _is_metadata(part[1], part) or (stays_jfif and _is_jfif(part))]
    return b"".join([coded[:2], *head, *(part for part in own if not _is_jfif(part))])


def decoded(jpeg: bytes) -> NDArray[np.uint8]:
    """Return the levels (H, W, 1 or 3) of a JPEG as they were coded, not turned for display.

    Args:
        jpeg: the file.
    """
    with Image.open(io.BytesIO(jpeg)) as image:
        levels = np.asarray(image)
    return levels[..., None] if levels.ndim == 2 else levels


def _is_app(marker: int) -> bool:
    return APP0 <= marker <= APP15


def _is_jfif(part: bytes) -> bool:
    return part[1] == APP0 and part[4:9] == b"JFIF\0" and len(part) >= len(_JFIF)


def _is_metadata(marker: int, part: bytes) -> bool:
    """Return whether a segment does not say how colours are coded, and is no part of the coded picture."""
    says_colours = _is_jfif(part) or (marker == APP14 and part[4:9] == b"Adobe")
    return marker == COMMENT or (_is_app(marker) and not says_colours)
