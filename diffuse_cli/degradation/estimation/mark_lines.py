"""Lines among marks: long thin things are told by what lies along them, not by their few pixels across."""

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

_REACH: Final = 12
"""Pixels to each side of the middle of a segment."""
_TURNS: Final = 16
"""Directions of segments, over half a turn."""
_CLIPPED: Final = (-6.0, 4.0)
"""Logits below and above count as these: a few sure pixels make no line, nor does a gap end one."""


def along(logits: NDArray[np.float32], least: float) -> NDArray[np.float32]:
    """Return the mean logit of the best straight segment of 25 pixels through each pixel.

    Args:
        logits: (H, W), that pixels are part of a mark.
        least: a pixel's own logit, at least; others get the lowest value.

    Returns:
        (H, W).
    """
    padded = np.pad(logits.clip(*_CLIPPED), _REACH, mode="edge").astype(np.float32)
    stride = padded.shape[1]
    rows, columns = np.nonzero(logits > least)
    at = (rows + _REACH) * stride + columns + _REACH
    flat, best = padded.ravel(), np.full(len(at), _CLIPPED[0], np.float32)
    for k in range(_TURNS):
        angle = math.pi * k / _TURNS
        total = np.zeros(len(at), np.float32)
        for t in range(-_REACH, _REACH + 1):
            total += flat[at + round(t * math.sin(angle)) * stride + round(t * math.cos(angle))]
        np.maximum(best, total / (2 * _REACH + 1), out=best)
    out = np.full(logits.shape, _CLIPPED[0], np.float32)
    out[rows, columns] = best
    return out
