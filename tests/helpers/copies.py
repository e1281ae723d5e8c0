"""Copies of a picture that is drawn by code."""

import functools
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from diffuse_cli.images.picture import Picture
from diffuse_cli.images.units import LEVEL

Pixels = NDArray[np.float32]
EDGE = 10


@functools.cache
def scene(seed: int = 0, side: int = 144) -> Pixels:
    """A picture (side, side, 3) with structure at every scale and hard edges, [-1, 1] units."""
    rng = np.random.default_rng(seed)
    made = sum(ndimage.gaussian_filter(rng.normal(0, s, (side, side, 3)), (s, s, 0)) * 1.5 for s in (1.5, 4, 10))
    for _ in range(12):
        top, left, height, width = (int(v) for v in rng.integers(4, side - 24, 4))
        made[top : top + height % 20 + 4, left : left + width % 20 + 4] += rng.uniform(-0.5, 0.5, 3)
    return np.asarray(np.clip(made, -0.85, 0.85), np.float32)


def moved(clean: Pixels, shift: tuple[float, float], angle: float = 0.0) -> Pixels:
    """The same seen from elsewhere: pixel (x, y) shows what was at (x, y), turned, plus the shift (x, y)."""
    rows, columns = np.indices(clean.shape[:2], np.float64)
    middle = (clean.shape[0] - 1) / 2
    c, s = np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))
    x, y = columns - middle, rows - middle
    at = np.stack([s * x + c * y + middle + shift[1], c * x - s * y + middle + shift[0]])
    planes = [ndimage.map_coordinates(clean[..., k], at, order=5, mode="reflect") for k in range(clean.shape[2])]
    return np.stack(planes, 2).astype(np.float32)


def stored(clean: Pixels, noise: float = 0.0, seed: int = 0) -> Picture:
    """A copy with noise of so many levels, rounded to 8 bits."""
    noisy = clean + np.random.default_rng([seed, 7]).normal(0, noise / LEVEL, clean.shape)
    levels = np.clip(np.round((noisy + 1) * LEVEL), 0, 255)
    return Picture(pixels=(levels / LEVEL - 1).astype(np.float32))


def psnr(one: Any, clean: Pixels, edge: int = EDGE) -> float:  # noqa: ANN401 - an array
    inner = (slice(edge, -edge), slice(edge, -edge))
    return float(10 * np.log10(4 / np.mean((one[inner] - clean[inner]) ** 2)))
