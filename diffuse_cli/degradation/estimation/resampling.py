"""Whether a picture was enlarged, and from what size. Resampled rows have mirrored signs in their cosine transform."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from . import channels

Floats = NDArray[np.float64]

_REACH = 24
"""Coefficients at each side of a candidate width that are compared."""
_EVIDENCE = 20.0
"""Untouched photographs reach 9."""
_MOST_LINES = 512
_ROUNDING = 1e-6
"""Coefficients of flat rows are the arithmetic's own; their signs say nothing."""
_SMALLEST = 96
_LEAST_FACTOR = 1.1


@dataclass(frozen=True, kw_only=True, slots=True)
class Resampling:
    """What the pixels say of an enlargement.

    Attributes:
        factor: size of the picture over that of its source; None = no trace.
        source: (height, width) that it was enlarged from, within a pixel; None = no trace.
        evidence: stds by which the mirrored signs stand out.
    """

    factor: float | None
    source: tuple[int, int] | None
    evidence: float


def estimate_resampling(levels: NDArray[np.float32]) -> Resampling:
    """Look for the widths about which the signs of the rows' coefficients are odd, and the same for columns.

    Linear interpolation (bilinear, bicubic, Lanczos) of a row repeats its spectrum with the sign turned about the
    source's width. The idea is that of the program resdet.

    Args:
        levels: (H, W, C), 0..255.
    """
    h, w = levels.shape[:2]
    if min(h, w) < _SMALLEST:
        return Resampling(factor=None, source=None, evidence=0.0)
    width, across = _source_length(channels.mean(levels[:: _step(h)], np.float64))
    height, down = _source_length(channels.mean(levels[:, :: _step(w)], np.float64).T)
    evidence = min(across, down)
    factors = h / height, w / width
    # Both directions must agree, or it is a texture's own period.
    same = abs(factors[0] - factors[1]) < 0.03 * max(factors)
    if evidence < _EVIDENCE or not same or min(factors) < _LEAST_FACTOR:
        return Resampling(factor=None, source=None, evidence=evidence)
    return Resampling(factor=(factors[0] * factors[1]) ** 0.5, source=(height, width), evidence=evidence)


def _step(lines: int) -> int:
    return max(lines // _MOST_LINES, 1)


def _source_length(rows: Floats) -> tuple[int, float]:
    """Return the length that rows (N, L) were enlarged from, and by how many stds it stands out."""
    from scipy.fft import dct

    coefficients = dct(rows, axis=1)
    signs = np.where(np.abs(coefficients) > _ROUNDING, np.sign(coefficients), 0.0)
    length = rows.shape[1]
    lengths = np.arange(_REACH + 1, length - _REACH)
    scores = np.zeros(len(lengths))
    first, last = _REACH + 1, length - _REACH
    for j in range(1, _REACH + 1):
        scores -= (signs[:, first - j : last - j] * signs[:, first + j : last + j]).sum(0)
    scores /= np.sqrt(_REACH * len(rows))
    best = int(np.argmax(scores))
    return int(lengths[best]), float(scores[best])
