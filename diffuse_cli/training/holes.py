"""Masks for training: boxes, strokes, lines, dropped pixels, half pictures."""

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

Rng = np.random.Generator
_FEWEST, _MOST = 0.003, 0.97


def hole(size: int, rng: Rng) -> NDArray[np.bool_]:
    """Return a mask (size, size), True = missing; between 0.3 % and 97 % of the pixels."""
    while True:
        kind = (_boxes, _strokes, _lines, _dropped, _half)[rng.integers(5)]
        mask = kind(size, rng)
        if _FEWEST < mask.mean() < _MOST:
            return mask


def _boxes(size: int, rng: Rng) -> NDArray[np.bool_]:
    mask = np.zeros((size, size), bool)
    for _ in range(rng.integers(1, 4)):
        width, height = rng.integers(max(size // 8, 1), size // 2 + 1, 2)
        left, top = rng.integers(-(size // 12), size - size // 6, 2)
        mask[max(top, 0) : top + height + 1, max(left, 0) : left + width + 1] = True
    return mask


def _strokes(size: int, rng: Rng) -> NDArray[np.bool_]:
    return _polylines(size, rng, widest=max(size // 6, 2))


def _lines(size: int, rng: Rng) -> NDArray[np.bool_]:
    return _polylines(size, rng, widest=max(size // 24, 1))


def _polylines(size: int, rng: Rng, *, widest: int) -> NDArray[np.bool_]:
    image = Image.new("1", (size, size))
    draw = ImageDraw.Draw(image)
    for _ in range(rng.integers(2, 10)):
        points = [tuple(float(v) for v in rng.integers(0, size, 2))]
        for _ in range(rng.integers(2, 8)):
            angle, length = rng.uniform(0, 2 * math.pi), rng.uniform(size / 12, size / 2)
            points.append((points[-1][0] + length * math.cos(angle), points[-1][1] + length * math.sin(angle)))
        draw.line(points, fill=1, width=int(rng.integers(1, widest + 1)), joint="curve")
    return np.array(image, dtype=bool)


def _dropped(size: int, rng: Rng) -> NDArray[np.bool_]:
    """Drop single pixels, or blocks of 2 or 4."""
    side = int(rng.choice([1, 1, 2, 4]))
    cells = -(-size // side)
    dropped = rng.random((cells, cells)) < rng.uniform(0.1, 0.95)
    return np.kron(dropped, np.ones((side, side), bool)).astype(bool)[:size, :size]


def _half(size: int, rng: Rng) -> NDArray[np.bool_]:
    """Hide one side, up to 60 % of the picture."""
    mask = np.zeros((size, size), bool)
    mask[: int(rng.uniform(0.15, 0.6) * size) + 1] = True
    turned: NDArray[np.bool_] = np.rot90(mask, int(rng.integers(4))).copy()
    return turned
