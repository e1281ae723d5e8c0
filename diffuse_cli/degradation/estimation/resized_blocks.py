"""The blocks of a JPEG that was enlarged: their borders lie further apart than 8 pixels."""

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import median_filter

from .blocks import luma_weights

Floats = NDArray[np.float64]

_PERIODS: Final = (8.4, 34.0)
_EVIDENCE: Final = 15.0
"""Power of both of the first harmonics, in both directions; that of white noise is 1. Photographs reach 11."""
_LARGEST: Final = 1024
_SMALLEST: Final = 96
_STRONGEST: Final = 0.9
"""Share of the borders' differences that count in full; the picture's own edges count no more than these."""


def block_period(levels: NDArray[np.float32]) -> float | None:
    """Return the distance of the borders of enlarged blocks, in pixels. None: they do not show, or are not enlarged.

    Where blocks meet, neighbours differ more. So the mean second difference of each column has lines in its spectrum at
    the blocks' frequency and its multiples. Resampling alone has other lines, of which the first is never the period's.

    Args:
        levels: (H, W, C), 0..255, C = 3 or 1; of a large picture the middle is used.
    """
    if min(levels.shape[:2]) < _SMALLEST:
        return None
    h, w = (min(n, _LARGEST) for n in levels.shape[:2])
    top, left = (levels.shape[0] - h) // 2, (levels.shape[1] - w) // 2
    part = (levels[top : top + h, left : left + w] @ luma_weights(levels.shape[2])).astype(np.float64)
    frequencies = np.arange(1 / _PERIODS[1], 1 / _PERIODS[0], 1 / (6 * max(h, w)))
    power = np.minimum(_power(part, frequencies), _power(part.T, frequencies))
    best = int(np.argmax(power))
    return float(1 / frequencies[best]) if power[best] > _EVIDENCE else None


def _power(rows: Floats, frequencies: Floats) -> Floats:
    """Return the lesser power of the first two harmonics of the borders' differences along rows (H, W)."""
    bends = np.abs(np.diff(rows, n=2, axis=1))
    sizes = np.minimum(bends, np.quantile(bends, _STRONGEST)).mean(0)
    sizes -= median_filter(sizes, 9)
    sizes -= sizes.mean()
    sizes = np.clip(sizes / (sizes.std() + 1e-9), -4, 4)
    columns = np.arange(len(sizes))
    first, second = (
        np.abs(np.exp(-2j * np.pi * np.outer(k * frequencies, columns)) @ sizes) ** 2 / len(sizes) for k in (1, 2)
    )
    return np.asarray(np.minimum(first, second))
