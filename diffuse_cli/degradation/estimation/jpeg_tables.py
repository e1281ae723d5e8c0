"""JPEG quantisation tables, and the quality behind them.

"Quality" is the scale of the Independent JPEG Group's encoder (libjpeg's `jpeg_set_quality`): 1..100, each with one
luma table. Tables of other encoders get the quality of the nearest table.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

# ITU-T T.81, table K.1: the luma table that IJG scales; its quality 50.
_LUMA_AT_50 = np.array(
    [
        [16, 11, 10, 16, 24, 40, 51, 61],
        [12, 12, 14, 19, 26, 58, 60, 55],
        [14, 13, 16, 24, 40, 57, 69, 56],
        [14, 17, 22, 29, 51, 87, 80, 62],
        [18, 22, 37, 56, 68, 109, 103, 77],
        [24, 35, 55, 64, 81, 104, 113, 92],
        [49, 64, 78, 87, 103, 121, 120, 101],
        [72, 92, 95, 98, 112, 100, 103, 99],
    ],
    dtype=np.int64,
)

# Table K.2, the chroma table that IJG scales, up to 3, 3; beyond, all steps are 99.
_CHROMA_AT_50 = np.full((8, 8), 99, dtype=np.int64)
_CHROMA_AT_50[:4, :4] = [[17, 18, 24, 47], [18, 21, 26, 66], [24, 26, 56, 99], [47, 66, 99, 99]]


def ijg_table(quality: int) -> NDArray[np.int64]:
    """Return the luma table of a quality.

    Args:
        quality: 1..100; values outside are clamped, as libjpeg does.

    Returns:
        (8, 8) steps 1..255 in natural row order, [vertical frequency, horizontal frequency].
    """
    return _scaled(_LUMA_AT_50, quality)


def ijg_chroma_table(quality: int) -> NDArray[np.int64]:
    """Return the chroma table of a quality, as `ijg_table` returns the luma table.

    Args:
        quality: 1..100.
    """
    return _scaled(_CHROMA_AT_50, quality)


def _scaled(table: NDArray[np.int64], quality: int) -> NDArray[np.int64]:
    quality = min(max(quality, 1), 100)
    percent = 5000 // quality if quality < 50 else 200 - 2 * quality
    return np.clip((table * percent + 50) // 100, 1, 255)


def quality_of(tables: Mapping[int, Sequence[int]]) -> float:
    """Return the quality of a JPEG file, from its luma table alone.

    A table of another encoder gets the quality of least squared distance in the logarithm of the steps, since a coarser
    or finer setting multiplies the steps.

    Args:
        tables: Pillow's `im.quantization`: number of the table -> 64 steps in natural row order; number 0 is luma.

    Returns:
        1..100, a whole number; a float, as the network's condition is.

    Raises:
        ValueError: there is no table, or it has not 64 entries.
    """
    if not tables:
        raise ValueError("a JPEG without a quantisation table has no quality")
    luma = np.asarray(tables[min(tables)], dtype=np.float64)
    if luma.size != 64:
        raise ValueError(f"a quantisation table has 64 steps, not {luma.size}")
    steps = np.log(np.maximum(luma.reshape(8, 8), 1))
    # An exact match has distance 0 and wins; no two IJG qualities share a luma table.
    distances = [float(np.sum((steps - np.log(ijg_table(q))) ** 2)) for q in range(1, 101)]
    return float(1 + int(np.argmin(distances)))
