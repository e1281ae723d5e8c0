"""How the noise of a picture depends on brightness, and whether it is white."""

import itertools
import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from . import channels
from .chen import noise_eigenvalue

Floats = NDArray[np.float64]

_BINS = 12
_SIDE = 5
_FEWEST = 400
"""Patches that a bin of brightness needs."""
_MOST_PATCHES = 120_000
_TAU = 0.1
"""Texture only adds to a bin's variance, so the line runs along the lower edge."""
FAINTEST: Final = 5.0
"""Below this std the fit of a slope is worth nothing."""
_FLATTEST = 0.02
_ROUNDS = 4


@dataclass(frozen=True, kw_only=True, slots=True)
class NoiseModel:
    """Variance = gain * level + offset, in 8-bit levels.

    Attributes:
        gain: levels; 0 where the noise does not depend on brightness, or is too faint to tell.
        offset: squared levels.
        bins: how many bins of brightness the fit rests on.
    """

    gain: float
    offset: float
    bins: int


def estimate_noise_model(
    levels: NDArray[np.float32],
    level: float,
    *,
    faintest: float = FAINTEST,
    ends: tuple[float, float] = (1.0, 254.0),
) -> NoiseModel:
    """Fit a line to the noise variance of bins of brightness.

    In each bin the variance is the mean of the smallest eigenvalues (Chen, Zhu, Heng 2015) of patches of that
    brightness. The line is a lower quantile regression. Where colours are strong, the darkest channel alone has the
    smallest eigenvalues. So the noise of the channels is then made equal by the found line, and the line is found
    again.

    Args:
        levels: (H, W, C), 0..255.
        level: std of the noise, taken as one for the whole picture.
        faintest: level below which no slope is fitted.
        ends: patches that reach beyond are left out, as their noise is clipped.
    """
    constant = NoiseModel(gain=0.0, offset=level**2, bins=0)
    if level < faintest or min(levels.shape[:2]) < 4 * _SIDE:
        return constant
    patches = _patches(levels, ends)
    if len(patches) == 0:  # black and white alone
        return constant
    gain, offset = 0.0, 1.0
    for _ in range(_ROUNDS if levels.shape[2] > 1 else 1):
        means, variances, counts = _bins(patches, gain, offset)
        if len(means) < 4 or means[-1] - means[0] < 40:
            return constant
        gain, offset = _lower_line(means, variances, counts)
    at = gain * np.array([means[0], means[-1]]) + offset
    # A slope that changes the std by less than a quarter over the picture is within the method's error.
    if at.min() <= 0 or math.sqrt(at.max() / at.min()) < 1.25:
        return NoiseModel(gain=0.0, offset=level**2, bins=len(means))
    return NoiseModel(gain=gain, offset=offset, bins=len(means))


def _patches(levels: NDArray[np.float32], ends: tuple[float, float]) -> Floats:
    """Return patches (N, C, 25) of levels (H, W, C), without those that reach an end of the range."""
    windows = sliding_window_view(levels, (_SIDE, _SIDE), axis=(0, 1))
    stride = max(math.isqrt(windows.shape[0] * windows.shape[1] // _MOST_PATCHES), 1)
    patches = windows[::stride, ::stride].reshape(-1, levels.shape[2], _SIDE**2)
    inside = (patches.min((1, 2)) > ends[0]) & (patches.max((1, 2)) < ends[1])
    return np.asarray(patches[inside], dtype=np.float64)


def _bins(patches: Floats, gain: float, offset: float) -> tuple[Floats, Floats, Floats]:
    """Return mean brightness, noise variance and number of patches of every bin that has enough patches."""
    brightness, patches = patches.mean((1, 2)), equalised(patches, gain, offset)
    edges = np.quantile(brightness, np.linspace(0, 1, _BINS + 1)) if len(patches) else np.zeros(_BINS + 1)
    found = []
    for low, high in itertools.pairwise(edges):
        part = patches[(brightness >= low) & (brightness < high)]
        if len(part) >= max(_FEWEST, 4 * part.shape[1]):
            found.append((part.mean(), noise_eigenvalue(np.linalg.eigvalsh(np.cov(part, rowvar=False))), len(part)))
    means, variances, counts = np.array(found).reshape(-1, 3).T
    return means, variances, counts


def equalised(patches: Floats, gain: float, offset: float) -> Floats:
    """Return patches with the noise of each channel brought to that at the patch's mean brightness, (N, C * K).

    Args:
        patches: (N, C, K).
        gain: of the noise model.
        offset: of the noise model.
    """
    brightness = patches.mean((1, 2))[:, None]
    ratio = np.maximum(gain * brightness + offset, 1e-3) / np.maximum(gain * patches.mean(2) + offset, 1e-3)
    return np.asarray((patches * np.sqrt(ratio)[..., None]).reshape(len(patches), patches[0].size), dtype=np.float64)


def _lower_line(x: Floats, y: Floats, weights: Floats) -> tuple[float, float]:
    """Return slope and offset >= 0 of least weighted quantile loss of the relative residuals.

    An optimum passes through two points, or through one with slope or offset 0: all of these are tried.
    """
    lines = [(0.0, float(v)) for v in y] + [(float(v / u), 0.0) for u, v in zip(x, y, strict=True)]
    for i, j in itertools.combinations(range(len(x)), 2):
        slope = float((y[j] - y[i]) / (x[j] - x[i]))
        lines.append((slope, float(y[i] - slope * x[i])))

    def loss(line: tuple[float, float]) -> float:
        fitted = np.maximum(line[0] * x + line[1], 1e-6)
        residual = (y - fitted) / fitted
        return float((weights * np.maximum(_TAU * residual, (_TAU - 1) * residual)).sum())

    return min((line for line in lines if min(line) >= 0), key=loss)


def _level_blocks(levels: NDArray[np.float32]) -> tuple[Floats, Floats, Floats]:
    """Return the blocks of 16 rows (N, 16, 16) without their slopes, their stds, and those of their means of 4x4.

    Flatness is judged by what a mean of 4x4 leaves, where white noise is weak whatever its level.
    """
    luma = channels.mean(levels, np.float64)
    across = luma.shape[1] // 16
    blocks = np.ascontiguousarray(luma[:, : across * 16].reshape(16, across, 16).transpose(1, 0, 2))
    t = np.arange(16) - 7.5
    for axis in (t[:, None], t[None]):  # brightness that changes evenly is not noise
        blocks -= (blocks * axis).mean((1, 2), keepdims=True) / (axis**2).mean() * axis
    blocks -= blocks.mean((1, 2), keepdims=True)
    coarse = blocks.reshape(-1, 4, 4, 4, 4).mean((2, 4)).std((1, 2))
    return blocks, blocks.std((1, 2)), coarse


def whiteness(levels: NDArray[np.float32]) -> float:
    """Return twice the std of 2x2 means over the std, in the flattest blocks: 1 for white noise, more for smooth noise.

    Args:
        levels: (H, W, C), 0..255, at least 32 pixels a side.

    Returns:
        The median over the flattest fiftieth of 16x16 blocks; NaN where none has noise.
    """
    rows = [_level_blocks(levels[top : top + 16]) for top in range(0, levels.shape[0] - 15, 16)]
    blocks, stds, coarse = (np.concatenate(part) for part in zip(*rows, strict=True))
    order = np.argsort(coarse)
    flat = order[stds[order] > 0.5][: max(int(_FLATTEST * len(order)), 8)]
    if len(flat) == 0:
        return math.nan
    halves = blocks[flat].reshape(-1, 8, 2, 8, 2).mean((2, 4))
    return float(np.median(2 * halves.std((1, 2)) / stds[flat]))
