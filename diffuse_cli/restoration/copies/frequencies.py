"""Softer copies beside sharper ones: of their frequencies, those count that they show, by how well they show them.

A copy y = H x + n, H its transfer function, tells of a picture x with noise of the spectrum N, by Kalman's formula,
x + K (y - H x), K = H N / (H^2 N + M), M the spectrum of n. H and M are read off the copy's spectrum and its
cross-spectrum with x, band by band. So nothing need be known of its size, blur or coder.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from .copy import Copy
from .registration import Map

Spectrum = NDArray[np.float64]

BANDS: Final = 24
"""Of frequencies, from 0 to that of the diagonal."""
PAD: Final = 32
"""Pixels by which a picture is mirrored at its edges."""
MOST_TRANSFER: Final = 1.2
LEAST_TRANSFER: Final = 0.1
"""What a copy shows by less than this share is left to the sharper ones."""
LEAST_SHARE: Final = 0.3
"""The share of the picture, windowed, that a copy must show for its spectrum to be read."""
_DIAGONAL: Final = 0.5**0.5


@dataclass(frozen=True, kw_only=True, slots=True)
class Corrected:
    """A picture with the frequencies of softer copies.

    Attributes:
        pixels: (H, W, C), [-1, 1] units.
        variance: (H, W), factor of the noise's variance.
        shares: (H, W) each, the share of each softer copy.
    """

    pixels: Map
    variance: Map
    shares: tuple[Map, ...]


def corrected(pixels: Map, noise: float, softer: Sequence[tuple[Copy, Map]]) -> Corrected:
    """Correct a picture by the frequencies that softer copies show well.

    Args:
        pixels: (H, W, C), fused of the sharper copies, [-1, 1] units.
        noise: the variance of its noise.
        softer: copies, and the std (H, W) by which each is weighed; inf where it tells nothing.
    """
    size = (pixels.shape[0], pixels.shape[1])
    band = _band(size)
    left = np.full(BANDS, noise)
    variance, shares = np.ones(size, np.float32), []
    for copy, sigma in softer:
        told = np.isfinite(sigma)
        found = _gains(pixels, copy.pixels, told, left) if noise > 0 else None
        share = 0.0
        if found is not None:
            transfer, gain = found
            off = (copy.pixels - _filtered(pixels, transfer)) * told[..., None]
            pixels = pixels + _filtered(off, gain)
            kept = 1 - transfer * gain
            share = 1 - _mean(left * kept, band) / _mean(left, band)
            left = left * kept
        shares.append(np.float32(share) * told)
        variance *= 1 - shares[-1]
    return Corrected(pixels=pixels, variance=variance, shares=tuple(shares))


def _gains(x: Map, y: Map, told: NDArray[np.bool_], noise: Spectrum) -> tuple[Spectrum, Spectrum] | None:
    """Return a copy's transfer function, and what of its difference counts, by band. None: too little is seen of it."""
    window = _window(told.shape) * told
    if window.mean() < LEAST_SHARE * _window(told.shape).mean():
        return None
    of_x, of_y, shared = _spectra(x, y, window)
    transfer = np.clip(shared / np.maximum(of_x - noise, 1e-12), 0, MOST_TRANSFER)
    transfer = np.where((of_x > noise) & (transfer > LEAST_TRANSFER), transfer, 0.0)
    apart = of_y - 2 * transfer * shared + transfer**2 * of_x
    gain = transfer * noise / np.maximum(np.maximum(apart, transfer**2 * noise), 1e-12)
    return transfer, gain


def _spectra(x: Map, y: Map, window: Map) -> tuple[Spectrum, Spectrum, Spectrum]:
    """Return the power spectra of two pictures and their cross-spectrum by band, of white noise its variance."""
    band = _band(window.shape)
    count = np.bincount(band.ravel(), minlength=BANDS)
    energy = float((window.astype(np.float64) ** 2).sum()) * x.shape[2]
    sums = np.zeros((3, BANDS))
    for c in range(x.shape[2]):
        one, other = (np.fft.rfft2((p[..., c] - np.average(p[..., c], weights=window)) * window) for p in (x, y))
        for k, product in enumerate((np.abs(one) ** 2, np.abs(other) ** 2, (one * other.conj()).real)):
            sums[k] += np.bincount(band.ravel(), product.ravel(), BANDS)
    power = sums / np.maximum(count, 1) / energy
    return power[0], power[1], power[2]


def _filtered(pixels: Map, gain: Spectrum) -> Map:
    """Return a picture whose frequencies are multiplied, mirrored at its edges."""
    around = [(min(PAD, n - 1),) * 2 for n in pixels.shape[:2]]
    out = np.empty_like(pixels)
    for c in range(pixels.shape[2]):
        wide = np.pad(pixels[..., c], around, mode="reflect")
        factor = np.interp(_frequency(wide.shape) * (BANDS / _DIAGONAL) - 0.5, np.arange(BANDS), gain)
        made = np.fft.irfft2(np.fft.rfft2(wide) * factor, s=wide.shape)
        out[..., c] = made[around[0][0] :, around[1][0] :][: out.shape[0], : out.shape[1]]
    return out


def _frequency(size: tuple[int, ...]) -> Map:
    """Return the frequency of each coefficient of the real transform of a picture, in periods a pixel."""
    found: Map = np.hypot(np.fft.fftfreq(size[0])[:, None], np.fft.rfftfreq(size[1])[None]).astype(np.float32)
    return found


def _band(size: tuple[int, ...]) -> NDArray[np.int64]:
    return np.minimum((_frequency(size) * (BANDS / _DIAGONAL)).astype(np.int64), BANDS - 1)


def _window(size: tuple[int, ...]) -> Map:
    found: Map = (np.hanning(size[0] + 2)[1:-1, None] * np.hanning(size[1] + 2)[None, 1:-1]).astype(np.float32)
    return found


def _mean(spectrum: Spectrum, band: NDArray[np.int64]) -> float:
    return float(spectrum[band].mean())
