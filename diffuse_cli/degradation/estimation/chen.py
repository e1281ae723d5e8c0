"""Noise of colour pictures: Chen, Zhu, Heng 2015, "An Efficient Statistical Method for Image Noise Level Estimation".

Noise spreads its variance over all directions of a patch. The picture enlarges only some of them.
"""

import math

import numpy as np
from numpy.typing import NDArray

from .blocks import unsaturated, windows_of
from .clipping import histogram, shows_clipping, unclip

Floats = NDArray[np.float64]

# Patch sides, each with how many patches it wants as a multiple of its covariance's dimension. Fewer read low; the
# smallest makes do with less, as the only other choice is to treat the channels as gray.
_PATCH_SIDES = ((8, 60), (6, 60), (5, 60), (4, 60), (3, 20))
_MOST_PATCHES = 40_000


def estimate_colour(levels: NDArray[np.float32], clips: bool) -> tuple[float, float] | None:
    """Estimate the noise of all channels together.

    Args:
        levels: (H, W, 3), 0..255.
        clips: the file stores integers.

    Returns:
        The std in the pixels and the std before clipping; None if there are too few patches.
    """
    patches = _colour_patches(levels)
    if patches is None:
        return None
    eigenvalues = np.linalg.eigvalsh(_covariance(patches.reshape(len(patches), -1)))
    level = math.sqrt(noise_eigenvalue(np.asarray(eigenvalues, dtype=np.float64)))
    nominal = level
    if clips and level > 0:
        means = histogram(patches.mean(axis=2).ravel())
        nominal = unclip(level, means) if shows_clipping(levels, means, level) else level
    return level, nominal


def noise_eigenvalue(eigenvalues: Floats) -> float:
    """Return the variance of the noise: the mean of as many of the smallest eigenvalues as do not exceed their median.

    Directions that the picture enlarges are outliers above it.

    Args:
        eigenvalues: of a covariance of patches, ascending.
    """
    for count in range(len(eigenvalues), 0, -1):
        smallest = eigenvalues[:count]
        if smallest.mean() <= np.median(smallest):
            return max(float(smallest.mean()), 0.0)
    return 0.0


def _colour_patches(levels: NDArray[np.float32]) -> NDArray[np.float32] | None:
    """Return patches (N, C, p * p) of the largest side p whose covariance the picture can fill, or None."""
    height, width, channels = levels.shape
    for side, plenty in _PATCH_SIDES:
        dimension = channels * side * side
        positions = (height - side + 1) * (width - side + 1)
        if positions < plenty * dimension:
            continue
        # Beyond 3 pixels apart patches gain little; small pictures need them closer.
        stride = min(3, math.isqrt(positions // (plenty * dimension)))
        windows = windows_of(levels, side, stride, _MOST_PATCHES)
        patches = np.ascontiguousarray(windows).reshape(-1, channels, side * side)
        patches = patches[unsaturated(patches.reshape(len(patches), -1))]
        return patches if len(patches) >= 2 * dimension else None
    return None


def _covariance(rows: NDArray[np.float32]) -> Floats:
    centred = rows - rows.mean(axis=0)
    return np.asarray((centred.T @ centred) / len(rows), dtype=np.float64)
