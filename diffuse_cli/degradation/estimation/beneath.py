"""A JPEG that was cropped and saved again: a stronger coder, whose blocks lie elsewhere, beneath that of the file."""

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from .compression import Compression, blocks_of, cosines, unclipped_luma
from .jpeg_tables import ijg_table

Floats = NDArray[np.float64]

_LEAST_STRONGER: Final = 5
"""Qualities by which the coder beneath is the stronger one; of less, little shows."""
_MOST_BLOCKS: Final = 800
_OUTLIERS: Final = 0.05
"""Share of coefficients that something else has changed."""
_VISIBLE: Final = 4.0
"""A step must be this many stds of what the later coder did."""
_EVIDENCE: Final = 0.2
"""Mean log-likelihood of what counts as found: 0.38 and more on photographs saved again, -0.75 at most on others."""
_FEWEST: Final = 100
_LOW: Final = np.add.outer(np.arange(8), np.arange(8)).ravel() <= 5
"""Frequencies that are looked at; of the others few are left."""


def compression_beneath(levels: NDArray[np.float32], quality: float) -> Compression | None:
    """Look for a stronger coder before the one that a file tells of, on another grid of blocks.

    Such a grid is left by cropping a JPEG and saving it again. The origin is among those where neighbours differ most;
    the quality is the one of the largest likelihood, as in `estimate_compression`. What the later coder did is counted
    as noise.

    Args:
        levels: (H, W, C), 0..255, the file's own grid at (0, 0), C = 3 or 1.
        quality: of the file's own tables.

    Returns:
        The stronger compression; None where there is none.
    """
    qualities = range(5, int(quality) - _LEAST_STRONGER + 1)
    luma, own = unclipped_luma(levels), ijg_table(round(quality)).reshape(64)[_LOW].astype(np.float64)
    noise = math.sqrt(0.36 + float(np.mean(own**2)) / 12)
    best, most = None, 0.0
    for origin in _origins(luma):
        blocks = blocks_of(luma, *origin, _MOST_BLOCKS)
        if len(blocks) < 16:
            continue
        coefficients = cosines(blocks)[:, _LOW]
        for candidate in qualities:
            total, count = _log_likelihood(coefficients, candidate, noise)
            if count >= _FEWEST and total > max(most, _EVIDENCE * count):
                best, most = Compression(quality=candidate, origin=origin, evidence=total / count), total
    return best


def _log_likelihood(coefficients: Floats, quality: int, noise: float) -> tuple[float, int]:
    """Return the log-likelihood ratio of coefficients (N, K) beyond half a step, and how many there are."""
    steps = ijg_table(quality).reshape(64)[_LOW].astype(np.float64)
    multiples = np.round(coefficients / steps)
    counted = (multiples != 0) & (steps >= _VISIBLE * noise)
    counted[:, 0] = False
    rest = (coefficients - multiples * steps)[counted]
    widths = np.broadcast_to(steps, coefficients.shape)[counted]
    near = np.exp(-0.5 * (rest / noise) ** 2) / (noise * math.sqrt(2 * math.pi))
    return float(np.log(widths * ((1 - _OUTLIERS) * near + _OUTLIERS / widths)).sum()), int(counted.sum())


def _origins(luma: NDArray[np.float32]) -> list[tuple[int, int]]:
    """Return origins other than (0, 0), made of the file's own and the two likeliest along each axis."""
    if min(luma.shape) < 32:
        return []
    rows, columns = ([0, *_likeliest(along)] for along in (luma.T, luma))
    return [(row, column) for row in rows for column in columns if (row, column) != (0, 0)]


def _likeliest(luma: NDArray[np.float32]) -> list[int]:
    """Return the two columns, 1..7, at which neighbours differ most beyond what their own neighbours let expect."""
    slopes = np.diff(luma, axis=1)
    jumps = np.abs(slopes[:, 1:-1] - (slopes[:, :-2] + slopes[:, 2:]) / 2)  # column k: between k + 1 and k + 2
    known = np.isfinite(jumps)  # a page of pure black and white has none
    totals = [float(np.nansum(jumps[:, (phase - 2) % 8 :: 8])) for phase in range(1, 8)]
    counts = [int(known[:, (phase - 2) % 8 :: 8].sum()) for phase in range(1, 8)]
    sizes = [total / max(count, 1) for total, count in zip(totals, counts, strict=True)]
    return [1 + int(k) for k in np.argsort(sizes)[:-3:-1]]
