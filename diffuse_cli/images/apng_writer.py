"""Animated PNGs (PNG specification, third edition, section 4.10), of 8 bits."""

import io
import zlib
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from itertools import takewhile
from typing import BinaryIO, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .animation_writer import Box, Shown, boxed
from .containers import content, png_chunks
from .picture import Frame, Source

_FINEST: Final = 1000
"""The largest denominator of a duration in seconds, unless more is needed to tell it from none."""
_MOST: Final = 65535

Ancillary = Callable[[Source], Sequence[tuple[bytes, bytes]]]
"""Returns name and data of the chunks that tell what is known beside the pixels."""


def write_apng(stream: BinaryIO, frames: Iterator[Shown], ancillary: Ancillary) -> None:
    """Write an animation, each frame where it differs from the one before.

    Args:
        stream: empty, seekable.
        frames: of one size, with the same channels.
        ancillary: makes the chunks between header and pixels.
    """
    sequence, count, plays, control = 0, 0, 0, 0
    for number, (shown, box) in enumerate(boxed(frames)):
        header, data = _coded(box.of(shown.levels))
        if number == 0:
            stream.write(b"\x89PNG\r\n\x1a\n")
            _write(stream, b"IHDR", header)
            control = stream.tell()
            _write(stream, b"acTL", bytes(8))
            for name, chunk in ancillary(shown.source):
                _write(stream, name, chunk)
        if not shown.frame.is_still:
            _write(stream, b"fcTL", sequence.to_bytes(4, "big") + _placed(box, shown.frame))
            sequence, count = sequence + 1, count + 1
        for part in data:
            if number == 0:
                _write(stream, b"IDAT", part)
            else:
                _write(stream, b"fdAT", sequence.to_bytes(4, "big") + part)
                sequence += 1
        plays = shown.frame.plays
    _write(stream, b"IEND", b"")
    stream.seek(control)
    _write(stream, b"acTL", count.to_bytes(4, "big") + plays.to_bytes(4, "big"))
    stream.seek(0, io.SEEK_END)


def _write(stream: BinaryIO, name: bytes, data: bytes) -> None:
    stream.write(len(data).to_bytes(4, "big") + name + data + zlib.crc32(name + data).to_bytes(4, "big"))


def _coded(levels: NDArray[np.uint8]) -> tuple[bytes, list[bytes]]:
    """Return a picture's header and its coded data."""
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(levels[..., 0] if levels.shape[2] == 1 else levels)).save(file, "PNG")
    parts = list(takewhile(lambda part: part.name != b"IEND", png_chunks(file)))
    return content(file, parts[0]), [content(file, part) for part in parts if part.name == b"IDAT"]


def _placed(box: Box, frame: Frame) -> bytes:
    """Return where and for how long a frame is shown, in the place of what was there (dispose 0, blend 0)."""
    seconds = Fraction(frame.duration / 1000).limit_denominator(_FINEST)
    if not seconds and frame.duration:
        seconds = Fraction(frame.duration / 1000).limit_denominator(_MOST)
    if seconds.numerator > _MOST:
        seconds = Fraction(min(round(seconds), _MOST))
    place = b"".join(value.to_bytes(4, "big") for value in (*box.size, box.left, box.top))
    return place + seconds.numerator.to_bytes(2, "big") + seconds.denominator.to_bytes(2, "big") + bytes(2)
