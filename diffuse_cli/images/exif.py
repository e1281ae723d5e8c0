"""EXIF blocks, edited in place. What is not edited keeps its offset, so maker notes stay readable.

A block is a TIFF structure without the "Exif" lead-in (CIPA DC-008, section 4.5; TIFF 6.0, section 2).
"""

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, Literal

from PIL import Image

ORIENTATION: Final = 274
EXIF_IFD, GPS_IFD, INTEROP_IFD = 34665, 34853, 40965
MAKER_NOTE = 37500
PRIVATE_TAGS: Final = frozenset(
    {
        MAKER_NOTE,
        GPS_IFD,
        42016,  # ImageUniqueID
        42032,  # CameraOwnerName
        42033,  # BodySerialNumber
        42037,  # LensSerialNumber
        50735,  # CameraSerialNumber (DNG)
        50740,  # DNGPrivateData: maker notes
        50827,  # OriginalRawFileName
        50828,  # OriginalRawFileData
        50781,  # RawDataUniqueID
        33550,
        33922,
        34264,
        34735,
        34736,
        34737,  # GeoTIFF: where the picture lies on the Earth
        50341,  # PrintImageMatching, which some makers fill with settings of their own
        59932,  # Padding, where removed tags linger
    }
)
"""What tells whose camera it was, which one, and where; and what cannot be read without its maker."""

_SIZE = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
_WIDTHS, _HEIGHTS = frozenset({256, 40962}), frozenset({257, 40963})
_THUMBNAIL_AT, _THUMBNAIL_SIZE, _SUB_IFDS = 513, 514, 330


@dataclass(slots=True)
class _Block:
    """The bytes of a block, and their byte order."""

    data: bytearray
    order: Literal["little", "big"]

    def number(self, at: int, size: int) -> int:
        if not 0 <= at <= len(self.data) - size:
            raise ValueError("the EXIF block is cut short")
        return int.from_bytes(self.data[at : at + size], self.order)

    def put(self, at: int, size: int, value: int) -> None:
        self.data[at : at + size] = value.to_bytes(size, self.order)


@dataclass(frozen=True, slots=True)
class _Entry:
    """One tag of a directory: the offset of its 12 bytes, and that of its value."""

    at: int
    tag: int
    kind: int
    count: int
    value_at: int
    size: int


def _block(exif: bytes) -> _Block:
    if exif[:4] not in (b"II*\0", b"MM\0*"):
        raise ValueError("no EXIF block")
    return _Block(bytearray(exif), "little" if exif[:2] == b"II" else "big")


def _entries(block: _Block, at: int) -> list[_Entry]:
    """Return the tags of the directory at an offset."""
    found = []
    for entry in range(at + 2, at + 2 + 12 * block.number(at, 2), 12):
        tag, kind, count = block.number(entry, 2), block.number(entry + 2, 2), block.number(entry + 4, 4)
        size = _SIZE.get(kind, 0) * count
        value_at = entry + 8 if size <= 4 else block.number(entry + 8, 4)
        block.number(entry + 8, 4)  # the directory is whole
        size = max(min(size, len(block.data) - value_at), 0)  # what a block that is cut short has of the value
        found.append(_Entry(entry, tag, kind, count, value_at, size))
    return found


def _next(block: _Block, at: int) -> int:
    """Return the offset of the pointer to the directory after this one."""
    return at + 2 + 12 * block.number(at, 2)


def _first(block: _Block) -> int:
    return block.number(4, 4)


def _directories(block: _Block) -> Iterator[int]:
    """Yield the offsets of the main directory and of those below it that hold EXIF tags."""
    first = _first(block)
    yield first
    for entry in _entries(block, first):
        if entry.tag == EXIF_IFD:
            yield block.number(entry.value_at, 4)


def edited(exif: bytes, edit: Callable[[_Block], None]) -> bytes:
    """Return a block after an edit; b"" if it is broken.

    Args:
        exif: the block; b"" = none.
        edit: changes the block in place.
    """
    if not exif:
        return b""
    try:
        block = _block(exif)
        edit(block)
    except (ValueError, OverflowError, RecursionError):
        return b""
    return bytes(block.data)


def upright(exif: bytes) -> bytes:
    """Return the block with orientation 1, if it names one.

    Args:
        exif: the block.

    Raises:
        ValueError: the first directory is cut short.
    """
    block = _block(exif)
    _turn(block, 1)
    return bytes(block.data)


def turned(exif: bytes, orientation: int) -> bytes:
    """Return the block with an orientation. A block that names none gets one.

    Args:
        exif: the block; b"" = none.
        orientation: 1..8.
    """
    block = _block(exif) if exif else None
    if block is not None and _turn(block, orientation):
        return bytes(block.data)
    alone = Image.Exif()
    alone.load(exif)
    alone[ORIENTATION] = orientation
    return alone.tobytes()[6:]


def _turn(block: _Block, orientation: int) -> bool:
    """Set the orientation. Return whether the block names one."""
    found = [entry for entry in _entries(block, _first(block)) if entry.tag == ORIENTATION]
    for entry in found:
        block.put(entry.at + 2, 2, 3)  # SHORT, whatever it was
        block.put(entry.at + 4, 4, 1)
        block.data[entry.at + 8 : entry.at + 12] = orientation.to_bytes(2, block.order) + bytes(2)
    return bool(found)


def without_private_tags(exif: bytes) -> bytes:
    """Return the block without place, serial numbers, owner, maker notes and thumbnail. Their bytes are blanked.

    Args:
        exif: the block.
    """

    def edit(block: _Block) -> None:
        for at in list(_directories(block)):
            _remove(block, at, PRIVATE_TAGS)
        _remove(block, _first(block), frozenset({_SUB_IFDS}))
        _unlink_thumbnail(block)

    return edited(exif, edit)


def _remove(block: _Block, at: int, tags: frozenset[int]) -> None:
    """Remove tags from a directory, and blank what they held."""
    kept = bytearray()
    entries = _entries(block, at)
    for entry in entries:
        if entry.tag in tags:
            _blank(block, entry)
        else:
            kept += block.data[entry.at : entry.at + 12]
    end = _next(block, at)
    chain = block.data[end : end + 4]
    block.put(at, 2, len(kept) // 12)
    block.data[at + 2 : end + len(chain)] = kept + chain + bytes(end - at - 2 - len(kept))


def _blank(block: _Block, entry: _Entry) -> None:
    if entry.tag == GPS_IFD:
        below = block.number(entry.value_at, 4)
        for inner in _entries(block, below):
            block.data[inner.value_at : inner.value_at + inner.size] = bytes(inner.size)
        length = _next(block, below) - below
        block.data[below : below + length] = bytes(length)
    block.data[entry.value_at : entry.value_at + entry.size] = bytes(entry.size)


def of_result(exif: bytes, size: tuple[int, int], thumbnail: Image.Image | None) -> bytes:
    """Return the block with the size and the thumbnail of a result.

    The new thumbnail takes the place of the old one, in the best quality that fits. If none fits, there is no
    thumbnail.

    Args:
        exif: the input's block.
        size: (width, height) of the result.
        thumbnail: of the result; None = remove the old one.
    """

    def edit(block: _Block) -> None:
        for at in list(_directories(block)):
            for entry in _entries(block, at):
                if entry.tag in _WIDTHS | _HEIGHTS and entry.kind in (3, 4) and entry.count == 1:
                    block.put(entry.at + 2, 2, 4)
                    block.put(entry.at + 8, 4, size[0] if entry.tag in _WIDTHS else size[1])
        _renew_thumbnail(block, thumbnail)

    return edited(exif, edit)


def has_thumbnail(exif: bytes) -> bool:
    """Return whether the block has a thumbnail.

    Args:
        exif: the block.
    """
    try:
        block = _block(exif)
        return block.number(_next(block, _first(block)), 4) != 0
    except ValueError:
        return False


def _renew_thumbnail(block: _Block, thumbnail: Image.Image | None) -> None:
    pointer = _next(block, _first(block))
    at = block.number(pointer, 4) if pointer + 4 <= len(block.data) else 0
    if not at:
        return
    entries = {entry.tag: entry for entry in _entries(block, at)}
    if thumbnail is None or not {_THUMBNAIL_AT, _THUMBNAIL_SIZE} <= entries.keys():
        _unlink_thumbnail(block)
        return
    start = block.number(entries[_THUMBNAIL_AT].value_at, 4)
    room = block.number(entries[_THUMBNAIL_SIZE].value_at, 4)
    if start < 8 or start + room > len(block.data):
        _unlink_thumbnail(block)
        return
    for quality in (85, 70, 50, 30):
        stream = io.BytesIO()
        thumbnail.save(stream, "JPEG", quality=quality)
        if stream.tell() <= room:
            block.data[start : start + room] = stream.getvalue().ljust(room, b"\0")
            block.put(entries[_THUMBNAIL_SIZE].value_at, 4, stream.tell())
            if ORIENTATION in entries:
                block.put(entries[ORIENTATION].value_at, 2, 1)
            return
    _unlink_thumbnail(block)


def _unlink_thumbnail(block: _Block) -> None:
    """End the chain of directories after the first one, and blank what follows."""
    pointer = _next(block, _first(block))
    if pointer + 4 > len(block.data):
        return
    at = block.number(pointer, 4)
    block.put(pointer, 4, 0)
    if not at:
        return
    entries = {entry.tag: entry for entry in _entries(block, at)}
    if {_THUMBNAIL_AT, _THUMBNAIL_SIZE} <= entries.keys():
        start = block.number(entries[_THUMBNAIL_AT].value_at, 4)
        room = block.number(entries[_THUMBNAIL_SIZE].value_at, 4)
        if start >= 8 and start + room <= len(block.data):
            block.data[start : start + room] = bytes(room)
    _remove(block, at, frozenset(entries))
