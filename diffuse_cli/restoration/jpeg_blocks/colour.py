"""Chroma that follows luma: a coder keeps less of the one than of the other."""

from typing import Final

import numpy as np
from scipy.ndimage import uniform_filter

from .canvas import Floats

_RADIUS: Final = 8
_LEAST_VARIANCE: Final = 4.0
"""Variance of luma, in squared levels, below which it guides nothing."""
_MISFIT: Final = 0.5
"""Steps of chroma by which it may miss what luma says of it; colours that miss it by more have edges of their own."""


def guided(chroma: Floats, luma: Floats, step: float) -> Floats:
    """Return chroma (H, W) as a function of luma, locally linear, where one exists (He, Sun and Tang 2013).

    Args:
        chroma: in levels.
        luma: in levels.
        step: of the means of chroma's blocks, in levels.
    """
    mean_luma, mean_chroma = _mean(luma), _mean(chroma)
    variance = _mean(luma * luma) - mean_luma**2
    covariance = _mean(luma * chroma) - mean_luma * mean_chroma
    slope = covariance / (variance + np.float32(_LEAST_VARIANCE))
    missed = _mean(chroma * chroma) - mean_chroma**2 - 2 * slope * covariance + slope**2 * variance
    fits = _mean(np.exp(-np.maximum(missed, 0) / np.float32(2 * (_MISFIT * step) ** 2)))
    wanted = _mean(slope) * luma + _mean(mean_chroma - slope * mean_luma)
    return np.asarray(chroma + fits * (wanted - chroma), np.float32)


def _mean(plane: Floats) -> Floats:
    return np.asarray(uniform_filter(plane, 2 * _RADIUS + 1, mode="nearest"))
