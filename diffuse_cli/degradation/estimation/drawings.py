"""Whether a picture is drawn: text, charts, line art and pixel art have flat places without any noise."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from ...system.arrays import row_blocks
from . import channels

_SIDE: Final = 8
_LEAST_SHARE: Final = 0.1
_FEW_LEVELS: Final = 32
_SOME_ROWS: Final = 64
"""Rows of a picture that mostly have more levels already."""
_WIDE: Final = 128
_UNLIKE: Final = (0.55, 0.25)
"""Least mean square of neighbours' differences, as a share of that of pixels at random; the same where two tones rule.

Photographs reach 0.4.
"""
_TWO_TONES: Final = 0.9
_NEAR: Final = 12
"""Levels from a tone that count as the tone, after a coder."""
_LINED: Final = (0.28, 0.35)
"""What thin lines are at least unlike their neighbours, and the share of the second tone."""


def is_drawn(levels: NDArray[np.float32]) -> bool:
    """Return whether a tenth of a picture's blocks is perfectly flat, or it has few levels.

    The coder of a JPEG keeps flat blocks flat. Photographs on pure white count as drawn, too.

    Args:
        levels: (H, W, C), 0..255.
    """
    rows, columns = (n // _SIDE for n in levels.shape[:2])
    if rows == 0 or columns == 0:
        return False
    whole = levels[: rows * _SIDE, : columns * _SIDE]
    blocks = whole.reshape(rows, _SIDE, columns, _SIDE, -1)
    lowest, highest = blocks.min(1).min(2), blocks.max(1).max(2)
    flat = (highest == lowest).all(-1)
    return bool(flat.mean() >= _LEAST_SHARE) or has_few_levels(levels)


def has_few_levels(levels: NDArray[np.float32]) -> bool:
    """Return whether a picture has at most 32 levels of brightness that reach over half of the range, as pixel art.

    Args:
        levels: (H, W, C), 0..255.
    """
    some = channels.mean(levels[:: max(len(levels) // _SOME_ROWS, 1)])
    if len(np.unique(some.round())) > _FEW_LEVELS:
        return False
    luma = channels.mean(levels)
    return bool(np.ptp(luma) > _WIDE) and len(np.unique(luma.round())) <= _FEW_LEVELS


def is_hard(levels: NDArray[np.float32]) -> bool:
    """Return whether a picture is made of dots, or of two tones with hard edges, before it was a JPEG or not.

    Dithering, and letters and lines without soft edges. Noise that hides a picture looks like that, too.

    Args:
        levels: (H, W, C), 0..255.
    """
    luma = channels.mean(levels, np.float64)
    unlike = _unlike(luma)
    return unlike > _UNLIKE[0] or (unlike > _UNLIKE[1] and _share_of_second_tone(luma) > _TWO_TONES)


def has_thin_lines(levels: NDArray[np.float32]) -> bool:
    """Return whether a drawing is of thin lines of one ink, which the network makes fainter where it undoes a JPEG.

    Args:
        levels: (H, W, C), 0..255, of a drawing.
    """
    luma = channels.mean(levels, np.float64)
    return _unlike(luma) > _LINED[0] and _share_of_second_tone(luma) > _LINED[1]


def _unlike(luma: NDArray[np.float64]) -> float:
    """Return the mean square of neighbours' differences over that of pixels at random; 0 = of little contrast."""
    if min(luma.shape) < 2 or np.ptp(luma) <= _WIDE:
        return 0.0
    down = sum(_squares(luma[rows.start : rows.stop + 1], 0) for rows in row_blocks(luma)) / luma[1:].size
    across = sum(_squares(luma[rows], 1) for rows in row_blocks(luma)) / luma[:, 1:].size
    return (down + across) / 4 / float(luma.var())


def _squares(luma: NDArray[np.float64], axis: int) -> float:
    """Return the sum of the squares of neighbours' differences."""
    apart = np.diff(luma, axis=axis)
    return float(np.vdot(apart, apart))


def _share_of_second_tone(luma: NDArray[np.float64]) -> float:
    """Return the share of pixels that are near the second commonest tone, of those that are not near the commonest."""
    counts = np.bincount(luma.round().clip(0, 255).astype(np.intp).ravel(), minlength=256)
    near = np.convolve(counts, np.ones(2 * _NEAR + 1), "same")
    first = int(near.argmax())
    others = near.copy()
    others[max(0, first - 3 * _NEAR) : first + 3 * _NEAR + 1] = 0
    return float(others.max()) / max(luma.size - float(near[first]), 1)
