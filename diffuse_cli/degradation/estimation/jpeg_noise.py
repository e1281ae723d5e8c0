"""Noise that a picture had before it was stored as JPEG, which the estimators for other pictures do not see."""

import numpy as np
from numpy.typing import NDArray

from .blocks import WHITE, content, dct_matrix, frequencies
from .clipping import normal_cdf
from .noise_level import NoiseEstimate

Floats = NDArray[np.float64]

# The reading (std of luma) below which noise-free files lie: 92 to 97 % of 66 training crops, quality 50 to 95.
_FLOOR = 4.5
# Where the flattest blocks hold this many times the low frequencies that noise leaves, they are texture. Weak readings
# of noise rarely have over 1.2, those of texture mostly; strong ones have up to 3.7 where the noise is on texture.
_WEAK, _WEAK_TEXTURE, _STRONG_TEXTURE = 8.0, 1.4, 4.0
_MOST_BLOCKS = 80_000
# The highest frequencies (i + j) are mostly rounded to 0.
_HIGHEST = 10
# std of the luma of noise that is white with std 1 in each of R, G and B: sqrt(0.299^2 + 0.587^2 + 0.114^2).
_LUMA_OF_RGB = 0.668


def estimate_noise_jpeg(
    luma: NDArray[np.float32], luma_table: NDArray[np.integer], *, gray: bool = False
) -> NoiseEstimate:
    """Estimate the noise that a picture had before it was stored as JPEG.

    The share of coefficients beyond about one std, in the flattest blocks of the file's own grid, tells the std of the
    Gaussian that was rounded to the steps of the table. A few blocks of texture change shares less than squares.

    Args:
        luma: (H, W), the Y plane of the decoded file, 0..255, its (0, 0) on the 8x8 grid: neither cropped nor turned.
        luma_table: (8, 8) or (64,), steps in natural row order.
        gray: the file has one channel, so the reading is that channel's and not of RGB noise seen through luma.

    Returns:
        The std in each channel, of the luma if `gray`; 0 where it is below what noise-free files read.
    """
    steps = np.maximum(np.asarray(luma_table, dtype=np.float64).reshape(64), 1)
    # Flatness from below a diagonal, the reading from beyond it: the finer the steps there, the further out it can lie.
    diagonal = 6 if steps[3 * 8 + 3] <= 16 else 4
    low, high = frequencies(1, diagonal - 1), frequencies(diagonal, _HIGHEST)
    values = _stored_flat_blocks(luma, steps, low)
    if len(values) < 4:
        return NoiseEstimate(level=0.0, nominal=0.0, method="too small")
    std = _std_of_rounded(values[:, high], steps[high])
    # Below a quarter of the finest step only tails beyond two stds are seen, and texture makes tails too.
    if std < max(_FLOOR, float(steps[high].min()) / 4):
        return NoiseEstimate(level=0.0, nominal=0.0, method="jpeg-luma")
    if _is_texture(std, values[:, low], steps[low]):
        return NoiseEstimate(level=0.0, nominal=0.0, method="texture")
    level = std / (1.0 if gray else _LUMA_OF_RGB)
    return NoiseEstimate(level=level, nominal=level, method="jpeg-luma")


def _stored_flat_blocks(luma: NDArray[np.float32], steps: Floats, low: NDArray[np.bool_]) -> Floats:
    """Return the DCT coefficients (N, 64), multiples of the steps, of the hundredth of blocks of least `low` energy."""
    rows, columns = content(luma[:, :, None])
    luma = luma[-(-rows.start // 8) * 8 : rows.stop, -(-columns.start // 8) * 8 : columns.stop]
    down, across = luma.shape[0] // 8, luma.shape[1] // 8
    blocks = luma[: down * 8, : across * 8].reshape(down, 8, across, 8).transpose(0, 2, 1, 3).reshape(-1, 64)
    coefficients = blocks[:: max(1, len(blocks) // _MOST_BLOCKS)] @ dct_matrix().astype(np.float32).T
    mean = coefficients[:, 0] / 8
    central = (mean > 16) & (mean < WHITE - 16)
    if np.sum(central) >= 64:
        coefficients = coefficients[central]
    coefficients = np.round(coefficients / steps) * steps
    energy = np.square(coefficients[:, low]).sum(axis=1)
    flattest = np.argsort(energy, kind="stable")[: max(len(energy) // 100, 12)]
    return np.asarray(coefficients[flattest])


def _is_texture(std: float, low: Floats, steps: Floats) -> bool:
    """Return whether the low frequencies (N, K) of the flattest blocks hold more than noise rounded to steps (K,)."""
    explained = float(np.sum(std**2 + steps**2 / 12))
    excess = float(np.median(np.square(low).sum(axis=1))) / explained
    return excess > (_WEAK_TEXTURE if std < _WEAK else _STRONG_TEXTURE)


def _std_of_rounded(values: Floats, steps: Floats) -> float:
    """Return the std of the Gaussian that has the share beyond a threshold that values (N, K) have.

    The values are rounded to steps (K,). The threshold of each frequency lies on the edge of a rounding cell, where
    rounding changes no share, and as near one std as the cells allow.
    """
    threshold, std = 0.5 * steps, 0.0
    for _ in range(3):
        std = _std_of_share(float(np.mean(np.abs(values) > threshold)), threshold)
        if std == 0:
            break
        threshold = (np.maximum(np.round(std / steps - 0.5), 0) + 0.5) * steps
    return std


def _std_of_share(share: float, threshold: Floats) -> float:
    """Return the std at which the mean over thresholds of P(|x| > threshold) is `share`."""
    stds = np.geomspace(0.2, 128, 96)
    shares = 2 * (1 - normal_cdf(threshold / stds[:, None])).mean(axis=1)
    return 0.0 if share == 0 else float(np.interp(share, shares, stds))
