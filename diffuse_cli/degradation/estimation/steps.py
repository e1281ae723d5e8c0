"""How blurred a picture can be at most, from its sharpest steps: no edge is sharper than the blur allows.

The spectrum of stripes or lettering falls unlike a photograph's, and reads as more blur than there is. Their steps tell
better: those that are flat on both sides have a width, and the sharpest ones that of the blur.
"""

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from . import channels

Floats = NDArray[np.float64]

_REACH: Final = 2.5
"""Stds of the blur on each side of a step that must be flat in the end."""
_LEAST: Final = 50.0
_STDS_OF_NOISE: Final = 35.0
"""Levels of a step's contrast, and stds of the noise for each pixel of the blur's std: a wide step's slope is small."""
_FLAT, _RISING = 0.05, 0.02
"""Shares of the steepest slope: the most that a step rises by at its ends, and that it falls by anywhere."""
_SHARPEST: Final = 10.0
"""The percentage of the steps that tell. On 26 photographs with blurs of 0.8 to 2.4 pixels they are as wide as 0.83 to
1.17 of the blur, and 0.93 in the middle."""
_TOO_WIDE, _MARGIN = 1.13, 1.05
"""A blur of more than this many widths is too large, and is taken to be as many."""
_FEWEST: Final = 15
_LARGEST: Final = 1024
_LEAST_STD: Final = 0.4
_GAUSSIAN: Final = math.sqrt(2 * math.pi)


def blur_by_steps(levels: NDArray[np.float32], std: float, noise: float) -> float:
    """Return the std of a blur, or a smaller one that the picture's sharpest steps allow.

    Args:
        levels: (H, W, C), 0..255.
        std: of the blur that the spectrum shows, in pixels.
        noise: std of white noise in each channel, in levels.
    """
    h, w = (min(n, _LARGEST) for n in levels.shape[:2])
    top, left = (levels.shape[0] - h) // 2, (levels.shape[1] - w) // 2
    luma = channels.mean(levels[top : top + h, left : left + w], np.float64)
    shares = np.concatenate([_shares(lines, max(std, _LEAST_STD), noise) for lines in (luma, luma.T)])
    if len(shares) < _FEWEST:
        return std
    from scipy.special import erfinv

    # The steepest of a step's differences is an integral over one pixel, in its middle where the step is sharpest.
    widths = 0.5 / (math.sqrt(2) * erfinv(np.clip(shares, 0.01, 0.999)))
    width = float(np.percentile(widths, _SHARPEST))
    return _MARGIN * width if std > _TOO_WIDE * width else std


def _shares(lines: Floats, std: float, noise: float) -> Floats:
    """Return the share of its contrast that each step has in its steepest difference.

    Args:
        lines: (N, L).
        std: of the blur, as it is thought to be.
        noise: std of the noise, in levels.
    """
    reach = max(2, round(_REACH * std))
    slopes = np.diff(lines, axis=1)
    if slopes.shape[1] <= 2 * reach:
        return np.zeros(0)
    least, faint = max(_LEAST, _STDS_OF_NOISE * noise * std), 1 + 2 * noise
    steep = np.abs(slopes)
    inner = steep[:, reach:-reach]
    is_top = (inner >= steep[:, reach - 1 : -reach - 1]) & (inner > steep[:, reach + 1 : steep.shape[1] - reach + 1])
    rows, columns = np.nonzero(is_top & (inner > least / (2 * _GAUSSIAN * std)))
    columns += reach
    around = columns[:, None] + np.arange(-reach, reach + 1)
    steps = slopes[rows[:, None], around] * np.sign(slopes[rows, columns])[:, None]
    top, contrast = steps[:, reach], steps.sum(1)
    ends = np.maximum(steps[:, 0], steps[:, -1])
    clear = (contrast > least) & (steps.min(1) > -_RISING * top - faint) & (ends < _FLAT * top + faint)
    return np.asarray(top[clear] / contrast[clear])
