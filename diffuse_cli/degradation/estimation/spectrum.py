"""How blurred a picture is, from the shape of its power spectrum."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .blocks import luma_weights

Floats = NDArray[np.float64]

_BINS = np.geomspace(0.02, 0.5, 26)
_STDS = np.arange(0, 6.01, 0.05)
# Slope of the power spectrum of sharp photographs, and its spread (Field 1987; fitted on training photographs).
_SLOPE, _SLOPE_SPREAD = 2.6, 0.35
# How far the noise's power may be from the one estimated, as a std of its logarithm.
_NOISE_SPREAD = 0.3
# Root of the mean squared misfit in the logarithm beyond which the picture is no photograph of this kind.
_MISFIT = 0.5
# A photograph's spectrum strays from the power law by about 0.2, neighbouring bins together: counted as independent.
_STRAY = 0.4
_SMALLEST = 64
_LARGEST = 1024
_ROUNDING = 1 / 12
"""Variance of rounding to 8 bits."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Blur:
    """What the spectrum says.

    Attributes:
        std: of a Gaussian blur, in pixels; None where the spectrum is not that of a blurred photograph.
        spread: uncertainty of the fit, as a std.
        misfit: root mean square of the misfit in the logarithm.
        slope: of the spectrum without the blur; below 1.8 sharpened.
    """

    std: float | None
    spread: float
    misfit: float
    slope: float


def estimate_blur(levels: NDArray[np.float32], noise: float) -> Blur:
    """Fit `A f^-slope exp(-4 pi^2 std^2 f^2) + N` to the radial power spectrum, in the logarithm.

    Args:
        levels: (H, W, C), 0..255.
        noise: std of white noise in each channel, in levels; sets N.

    Returns:
        One std for the whole picture: depth of field and vignetting are averaged.
    """
    if min(levels.shape[:2]) < _SMALLEST:
        return Blur(std=None, spread=math.inf, misfit=math.inf, slope=math.nan)
    weights = luma_weights(levels.shape[2]).astype(np.float64)
    h, w = (min(n, _LARGEST) for n in levels.shape[:2])
    top, left = (levels.shape[0] - h) // 2, (levels.shape[1] - w) // 2
    frequencies, power = radial_power(levels[top : top + h, left : left + w].astype(np.float64) @ weights)
    floor = float((weights**2).sum()) * noise**2 + _ROUNDING
    return _fit(frequencies, np.log(power), math.log(floor))


def radial_power(luma: Floats) -> tuple[Floats, Floats]:
    """Return frequencies in cycles a pixel and the mean power at each, without the axes. White noise has its variance.

    Args:
        luma: (H, W).
    """
    h, w = luma.shape
    window = np.outer(np.hanning(h), np.hanning(w))
    part = (luma - (luma * window).sum() / window.sum()) * window
    power = np.abs(np.fft.rfft2(part)) ** 2 / (window**2).sum()
    down, across = np.fft.fftfreq(h)[:, None], np.fft.rfftfreq(w)[None]
    radius = np.hypot(down, across)
    usable = (np.abs(down) > 1.5 / h) & (across > 1.5 / w)
    bins = np.digitize(radius, _BINS) - 1
    kept = [(usable & (bins == k)) for k in range(len(_BINS) - 1)]
    found = [(np.exp(np.log(radius[m]).mean()), np.exp(np.log(power[m] + 1e-9).mean())) for m in kept if m.sum() >= 8]
    frequencies, means = np.array(found).T
    # The mean logarithm of a power with two degrees of freedom lies below that of its mean by Euler's constant.
    return frequencies, means * math.exp(np.euler_gamma)


def _fit(f: Floats, log_power: Floats, log_floor: float) -> Blur:
    """Fit (ln A, slope, ln N) by least squares for each std of a grid, all at once, by Gauss and Newton."""
    stds = _STDS[:, None]
    damped = -4 * math.pi**2 * stds**2 * f**2
    theta = np.tile([float(log_power[0]) + _SLOPE * math.log(f[0]), _SLOPE, log_floor], (len(_STDS), 1))
    prior = np.array([0.0, 1 / _SLOPE_SPREAD**2, 1 / _NOISE_SPREAD**2])
    centre = np.array([0.0, _SLOPE, log_floor])
    scale = 1 / _STRAY**2
    for _ in range(12):
        signal = theta[:, :1] - theta[:, 1:2] * np.log(f) + damped
        model = np.logaddexp(signal, theta[:, 2:])
        share = np.exp(signal - model)
        jacobian = np.stack([share, -share * np.log(f), 1 - share], 2)
        residual = log_power - model
        hessian = scale * np.einsum("sbi,sbj->sij", jacobian, jacobian) + np.diag(prior) + 1e-6 * np.eye(3)
        gradient = scale * np.einsum("sbi,sb->si", jacobian, residual) - prior * (theta - centre)
        theta = theta + np.clip(np.linalg.solve(hessian, gradient[..., None])[..., 0], -2, 2)
    signal = theta[:, :1] - theta[:, 1:2] * np.log(f) + damped
    residual = log_power - np.logaddexp(signal, theta[:, 2:])
    cost = scale * (residual**2).sum(1) + (prior * (theta - centre) ** 2).sum(1)
    weight = np.exp(-0.5 * (cost - cost.min()))
    weight /= weight.sum()
    mean = float((weight * _STDS).sum())
    best = int(np.argmin(cost))
    misfit = float(np.sqrt((residual[best] ** 2).mean()))
    return Blur(
        std=float(_STDS[best]) if misfit < _MISFIT else None,
        spread=float(np.sqrt((weight * (_STDS - mean) ** 2).sum())),
        misfit=misfit,
        slope=float(theta[best, 1]),
    )
