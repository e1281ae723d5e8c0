"""Whether a file carries a C2PA manifest, and what that says of the digital source type.

Where manifests lie: C2PA Technical Specification 2.1, appendix A. The file is walked, nothing is decoded, every length
is held against the file's size, and signatures are not checked: whatever they signed, a changed picture is not it.
"""

import io
import re
import struct
from collections.abc import Callable, Iterator
from typing import BinaryIO, Final

_STORE: Final = bytes.fromhex("6332706100110010800000AA00389B71")
"""UUID of the description box of a manifest store."""
_UUID: Final = bytes.fromhex("D8FEC3D61B0E483C92975828877EC481")
_TIFF_TAG: Final = 52545
_MOST_BYTES: Final = 1 << 26
"""Of a manifest; what is longer is read so far."""
_MOST_PARTS: Final = 100_000
_TYPES: Final = re.compile(rb"cv\.iptc\.org/newscodes/digitalsourcetype/([A-Za-z]{3,60})")


def manifest(file: BinaryIO) -> bytes:
    """The bytes of a file's C2PA manifest store, or their beginning; b"" = there is none."""
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    head = file.read(12)
    if head.startswith(b"\xff\xd8"):
        found = _in_jpeg(file, size)
    elif head.startswith(b"\x89PNG"):
        found = _in_png(file, size)
    elif head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        found = _in_webp(file, size)
    elif head.startswith((b"II", b"MM")):
        found = _in_tiff(file, size)
    elif head[4:8] in (b"ftyp", b"JXL "):
        found = _in_boxes(file, size)
    else:
        found = b""
    file.seek(0)
    return found


def source_types(store: bytes) -> list[str]:
    """The digital source types that a manifest names, its ingredients' among them."""
    return [name.decode() for name in _TYPES.findall(store)]


def _bytes(file: BinaryIO, size: int, at: int, count: int) -> bytes:
    """Some bytes of a file of `size`, as far as there are any."""
    if not 0 <= at < size:
        return b""
    file.seek(at)
    return file.read(max(min(count, size - at, _MOST_BYTES), 0))


def _in_jpeg(file: BinaryIO, size: int) -> bytes:
    """APP11 segments: JP, the box's number, the packet's, then a box of JUMBF whose description has the UUID."""
    at, found = 2, []
    for _ in range(_MOST_PARTS):
        head = _bytes(file, size, at, 4)
        if len(head) < 4 or head[0] != 0xFF or head[1] == 0xDA:
            break
        if head[1] == 0xFF:  # a fill byte
            at += 1
            continue
        length = int.from_bytes(head[2:], "big")
        if head[1] == 0xEB and length > 10:
            data = _bytes(file, size, at + 4, length - 2)
            if data.startswith(b"JP"):
                found.append(data)
        at += 2 + max(length, 2)
    joined = b"".join(found)[:_MOST_BYTES]
    return joined if any(_STORE in data[:64] for data in found) else b""


def _heads(file: BinaryIO, size: int, at: int, step: Callable[[bytes], int]) -> Iterator[tuple[int, bytes]]:
    """Where chunks begin, and their first eight bytes. Args: step: from these, how far on the next one begins."""
    for _ in range(_MOST_PARTS):
        head = _bytes(file, size, at, 8)
        if len(head) < 8:
            return
        yield at, head
        at += step(head)


def _in_png(file: BinaryIO, size: int) -> bytes:
    def length(head: bytes) -> int:
        return int.from_bytes(head[:4], "big")

    for at, head in _heads(file, size, 8, lambda head: 12 + length(head)):
        if head[4:] == b"caBX":
            return _bytes(file, size, at + 8, length(head))
    return b""


def _in_webp(file: BinaryIO, size: int) -> bytes:
    def length(head: bytes) -> int:
        return int.from_bytes(head[4:], "little")

    for at, head in _heads(file, size, 12, lambda head: 8 + length(head) + length(head) % 2):
        if head[:4] == b"C2PA":
            return _bytes(file, size, at + 8, length(head))
    return b""


def _in_tiff(file: BinaryIO, size: int) -> bytes:
    """A tag of any page's directory (TIFF 6.0; BigTIFF with its longer numbers)."""
    file.seek(0)
    head = file.read(16)
    order = "<" if head.startswith(b"II") else ">"
    big = head[2:4] in (b"\x2b\0", b"\0\x2b")
    number, entry = (order + "Q", order + "HHQ8s") if big else (order + "I", order + "HHI4s")
    count = struct.Struct(order + ("Q" if big else "H"))
    step, pointer = struct.calcsize(entry), struct.calcsize(number)
    start = 8 if big else 4
    if len(head) < start + pointer:
        return b""
    (at,) = struct.unpack_from(number, head, start)
    for _ in range(4096):  # pages; a chain that runs in a circle ends here
        if not 8 <= at < size:
            break
        (entries,) = count.unpack(_bytes(file, size, at, count.size).ljust(count.size, b"\0"))
        block = _bytes(file, size, at + count.size, entries * step + pointer)
        for k in range(min(entries, len(block) // step)):
            tag, _, length, value = struct.unpack_from(entry, block, k * step)
            if tag == _TIFF_TAG:
                if length <= pointer:
                    return bytes(value[:length])
                (where,) = struct.unpack(number, value)
                return _bytes(file, size, where, length)
        if len(block) < entries * step + pointer:
            break
        (at,) = struct.unpack_from(number, block, entries * step)
    return b""


def _in_boxes(file: BinaryIO, size: int) -> bytes:
    """AVIF and HEIC: a uuid box; JPEG XL: a jumb box (ISO/IEC 14496-12, section 4.2)."""
    at = 0
    for _ in range(_MOST_PARTS):
        head = _bytes(file, size, at, 16)
        if len(head) < 8:
            break
        length, start = int.from_bytes(head[:4], "big"), 8
        if length == 1:
            length, start = int.from_bytes(head[8:], "big"), 16
        if length == 0:
            length = size - at
        if length < start:
            break
        data = _bytes(file, size, at + start, length - start) if head[4:8] in (b"uuid", b"jumb") else b""
        if data.startswith(_UUID) or _STORE in data[:64]:
            return data
        at += length
    return b""
