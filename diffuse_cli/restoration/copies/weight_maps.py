"""The weights of fused copies as a picture."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ...images.picture import Picture


def weight_maps(weights: Sequence[NDArray[np.float32]]) -> Picture:
    """Return a gray picture of 16 bits: the maps one below the other, black = 0, white = 1.

    Args:
        weights: (H, W) of each copy.
    """
    return Picture(pixels=2 * np.concatenate(list(weights))[..., None] - 1, depth=16)
