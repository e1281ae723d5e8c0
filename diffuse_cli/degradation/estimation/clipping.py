"""Noise that was clipped at the ends of the range (Foi 2009, "Clipped noisy images")."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .blocks import WHITE, at_ends

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True)
class Means:
    """A histogram of local means.

    Attributes:
        value: (K,), levels.
        share: (K,), of all means.
    """

    value: Floats
    share: Floats


def histogram(means: NDArray[np.float32]) -> Means:
    """Return the histogram of local means.

    Args:
        means: of any shape, levels 0..255.
    """
    counts, edges = np.histogram(means, bins=256, range=(0.0, WHITE))
    return Means(value=(edges[:-1] + edges[1:]) / 2, share=counts / max(int(counts.sum()), 1))


def normal_cdf(x: Floats) -> Floats:
    """Return the chance that a standard normal number is below each x."""
    from scipy.special import ndtr  # late: every start would wait for it

    return np.asarray(ndtr(x), np.float64)


def _clipped_moments(mu: Floats, std: float) -> tuple[Floats, Floats]:
    """Return mean and variance of clip(N(mu, std), 0, 255)."""
    a, b = -mu / std, (WHITE - mu) / std
    below, above = normal_cdf(a), 1 - normal_cdf(b)
    inside = 1 - below - above
    pdf_a, pdf_b = _normal_pdf(a), _normal_pdf(b)
    first = mu * inside + std * (pdf_a - pdf_b) + WHITE * above
    second = (mu**2 + std**2) * inside + 2 * mu * std * (pdf_a - pdf_b) + WHITE**2 * above
    second += std**2 * (a * pdf_a - b * pdf_b)
    return first, np.maximum(second - first**2, 0.0)


def variance_at_mean(means: NDArray[np.floating], std: float) -> Floats:
    """Return the variance that clipping leaves of noise.

    Args:
        means: local means of the clipped noisy picture.
        std: of the noise before clipping.
    """
    mu = np.linspace(-4 * std, WHITE + 4 * std, 256)
    mean, variance = _clipped_moments(mu, std)
    return np.asarray(np.maximum(np.interp(means, mean, variance), 1e-6), dtype=np.float64)


def left_of_clipped(means: NDArray[np.floating], std: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return the std that clipping at 0 and 255 leaves of noise.

    Each end is taken alone: noise that reaches both ends of the range leaves no picture.

    Args:
        means: local means of the clipped noisy picture, of any shape.
        std: of the noise before clipping, of the same shape.
    """
    t = np.linspace(-4, 6, 512)
    mean = t * normal_cdf(t) + _normal_pdf(t)
    left = np.sqrt(np.maximum((t**2 + 1) * normal_cdf(t) + t * _normal_pdf(t) - mean**2, 0))
    unit = np.maximum(std, 1e-6)
    share = np.interp(means / unit, mean, left) * np.interp((WHITE - means) / unit, mean, left)
    return np.asarray(std * share, dtype=np.float32)


def unclip(std: float, means: Means) -> float:
    """Return the std that noise had before clipping.

    Args:
        std: root of the noise's mean variance after clipping.
        means: local means of the clipped noisy picture.
    """
    low, high = std, 4 * std + 1
    for _ in range(20):
        middle = (low + high) / 2
        if float(means.share @ variance_at_mean(means.value, middle)) < std**2:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def std_present(nominal: float, means: Means) -> float:
    """Return the std of (clipped noisy - clean) over a picture; the inverse of `unclip`.

    Clipping also shifts dark places up and bright ones down, which is part of the error.

    Args:
        nominal: std of the noise before clipping.
        means: local means of the clipped noisy picture.
    """
    mu = np.linspace(0.0, WHITE, 256)
    mean, variance = _clipped_moments(mu, nominal)
    shift = np.interp(means.value, mean, mean - mu)
    left = np.interp(means.value, mean, variance)
    return math.sqrt(float(means.share @ (left + shift**2) - (means.share @ shift) ** 2))


def shows_clipping(levels: NDArray[np.float32], means: Means, std: float) -> bool:
    """Return whether at least half as many pixels lie at the ends of the range as clipped noise would leave there.

    Args:
        levels: the picture, 0..255, of any shape.
        means: its local means.
        std: of the noise before clipping.
    """
    mu = np.linspace(-4 * std, WHITE + 4 * std, 256)
    mean, _ = _clipped_moments(mu, std)
    outside = normal_cdf(-mu / std) + normal_cdf((mu - WHITE) / std)
    expected = float(means.share @ np.interp(means.value, mean, outside))
    return float(np.mean(at_ends(levels))) >= expected / 2


def _normal_pdf(x: Floats) -> Floats:
    return np.asarray(np.exp(-(x**2) / 2) / math.sqrt(2 * math.pi))
