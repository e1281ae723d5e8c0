"""Similarity of two pictures: PSNR, SSIM, and perceptual measures if their packages or weights are installed.

Pictures are (H, W, C) in 8-bit levels, 0..255, C = 1 or 3, in any real type.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

Image = NDArray[Any]
PEAK = 255.0
EQUAL = 100.0
"""PSNR of equal pictures in dB: finite, for means over pictures."""
_WINDOW, _WINDOW_STD = 11, 1.5


def psnr(a: Image, b: Image) -> float:
    """Return the peak signal-to-noise ratio in dB, over all pixels and channels together; 100 for equal pictures."""
    mse = float(np.mean((a.astype(np.float64) - b.astype(np.float64)) ** 2))
    return min(10 * math.log10(PEAK**2 / mse), EQUAL) if mse > 0 else EQUAL


def ssim(a: Image, b: Image) -> float:
    """Return the structural similarity (Wang et al. 2004), the mean of the channels.

    The window is Gaussian, 11x11 pixels, of std 1.5, and lies inside the picture.

    Raises:
        ValueError: a side below 11 pixels.
    """
    if min(a.shape[:2]) < _WINDOW:
        raise ValueError(f"SSIM needs pictures of {_WINDOW} pixels a side, not {a.shape[1]}x{a.shape[0]}")
    x, y = _planes(a), _planes(b)
    mean_x, mean_y = _windowed(x), _windowed(y)
    var_x, var_y = _windowed(x * x) - mean_x**2, _windowed(y * y) - mean_y**2
    cov = _windowed(x * y) - mean_x * mean_y
    c1, c2 = (0.01 * PEAK) ** 2, (0.03 * PEAK) ** 2
    same = (2 * mean_x * mean_y + c1) * (2 * cov + c2)
    return float((same / ((mean_x**2 + mean_y**2 + c1) * (var_x + var_y + c2))).mean())


def luma(levels: Image) -> Image:
    """Return Y of BT.601 in 16..235, (H, W, 1), for (H, W, C); super-resolution is measured on it."""
    rgb = np.broadcast_to(levels, (*levels.shape[:2], 3)).astype(np.float64)
    y: Image = (16 + rgb @ np.array([65.481, 128.553, 24.966]) / PEAK)[..., None]
    return y


def _planes(levels: Image) -> Tensor:
    """Return (C, 1, H, W) for (H, W, C)."""
    return torch.from_numpy(np.ascontiguousarray(levels.transpose(2, 0, 1), dtype=np.float64))[:, None]


def _windowed(x: Tensor) -> Tensor:
    """Return the Gaussian means of (C, 1, H, W) over the windows inside the picture."""
    t = torch.arange(_WINDOW, dtype=x.dtype) - _WINDOW // 2
    kernel = torch.exp(-0.5 * (t / _WINDOW_STD) ** 2)
    kernel = kernel / kernel.sum()
    return F.conv2d(F.conv2d(x, kernel[None, None, :, None]), kernel[None, None, None, :])


def colour_tensor(levels: Image) -> Tensor:
    """Return (1, 3, H, W) in 0..1, fp32, for (H, W, C); one channel is repeated."""
    x = torch.from_numpy(np.ascontiguousarray(levels.transpose(2, 0, 1), dtype=np.float32))[None] / PEAK
    return x.expand(-1, 3, -1, -1).contiguous()


def haarpsi() -> Callable[[Image, Image], float] | None:
    """Return HaarPSI (Reisenhofer et al. 2018) as piq computes it, 1 = equal; None if piq is not installed."""
    try:
        from piq import haarpsi as measure
    except ImportError:
        return None

    def of(a: Image, b: Image) -> float:
        return float(measure(colour_tensor(a).clamp(0, 1), colour_tensor(b).clamp(0, 1), data_range=1.0))

    return of


def sliced_wasserstein(a: Tensor, b: Tensor, *, levels: int = 3, directions: int = 512, seed: int = 0) -> float:
    """Return the distance between the patches of two sets (Karras et al. 2018, arXiv:1710.10196, section 5).

    Patches of 7x7 pixels from each level of a Laplacian pyramid are normalised per channel over both sets and projected
    on random directions. The sorted values of each projection are compared.

    Args:
        a: one set (N, 3, H, W), in any units.
        b: the other set, of the same shape.
        levels: of the pyramid.
        directions: for the projections.
        seed: of directions and places of patches.

    Returns:
        The mean over directions and levels, times 1000 as in the paper; 0 = equal distributions.
    """
    total = 0.0
    generator = torch.Generator().manual_seed(seed)
    for level_a, level_b in zip(_laplacian(a, levels), _laplacian(b, levels), strict=True):
        patches = [_patches(x, seed) for x in (level_a, level_b)]
        both = torch.cat(patches)
        mean, std = both.mean((0, 2), keepdim=True), both.std((0, 2), keepdim=True).clamp_min(1e-12)
        flat = [((p - mean) / std).flatten(1) for p in patches]
        axes = F.normalize(torch.randn(flat[0].shape[1], directions, generator=generator), dim=0)
        sorted_a, sorted_b = ((f @ axes).sort(0).values for f in flat)
        total += float((sorted_a - sorted_b).abs().mean())
    return 1000 * total / levels


def _laplacian(x: Tensor, levels: int) -> list[Tensor]:
    """Return the difference that each halving makes, finest first, then the rest."""
    bands = []
    for _ in range(levels - 1):
        small = F.avg_pool2d(x, 2)
        bands.append(x - F.interpolate(small, size=x.shape[-2:], mode="bilinear", align_corners=False))
        x = small
    return [*bands, x]


def _patches(x: Tensor, seed: int, count: int = 64, side: int = 7) -> Tensor:
    """Return patches at random places, the same number of every picture: (N * count, 3, side * side)."""
    generator = torch.Generator().manual_seed(seed + 1)
    h, w = x.shape[-2:]
    tops = torch.randint(h - side + 1, (count,), generator=generator).tolist()
    lefts = torch.randint(w - side + 1, (count,), generator=generator).tolist()
    cut = [x[..., t : t + side, left : left + side].flatten(2) for t, left in zip(tops, lefts, strict=True)]
    return torch.cat(cut)
