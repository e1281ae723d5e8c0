"""Pictures as tensors, and back."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..system.arrays import copied


def to_tensor(pixels: NDArray[np.float32]) -> Tensor:
    """Return a picture as a tensor (1, 3, H, W) on the same memory. One channel is repeated.

    Args:
        pixels: (H, W, C), C = 1 or 3.
    """
    x = torch.from_numpy(np.ascontiguousarray(pixels)).permute(2, 0, 1)[None]
    return x if x.shape[1] == 3 else x.expand(-1, 3, -1, -1)


def to_array(x: Tensor, channels: int) -> NDArray[np.float32]:
    """Return a tensor as an array (H, W, channels), contiguous, on the same memory where that is possible.

    Args:
        x: (1, 3, H, W).
        channels: 1 or 3.
    """
    array: NDArray[np.float32] = x[0, :channels].permute(1, 2, 0).numpy()
    return array if array.flags.c_contiguous else copied(array)
