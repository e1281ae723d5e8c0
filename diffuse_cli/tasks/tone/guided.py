"""The guided filter (He, Sun, Tang 2010): split a picture into detail and a base that keeps its edges."""

from torch import Tensor

from ...degradation.operators import box_mean


def guided_filter(x: Tensor, radius: int, eps: float) -> tuple[Tensor, Tensor]:
    """Smooth a plane, guided by itself.

    Args:
        x: (B, 1, H, W).
        radius: of the windows in pixels.
        eps: variance below which a window counts as flat.

    Returns:
        The base, and the coefficient a in 0..1 that each pixel is kept with: base = mean(a) x + mean(b).
    """
    mean = box_mean(x, radius)
    variance = (box_mean(x * x, radius) - mean**2).clamp_min(0)
    a = variance / (variance + eps)
    kept = box_mean(a, radius)
    return kept * x + box_mean((1 - a) * mean, radius), kept
