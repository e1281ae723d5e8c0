"""How the noise of a sensor depends on light: read off flat blocks of every brightness."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_SIDE: Final = 8
_DIAGONAL: Final = np.add.outer(np.arange(_SIDE), np.arange(_SIDE))
_COARSE: Final = (_DIAGONAL >= 1) & (_DIAGONAL <= 4)
"""Where texture shows. It picks the flat blocks, and white noise in it tells nothing of the noise in the rest."""
_FINE: Final = _DIAGONAL >= 8
_MOST_BLOCKS: Final = 60_000
_BINS: Final = 16
_FLATTEST: Final = 0.05
_FEWEST: Final = 20
_RARE: Final = 1e-4
"""Share of numbers that are brighter than the picture."""
_FULL: Final = 0.9
"""Share of the brightest light beyond which a sensor may be full, so that its noise is cut off."""
_ALIKE: Final = 0.2
"""Bins whose variance lies this near the line have no texture."""
_FITS: Final = 4
"""The lower line runs some percent below those bins. Each fit moves it towards their middle."""
_MEDIAN: Final = (1 - 2 / (9 * int(_FINE.sum()))) ** 3
"""Median over mean of a chi-squared variance (Wilson and Hilferty 1931)."""
_LEAST: Final = 1e-14


@dataclass(frozen=True, kw_only=True, slots=True)
class NoiseLaw:
    """Variance = gain * light + offset, 0 = black .. 1 = white (the NoiseProfile of DNG 1.7).

    Attributes:
        gain: of shot noise.
        offset: of read noise.
    """

    gain: float
    offset: float

    def at(self, light: NDArray[np.floating[Any]] | float) -> Floats:
        """Return the variance at a brightness.

        Args:
            light: 0 = black .. 1 = white, of any shape.
        """
        return np.maximum(self.gain * np.maximum(light, 0.0) + self.offset, _LEAST)

    def scaled(self, light: float, variance: float = 1.0) -> "NoiseLaw":
        """Return the law of light that is multiplied, with another share of the noise.

        Args:
            light: factor of the light.
            variance: factor of the variance that is left.
        """
        return NoiseLaw(gain=self.gain * light * variance, offset=self.offset * light**2 * variance)


def measured_law(planes: Iterable[NDArray[np.float32]]) -> NoiseLaw:
    """Measure the noise of planes that have one law.

    Blocks are chosen by their coarse frequencies, and measured by their fine ones (Ponomarenko et al. 2007), in each
    bin of brightness by itself. Texture only adds to a variance, so a line runs along the lower edge first. Then bins
    near it are fitted by least squares.

    Args:
        planes: (H, W) each, 0 = black .. 1 = white, of one colour and white noise.
    """
    from scipy.fft import dctn  # late: every start would wait for it

    blocks = np.concatenate([_blocks(plane) for plane in planes])
    if len(blocks) < 2 * _FEWEST:
        return NoiseLaw(gain=0.0, offset=0.0)
    inside = blocks.max((1, 2)) < _FULL * float(np.quantile(blocks, 1 - _RARE))
    blocks = blocks[inside] if inside.sum() >= 2 * _FEWEST else blocks
    waves = np.square(dctn(blocks, axes=(1, 2), norm="ortho"))
    light, coarse, fine = blocks.mean((1, 2)), waves[:, _COARSE].mean(1), waves[:, _FINE].mean(1)
    bins = int(np.clip(len(blocks) // (4 * _FEWEST), 1, _BINS))
    edges = np.quantile(light, np.linspace(0, 1, bins + 1))
    edges[-1] = np.inf
    found = []
    for low, high in pairwise(edges):
        part = np.flatnonzero((light >= low) & (light < high))
        count = max(int(_FLATTEST * len(part)), _FEWEST)
        if len(part) >= count:
            flat = part[np.argsort(coarse[part])[:count]]
            found.append((light[flat].mean(), np.median(fine[flat]) / _MEDIAN))
    return _fitted(*np.array(found).T) if found else NoiseLaw(gain=0.0, offset=0.0)


def _blocks(plane: NDArray[np.float32]) -> Floats:
    """Return blocks (N, 8, 8), at an equal stride if there are many."""
    rows, columns = plane.shape[0] // _SIDE, plane.shape[1] // _SIDE
    cut = plane[: rows * _SIDE, : columns * _SIDE].reshape(rows, _SIDE, columns, _SIDE).swapaxes(1, 2)
    step = int(np.ceil(np.sqrt(max(rows * columns / _MOST_BLOCKS, 1))))
    return np.asarray(cut[::step, ::step].reshape(-1, _SIDE, _SIDE), np.float64)


def _fitted(light: Floats, variance: Floats) -> NoiseLaw:
    gain, offset = _lower_line(light, variance)
    for _ in range(_FITS):
        line = np.maximum(gain * light + offset, _LEAST)
        near = np.abs(variance / line - 1) < _ALIKE
        if near.sum() <= 2:
            break
        weights = 1 / line[near]
        terms = np.stack([light[near], np.ones(int(near.sum()))], 1) * weights[:, None]
        again = np.linalg.lstsq(terms, variance[near] * weights, rcond=None)[0]
        if again.min() < 0:
            break
        gain, offset = (float(value) for value in again)
    return NoiseLaw(gain=gain, offset=offset)


def _lower_line(x: Floats, y: Floats) -> tuple[float, float]:
    """Return slope and offset >= 0 with a quarter of the bins below the line: it passes through two of them, or one."""
    lines = [(0.0, float(v)) for v in y] + [(float(v / u), 0.0) for u, v in zip(x, y, strict=True) if u > 0]
    for i in range(len(x)):
        for j in range(i):
            if x[i] != x[j]:
                slope = float((y[i] - y[j]) / (x[i] - x[j]))
                lines.append((slope, float(y[i] - slope * x[i])))

    def loss(line: tuple[float, float]) -> float:
        fitted = np.maximum(line[0] * x + line[1], _LEAST)
        residual = (y - fitted) / fitted
        return float(np.maximum(0.25 * residual, -0.75 * residual).sum())

    return min((line for line in lines if min(line) >= 0), key=loss)
