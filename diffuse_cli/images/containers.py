"""The parts of image files: PNG chunks, RIFF chunks, JPEG segments, and boxes of AVIF, HEIC and JPEG XL.

Nothing is decoded. No length in a file is trusted: parts end where the file ends, and so does the walk.
The directories of a TIFF are in `tiff`.
"""

import io
from collections.abc import Callable, Iterator
from typing import BinaryIO, Final, NamedTuple

_MOST_PARTS: Final = 100_000
_MOST_BYTES: Final = 1 << 26
GIF_XMP_HEAD: Final = b"!\xff\x0bXMP DataXMP"
GIF_XMP_TRAILER: Final = b"\x01" + bytes(range(255, -1, -1)) + b"\0"
"""What is around the XMP packet of a GIF. The trailer leads readers that do not know the packet to its end."""

_Layout = tuple[bytes, int, int, int]
"""Name, bytes of the head, bytes of the content, bytes between the content and the next part."""


class Part(NamedTuple):
    """A part of a file.

    Attributes:
        name: four letters; of a JPEG segment the second byte of its marker.
        at: offset of the content from the beginning of the file.
        size: bytes of the content that are there.
    """

    name: bytes
    at: int
    size: int


def content(file: BinaryIO, part: Part) -> bytes:
    """Return the content of a part, at most its first 64 MiB.

    Args:
        file: which the part is of.
        part: from one of the walkers below.
    """
    file.seek(part.at)
    return file.read(min(part.size, _MOST_BYTES))


def png_chunks(file: BinaryIO) -> Iterator[Part]:
    """Yield the chunks of a PNG (PNG specification, third edition, section 5.3)."""
    return _parts(file, 8, lambda head: (head[4:8], 8, int.from_bytes(head[:4], "big"), 4))


def riff_chunks(file: BinaryIO) -> Iterator[Part]:
    """Yield the chunks of a RIFF file, such as a WebP."""

    def layout(head: bytes) -> _Layout:
        size = int.from_bytes(head[4:8], "little")
        return head[:4], 8, size, size % 2

    return _parts(file, 12, layout)


def gif_xmp(file: BinaryIO) -> bytes:
    """Return the XMP packet of a GIF; b"" = none.

    The packet ends where a trailer of falling numbers begins (XMP specification, part 3, section 1.1.2).
    """
    file.seek(0)
    data = file.read()
    begin = data.find(GIF_XMP_HEAD)
    end = data.find(GIF_XMP_TRAILER[:8], begin)
    return data[begin + len(GIF_XMP_HEAD) : end] if 0 <= begin < end else b""


def gif_boxes(file: BinaryIO) -> Iterator[tuple[int, int, int, int]]:
    """Yield left, top, right and bottom of each frame of a GIF (GIF89a, section 20), as far as they can be followed."""
    file.seek(0)
    data = file.read()
    at = 13 + _palette_size(data[10:11])
    for _ in range(_MOST_PARTS):
        kind = data[at : at + 1]
        if kind == b"," and at + 10 <= len(data):
            left, top, width, height = (int.from_bytes(data[at + k : at + k + 2], "little") for k in (1, 3, 5, 7))
            yield left, top, left + width, top + height
            at += 11 + _palette_size(data[at + 9 : at + 10])
        elif kind == b"!":
            at += 2
        else:
            return
        while at < len(data) and data[at]:
            at += 1 + data[at]
        at += 1


def _palette_size(flags: bytes) -> int:
    """Return the bytes of the palette that a byte of flags announces."""
    return 3 << (flags[0] & 7) + 1 if flags and flags[0] & 0x80 else 0


def jpeg_segments(file: BinaryIO) -> Iterator[Part]:
    """Yield the segments of a JPEG before its first scan (ITU-T T.81, annex B)."""

    def layout(head: bytes) -> _Layout | None:
        if head[0] != 0xFF or head[1] == 0xDA:
            return None
        if head[1] == 0xFF:
            return b"\xff", 1, 0, 0  # a fill byte
        return head[1:2], 4, max(int.from_bytes(head[2:4], "big") - 2, 0), 0

    return _parts(file, 2, layout)


def boxes(file: BinaryIO) -> Iterator[Part]:
    """Yield the outermost boxes of an AVIF, HEIC or JPEG XL file (ISO/IEC 14496-12, section 4.2)."""

    def layout(head: bytes) -> _Layout | None:
        size, begin = int.from_bytes(head[:4], "big"), 8
        if size == 1:
            size, begin = int.from_bytes(head[8:16], "big"), 16
        if size == 0:
            return head[4:8], begin, 1 << 62, 0  # it ends with the file
        return None if size < begin else (head[4:8], begin, size - begin, 0)

    return _parts(file, 0, layout)


def _parts(file: BinaryIO, at: int, layout: Callable[[bytes], _Layout | None]) -> Iterator[Part]:
    """Yield parts from an offset on, until `layout` finds none in the next 16 bytes."""
    end = file.seek(0, io.SEEK_END)
    for _ in range(_MOST_PARTS):
        if at >= end:
            return
        file.seek(at)
        head = file.read(16)
        found = layout(head) if len(head) >= 4 else None
        if found is None:
            return
        name, begin, size, after = found
        yield Part(name, at + begin, max(min(size, end - at - begin), 0))
        at += begin + size + after
