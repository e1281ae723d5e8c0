"""What every reading of a picture starts from: its luma, and the cosine transform of 8x8 blocks."""

import math

import numpy as np
from numpy.typing import NDArray

LUMA = np.array([0.299, 0.587, 0.114])
"""BT.601, as JPEG's Y."""


def luma_weights(channels: int) -> NDArray[np.float32]:
    """(C,): what the channels of a picture contribute to its luma."""
    return (LUMA if channels == 3 else np.ones(1)).astype(np.float32)


def dct_matrix() -> NDArray[np.float64]:
    """(64, 64): the orthonormal 2-D cosine transform of a flattened 8x8 block."""
    k = np.arange(8)
    one = np.sqrt(2 / 8) * np.cos(np.pi * (2 * k[None] + 1) * k[:, None] / 16)
    one[0] /= math.sqrt(2)
    return np.kron(one, one)
