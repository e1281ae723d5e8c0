"""16-bit PNG files. Pillow writes 16 bits for gray alone."""

import struct
import zlib
from collections.abc import Iterable, Iterator
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL.PngImagePlugin import putchunk

Chunk = tuple[bytes, bytes]
"""A chunk's four-letter name and its data."""

_COLOUR_TYPE = {1: 0, 2: 4, 3: 2, 4: 6}
_AVERAGE = 3
_BLOCK_BYTES = 1 << 20


def write_png16(stream: BinaryIO, levels: NDArray[np.uint16], ancillary: Iterable[Chunk]) -> None:
    """Write a PNG of 16 bits per channel (PNG specification, third edition).

    Args:
        stream: written from its position on.
        levels: (H, W, C), C = 1 gray, 2 gray and alpha, 3 RGB, 4 RGB and alpha.
        ancillary: further chunks (profile, EXIF, ...), written before the pixels.

    Raises:
        OSError: the stream cannot be written.
    """
    height, width, channels = levels.shape
    stream.write(b"\x89PNG\r\n\x1a\n")
    putchunk(stream, b"IHDR", struct.pack(">IIBBBBB", width, height, 16, _COLOUR_TYPE[channels], 0, 0, 0))
    for name, data in ancillary:
        putchunk(stream, name, data)
    for data in _deflated(_filtered(levels)):
        putchunk(stream, b"IDAT", data)
    putchunk(stream, b"IEND", b"")


def _deflated(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the zlib stream in pieces of at least a megabyte, but for the last."""
    deflate, piece = zlib.compressobj(), b""
    for block in blocks:
        piece += deflate.compress(block)
        if len(piece) >= _BLOCK_BYTES:
            yield piece
            piece = b""
    yield piece + deflate.flush()


def _filtered(levels: NDArray[np.uint16]) -> Iterator[bytes]:
    """Yield the scanlines, each led by its filter type, in blocks of about a megabyte.

    All lines have the filter "average". On the low bytes of photographs, which are mostly noise, it packs as tightly as
    the best of all filters for each line, at a tenth of the time of Paeth.
    """
    height, width, channels = levels.shape
    step, line = 2 * channels, 2 * channels * width
    rows = max(1, _BLOCK_BYTES // line)
    above = np.zeros((1, line), np.uint8)
    for top in range(0, height, rows):
        raw = np.frombuffer(levels[top : top + rows].astype(">u2").tobytes(), np.uint8).reshape(-1, line)
        up = np.concatenate([above, raw[:-1]])
        left = np.zeros_like(raw)
        left[:, step:] = raw[:, :-step]
        out = np.empty((len(raw), line + 1), np.uint8)
        out[:, 0] = _AVERAGE
        # floor((left + up) / 2) without leaving eight bits: what both share, and half of what they do not.
        out[:, 1:] = raw - ((left & up) + ((left ^ up) >> 1))
        above = raw[-1:]
        yield out.tobytes()
