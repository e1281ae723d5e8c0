"""The guided filter, which splits a picture into a base that keeps its edges, and detail (He, Sun, Tang 2010)."""

import torch
import torch.nn.functional as F
from torch import Tensor


def box_mean(x: Tensor, radius: int) -> Tensor:
    """Mean of (B, C, H, W) over windows of 2 radius + 1 pixels; at the borders, of the pixels that are there."""
    side, ones = 2 * radius + 1, torch.ones_like(x[:1, :1])

    def sums(t: Tensor) -> Tensor:
        across = F.avg_pool2d(t, (1, side), 1, (0, radius), count_include_pad=True)
        return F.avg_pool2d(across, (side, 1), 1, (radius, 0), count_include_pad=True)

    return sums(x) / sums(ones)


def guided_filter(x: Tensor, radius: int, eps: float) -> tuple[Tensor, Tensor]:
    """Smooth a plane by itself.

    Args:
        x: (B, 1, H, W).
        radius: of the windows in pixels.
        eps: variance below which a window counts as flat.
    Returns: the base, and the coefficient a in 0..1 that each pixel is kept with: base = mean(a) x + mean(b).
    """
    mean = box_mean(x, radius)
    variance = (box_mean(x * x, radius) - mean**2).clamp_min(0)
    a = variance / (variance + eps)
    kept = box_mean(a, radius)
    return kept * x + box_mean((1 - a) * mean, radius), kept
