"""Gaussian noise as a pure function of (seed, sample, step, channel, absolute pixel position).

Each aligned block of 64 x 64 pixels has its own counter range of Philox-4x64-10 (Salmon et al. 2011). So order, batch,
tile and crop do not change the noise of a pixel. NumPy guarantees the raw stream of a bit generator across versions,
but not its distributions (NEP 19). So the Gaussians are made here, by the transform of Box and Muller.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

BLOCK = 64
_CHANNELS = 3
_COUNT = BLOCK * BLOCK * _CHANNELS


def _block(seed: int, stream: int, row: int, column: int) -> NDArray[np.float32]:
    """Return (3, 64, 64) standard normals, rounded to 2^-10: log and cos of CPUs differ by less."""
    counter = np.array([0, stream, row, column], dtype=np.uint64)
    raw = np.random.Philox(key=seed, counter=counter).random_raw(_COUNT // 2)
    u1 = ((raw >> np.uint64(32)).astype(np.float64) + 0.5) * 2.0**-32
    angle = (raw & np.uint64(0xFFFFFFFF)).astype(np.float64) * (2 * np.pi * 2.0**-32)
    radius = np.sqrt(-2 * np.log(u1))
    z = np.concatenate([radius * np.cos(angle), radius * np.sin(angle)])
    return (np.round(z * 1024) / 1024).astype(np.float32).reshape(_CHANNELS, BLOCK, BLOCK)


def noise_field(
    size: tuple[int, int],
    *,
    seed: int,
    sample: int = 0,
    step: int = 0,
    gray: bool = False,
    origin: tuple[int, int] = (0, 0),
) -> NDArray[np.float32]:
    """Return standard normal noise for a window of an unbounded plane.

    Args:
        size: (rows, columns) of the window.
        seed: 0 <= seed < 2^64.
        sample: number of the sample, < 2^32.
        step: number of the draw for that sample, < 2^32.
        gray: one channel, repeated.
        origin: (row, column) of the window, >= 0.

    Returns:
        (3, *size) float32.
    """
    (top, left), (h, w) = origin, size
    field = np.empty((_CHANNELS, h, w), np.float32)
    stream = (step << 32) + sample
    for row, rows in _blocks(top, h):
        for column, columns in _blocks(left, w):
            block = _block(seed, stream, row, column)
            to = (slice(rows[0], rows[1]), slice(columns[0], columns[1]))
            at_row, at_column = rows[0] + top - row * BLOCK, columns[0] + left - column * BLOCK
            cut = block[:, at_row : at_row + rows[1] - rows[0], at_column : at_column + columns[1] - columns[0]]
            field[(slice(None), *to)] = cut[:1] if gray else cut
    return field


def _blocks(start: int, length: int) -> Sequence[tuple[int, tuple[int, int]]]:
    """Return the blocks that [start, start + length) touches, each with its range relative to start."""
    first, last = start // BLOCK, (start + length - 1) // BLOCK
    return [(k, (max(k * BLOCK - start, 0), min((k + 1) * BLOCK - start, length))) for k in range(first, last + 1)]
