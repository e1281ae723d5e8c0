"""Which blur a picture has: a Gaussian, a straight motion or a lens out of focus, from its power spectrum in the plane.

The spectrum of a photograph falls as a power of the frequency. A kernel multiplies it by the square of its transform: a
sinc across a motion, rings for a disk. The zeros of these leave the noise alone, where a Gaussian leaves none.
"""

import math
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from .blocks import luma_weights

Floats = NDArray[np.float64]
Kind = Literal["Gaussian", "motion", "defocus"]
_SIDE: Final = 128
_LARGEST: Final = 1024
_AT_ONCE: Final = 16
"""Kernels whose numbers fit into a processor's cache together."""
_SLOPES: Final = (2.0, 2.4, 2.8, 3.2)
_FARTHEST: Final = 3.0
"""The most that one frequency may be off, as a logarithm of its power."""
_SOFT: Final = 0.3
"""Std of the blur that every camera adds to a motion or a disk, in pixels."""
_NO_MORE: Final = 0.25
"""Misfit of a Gaussian below which no other kernel is tried."""
_CLEARLY: Final = 0.85
"""The share of a Gaussian's misfit below which a picture has another blur. Gaussian blurs measure 0.94 and more."""
_BETTER, _UNLIKE = 1.5, 0.8
"""A kernel is sure if a Gaussian's misfit is so many times its own, and its own is at most this."""
_UNEXPLAINED: Final = 1.5
"""Misfit of a Gaussian from which no blur is undone, unless another is sure. Sharp photographs measure up to 0.7."""
_ROUNDING: Final = 1 / 12
_SMALLEST: Final = 192
_RADII: Final = np.arange(1.5, 12.1, 0.25)
_LENGTHS: Final = (*range(4, 12), *range(12, 41, 2))
_SHORTEST: Final = 2.0
"""Pixels of a motion, at least: fur has less power along one direction, too."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BlurKind:
    """Which blur a picture has.

    Attributes:
        kind: the kernel that explains the spectrum best.
        values: the Gaussian's std, the motion's length and angle, or the disk's radius, in pixels and degrees.
        is_sure: it explains the spectrum, and nothing else does as well. Never of a Gaussian.
        misfit: mean square of the misfit in the logarithm.
        misfit_of_gaussian: the same for the best Gaussian.
    """

    kind: Kind
    values: tuple[float, ...]
    is_sure: bool
    misfit: float
    misfit_of_gaussian: float

    @property
    def is_unlike_any(self) -> bool:
        """Whether no Gaussian explains the picture, as far as it is blurred, and nothing else is sure."""
        is_other = self.misfit < min(_CLEARLY * self.misfit_of_gaussian, _UNLIKE)
        return not self.is_sure and (is_other or self.misfit_of_gaussian > _UNEXPLAINED)

    def words(self) -> str:
        """Return what it is, for people."""
        if self.kind == "motion":
            return f"a motion of {self.values[0]:.1f} pixels at {self.values[1]:.0f} degrees"
        if self.kind == "defocus":
            return f"a lens out of focus by {self.values[0]:.1f} pixels"
        return f"a Gaussian of {self.values[0]:.1f} pixels"


def blur_kind(levels: NDArray[np.float32], noise: float) -> BlurKind | None:
    """Find the kernel that explains the power spectrum best. None: the picture is too small to tell.

    Args:
        levels: (H, W, C), 0..255.
        noise: std of white noise in each channel, in levels.
    """
    if min(levels.shape[:2]) < _SMALLEST:
        return None
    weights = luma_weights(levels.shape[2]).astype(np.float64)
    plane = _Plane(_middle(levels) @ weights, float((weights**2).sum()) * noise**2 + _ROUNDING)
    stds = np.arange(0, 6.01, 0.1)
    misfits = plane.misfit(np.stack([plane.gaussian(std) for std in stds]))
    gaussian, misfit = float(stds[misfits.argmin()]), float(misfits.min())
    plain = BlurKind(
        kind="Gaussian", values=(gaussian,), is_sure=False, misfit=misfit, misfit_of_gaussian=misfit
    )  # fmt: skip
    if misfit < _NO_MORE / 2:
        return plain
    others = [plane.best_disk(), *([plane.best_motion()] if misfit >= _NO_MORE else [])]
    kind, values, own = min(others, key=lambda found: found[2])
    if own >= misfit or (kind == "motion" and values[0] < _SHORTEST):
        return plain
    return BlurKind(
        kind=kind, values=values, is_sure=own * _BETTER < misfit and own < _UNLIKE, misfit=own,
        misfit_of_gaussian=misfit,
    )  # fmt: skip


class _Plane:
    """The mean power spectrum of a picture's parts, and how well kernels explain it."""

    def __init__(self, luma: Floats, floor: float) -> None:
        down, across = np.fft.fftfreq(_SIDE)[:, None], np.fft.rfftfreq(_SIDE)[None]
        radius = np.hypot(down, across)
        used = (radius > 0.03) & (radius < 0.48) & (np.abs(down) > 1.5 / _SIDE) & (across > 1.5 / _SIDE)
        self.down, self.across = (np.broadcast_to(part, radius.shape)[used] for part in (down, across))
        self.radius, self.power = radius[used], _mean_power(luma)[used]
        self.floor = floor

    def gaussian(self, std: float) -> Floats:
        """Return the square of a Gaussian's transform."""
        return np.asarray(np.exp(-4 * math.pi**2 * std**2 * self.radius**2))

    def disk(self, radius: float) -> Floats:
        """Return the square of a disk's transform."""
        from scipy.special import j1

        z = 2 * math.pi * radius * self.radius
        return np.asarray((2 * j1(z) / z) ** 2 * self.gaussian(_SOFT))

    def motion(self, length: float, angle: float) -> Floats:
        """Return the square of a motion's transform."""
        turn = math.radians(angle)
        along = self.across * math.cos(turn) - self.down * math.sin(turn)
        return np.asarray(np.sinc(length * along) ** 2 * self.gaussian(_SOFT))

    def misfit(self, kernels: Floats) -> Floats:
        """Return the mean square of ln(power / model), for the best slope. The model is A f^-slope |K|^2 + noise.

        Args:
            kernels: (n, frequencies), squares of transforms.
        """
        falls = [self.radius**-slope for slope in _SLOPES]
        parts = [kernels[begin : begin + _AT_ONCE] for begin in range(0, len(kernels), _AT_ONCE)]
        return np.concatenate([np.min([self._misfit(fall * part) for fall in falls], 0) for part in parts])

    def _misfit(self, shape: Floats) -> Floats:
        least = 1e-6 * shape.max(1, keepdims=True)
        a = np.exp((np.log(self.power) - np.log(shape + least)).mean(1, keepdims=True))
        for _ in range(8):  # Gauss and Newton, for ln A
            share = a * shape
            model = share + self.floor
            share /= model
            step = (share * (self.power / model - 1)).sum(1, keepdims=True) / (share**2).sum(1, keepdims=True)
            a = a * np.exp(np.clip(step, -1, 1))
        off = np.abs(np.log(self.power / (a * shape + self.floor)))
        return np.asarray((np.minimum(off, _FARTHEST) ** 2).mean(1))

    def best_disk(self) -> tuple[Kind, tuple[float, ...], float]:
        """Return the disk that fits best."""
        from scipy.optimize import minimize  # late, for it takes half a second, and few pictures need it

        misfits = self.misfit(np.stack([self.disk(radius) for radius in _RADII]))
        begin = [float(_RADII[misfits.argmin()])]
        found = minimize(lambda v: self.misfit(self.disk(max(v[0], 0.5))[None])[0], begin, method="Nelder-Mead",
                         options={"maxiter": 30, "initial_simplex": [begin, [begin[0] + 0.1]]})  # fmt: skip
        return "defocus", (round(max(float(found.x[0]), 0.5), 2),), float(found.fun)

    def best_motion(self) -> tuple[Kind, tuple[float, ...], float]:
        """Return the motion that fits best."""
        from scipy.optimize import minimize

        grid = [
            (float(length), float(angle))
            for length in _LENGTHS
            for angle in np.arange(0, 180, 7.5 if length > 10 else 15)
        ]
        misfits = self.misfit(np.stack([self.motion(*one) for one in grid]))
        length, angle = grid[int(misfits.argmin())]

        def refined(length: float, angle: float) -> tuple[float, float, float]:
            begin = [[length, angle], [length + 1, angle], [length, angle + 5]]
            found = minimize(lambda v: self.misfit(self.motion(max(v[0], 1.0), v[1])[None])[0], begin[0],
                             method="Nelder-Mead", options={"maxiter": 60, "initial_simplex": begin})  # fmt: skip
            return float(found.fun), max(float(found.x[0]), 1.0), float(found.x[1])

        found = refined(length, angle)
        # Half the length has every second zero, and fits better where the grid's angle is a little off.
        own, length, angle = min(found, refined(2 * found[1], found[2]))
        return "motion", (round(length, 1), round(angle, 1) % 180), own


def _middle(levels: NDArray[np.float32]) -> Floats:
    """Return the middle of a picture, at most 1024 pixels a side."""
    h, w = (min(n, _LARGEST) for n in levels.shape[:2])
    top, left = (levels.shape[0] - h) // 2, (levels.shape[1] - w) // 2
    return levels[top : top + h, left : left + w].astype(np.float64)


def _mean_power(luma: Floats) -> Floats:
    """Return the mean power of overlapping windows. White noise has its variance."""
    window = np.outer(np.hanning(_SIDE), np.hanning(_SIDE))
    total, count = np.zeros((_SIDE, _SIDE // 2 + 1)), 0
    for i in range(0, luma.shape[0] - _SIDE + 1, _SIDE // 2):
        for j in range(0, luma.shape[1] - _SIDE + 1, _SIDE // 2):
            part = luma[i : i + _SIDE, j : j + _SIDE]
            part = (part - (part * window).sum() / window.sum()) * window
            total += np.abs(np.fft.rfft2(part)) ** 2 / (window**2).sum()
            count += 1
    return total / count + 1e-9
