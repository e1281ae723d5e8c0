"""Means over square windows."""

import torch.nn.functional as F
from torch import Tensor


def box_mean(x: Tensor, radius: int) -> Tensor:
    """Mean of (B, C, H, W) over windows of 2 radius + 1 pixels; at the borders, of the pixels that are there."""
    side = 2 * radius + 1
    across = F.avg_pool2d(x, (1, side), 1, (0, radius), count_include_pad=False)
    return F.avg_pool2d(across, (side, 1), 1, (radius, 0), count_include_pad=False)
