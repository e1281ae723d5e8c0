"""Printed pictures: clustered dots, as a raster image processor makes them, scanned at less than their resolution."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tests.conftest import EXAMPLES

_FINER = 4
ANGLES = (15.0, 75.0, 0.0, 45.0)
"""Of cyan, magenta, yellow and black."""


def photo(size: tuple[int, int] = (192, 256)) -> NDArray[np.float64]:
    """A photograph of all tones, (H, W, 3), 0..255."""
    with Image.open(EXAMPLES / "auvers.jpg") as image:
        small = image.convert("RGB").resize(size[::-1], Image.Resampling.BOX)
    levels = np.asarray(small, np.float64)
    low, high = np.quantile(levels, [0.02, 0.98])
    stretched: NDArray[np.float64] = np.clip((levels - low) / (high - low), 0, 1) * 255
    return stretched


def dots(plane: NDArray[np.float64], period: float, angle: float) -> NDArray[np.float64]:
    """Return a plane (H, W), 0..255, as black dots on white, of a cosine spot."""
    h, w = plane.shape
    tones = Image.fromarray(plane.astype(np.float32)).resize((w * _FINER, h * _FINER), Image.Resampling.BICUBIC)
    down, across = np.mgrid[0 : h * _FINER, 0 : w * _FINER] / _FINER
    turn = np.radians(angle)
    u = (across * np.cos(turn) + down * np.sin(turn)) / period + 0.3
    v = (down * np.cos(turn) - across * np.sin(turn)) / period + 0.7
    spot = np.cos(2 * np.pi * u) + np.cos(2 * np.pi * v)
    grid = np.arange(256) / 256 * 2 * np.pi
    every = np.sort((np.cos(grid)[:, None] + np.cos(grid)).ravel())
    threshold = np.searchsorted(every, spot.ravel()).reshape(spot.shape) / every.size * 255
    paper = np.where(np.asarray(tones) > threshold, 255.0, 0.0)
    scanned: NDArray[np.float64] = paper.reshape(h, _FINER, w, _FINER).mean((1, 3))
    return scanned


def printed(levels: NDArray[np.float64], period: float) -> NDArray[np.float64]:
    """Return a picture (H, W, 3), 0..255, as four inks print it."""
    ink = 1 - levels / 255
    black = 0.6 * ink.min(2)
    planes = [*np.moveaxis((ink - black[..., None]) / (1 - black[..., None] + 1e-6), 2, 0), black]
    out = np.full_like(levels, 255)
    for k, (plane, angle) in enumerate(zip(planes, ANGLES, strict=True)):
        covered = 1 - dots(255 * (1 - plane.clip(0, 1)), period, angle) / 255
        takes = np.full(3, 0.92) if k == 3 else np.where(np.arange(3) == k, 0.92, 0.06)
        out = out * (1 - covered[..., None] * takes)
    return out
