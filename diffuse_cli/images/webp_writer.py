"""WebP files made of coded parts: animations, and pictures that are copied (RFC 9649, section 2.7)."""

import io
from collections.abc import Callable, Iterable, Iterator
from typing import Any, BinaryIO, Final

import numpy as np
from PIL import Image

from .animation_writer import Box, Shown, boxed, clock
from .containers import content, riff_chunks
from .picture import Source

_ANIMATED, _XMP, _EXIF, _ALPHA, _PROFILE = 0x02, 0x04, 0x08, 0x10, 0x20
_KEPT_AND_REPLACED: Final = 0x02
"""The frame replaces what is in its box, and stays."""
PIXELS: Final = (b"ALPH", b"VP8 ", b"VP8L")
_MOST_SIDE: Final = 16383
_MOST_TIME: Final = 2**24 - 1
_MOST_BYTES: Final = 2**32 - 2**16


def write_animated_webp(stream: BinaryIO, frames: Iterator[Shown], coding: Callable[[Source], dict[str, Any]]) -> None:
    """Write an animation, each frame where it differs from the one before.

    Args:
        stream: empty, seekable.
        frames: of one size, with the same channels.
        coding: returns how Pillow codes a frame.

    Raises:
        ValueError: a side of more than 16,383 pixels, or more than 4 GB.
    """
    ticks, source = clock(1), Source()
    for number, (shown, box) in enumerate(boxed(frames, even=True)):
        height, width, channels = shown.levels.shape
        if number == 0:
            if max(height, width) > _MOST_SIDE:
                raise ValueError(f"a WebP has at most {_MOST_SIDE} pixels a side")
            source = shown.source
            stream.write(b"RIFF\0\0\0\0WEBP")
            _write(stream, b"VP8X", _head(source, (width, height), has_alpha=channels in (2, 4)))
            if source.icc:
                _write(stream, b"ICCP", source.icc)
            _write(stream, b"ANIM", bytes(4) + min(shown.frame.plays, 65535).to_bytes(2, "little"))
        _write(stream, b"ANMF", _placed(box, ticks(shown.frame)) + _coded(box, shown, coding(source)))
        if stream.tell() > _MOST_BYTES:
            raise ValueError("more than the 4 GB that a WebP can hold")
    if source.exif:
        _write(stream, b"EXIF", source.exif)
    if source.xmp:
        _write(stream, b"XMP ", source.xmp)
    size = stream.tell() - 8
    stream.seek(4)
    stream.write(size.to_bytes(4, "little"))
    stream.seek(0, io.SEEK_END)


def webp_file(
    source: Source, size: tuple[int, int], pixels: Iterable[tuple[bytes, bytes]], *, has_alpha: bool
) -> bytes:
    """Return a still WebP file of coded pixels.

    Args:
        source: what the file says beside them.
        size: (width, height).
        pixels: name and content of the chunks that hold them.
        has_alpha: the picture has an alpha channel.
    """
    chunks = [(b"VP8X", _head(source, size, has_alpha=has_alpha, animated=False))]
    chunks += [(b"ICCP", source.icc)] if source.icc else []
    chunks += pixels
    chunks += [(b"EXIF", source.exif)] if source.exif else []
    chunks += [(b"XMP ", source.xmp)] if source.xmp else []
    body = b"WEBP" + b"".join(riff_chunk(name, data) for name, data in chunks)
    return b"RIFF" + len(body).to_bytes(4, "little") + body


def _write(stream: BinaryIO, name: bytes, data: bytes) -> None:
    stream.write(riff_chunk(name, data))


def riff_chunk(name: bytes, data: bytes) -> bytes:
    """Return a chunk of a RIFF file.

    Args:
        name: four letters.
        data: its content.
    """
    return name + len(data).to_bytes(4, "little") + data + bytes(len(data) % 2)


def _head(source: Source, size: tuple[int, int], *, has_alpha: bool, animated: bool = True) -> bytes:
    flags = (_ANIMATED if animated else 0) | (_ALPHA if has_alpha else 0) | (_PROFILE if source.icc else 0)
    flags |= (_EXIF if source.exif else 0) | (_XMP if source.xmp else 0)
    return bytes([flags, 0, 0, 0]) + b"".join((side - 1).to_bytes(3, "little") for side in size)


def _placed(box: Box, milliseconds: int) -> bytes:
    width, height = box.size
    values = (box.left // 2, box.top // 2, width - 1, height - 1, min(milliseconds, _MOST_TIME))
    return b"".join(value.to_bytes(3, "little") for value in values) + bytes([_KEPT_AND_REPLACED])


def _coded(box: Box, shown: Shown, options: dict[str, Any]) -> bytes:
    levels = box.of(shown.levels)
    file = io.BytesIO()
    if levels.shape[2] < 3:
        levels = np.concatenate([levels[..., :1].repeat(3, axis=2), levels[..., 1:]], axis=2)
    Image.fromarray(np.ascontiguousarray(levels)).save(file, "WEBP", **options)
    return b"".join(riff_chunk(part.name, content(file, part)) for part in riff_chunks(file) if part.name in PIXELS)
