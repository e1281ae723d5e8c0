"""Whether a picture is drawn: text, charts, line art and pixel art have flat places without any noise."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

_SIDE: Final = 8
_LEAST_SHARE: Final = 0.1
_FEW_LEVELS: Final = 32
_WIDE: Final = 128


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
    flat = (blocks.max((1, 3)) == blocks.min((1, 3))).all(-1)
    return bool(flat.mean() >= _LEAST_SHARE) or has_few_levels(levels)


def has_few_levels(levels: NDArray[np.float32]) -> bool:
    """Return whether a picture has at most 32 levels of brightness that reach over half of the range, as pixel art.

    Args:
        levels: (H, W, C), 0..255.
    """
    luma = levels.mean(2)
    return bool(np.ptp(luma) > _WIDE) and len(np.unique(luma.round())) <= _FEW_LEVELS
