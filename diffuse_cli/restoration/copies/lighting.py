"""The light of a copy: a gain and an offset for each channel, fitted robustly to what it shares with the reference."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ...images.units import LEVEL

Map = NDArray[np.float32]

BLOCK: Final = 8
"""Side in pixels of the means that are compared: noise hardly counts in them."""
LEAST_BLOCKS: Final = 12
MOST_GAIN: Final = 4.0
LEAST_CONTRAST: Final = 3.0 / LEVEL
"""Std of the means below which only their offset is read, [-1, 1] units."""
CLIPPED: Final = 1 - 1.5 / LEVEL
"""Means beyond this, and beneath its negative, hold clipped pixels."""
ROUNDS: Final = 20
CHANGED: Final = 0.02
"""A gain that differs from 1 by more than this shows what a copy had clipped."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Light:
    """How a copy's light becomes the reference's, channel by channel: gain x + offset.

    Attributes:
        gain: (C,).
        offset: (C,), [-1, 1] units.
    """

    gain: Map
    offset: Map

    def matched(self, pixels: Map) -> Map:
        """Return a copy (H, W, C) in the reference's light."""
        return pixels * self.gain + self.offset

    @property
    def square(self) -> float:
        """The factor of a noise's variance."""
        return float(np.mean(self.gain**2))

    def clipped(self, pixels: Map) -> NDArray[np.bool_]:
        """Return where a copy (H, W, C) was clipped, and the reference would not be."""
        is_same = float(np.abs(self.gain - 1).max()) < CHANGED and float(np.abs(self.offset).max()) < CHANGED
        found: NDArray[np.bool_] = np.any(np.abs(pixels) > (np.inf if is_same else CLIPPED), axis=2)
        return found


def match_light(reference: Map, copy: Map, inside: NDArray[np.bool_]) -> Light:
    """Fit a copy's light to the reference's, by Tukey's weights: what moved does not count.

    Args:
        reference: (H, W, C), [-1, 1] units.
        copy: the same, registered.
        inside: (H, W), where the copy shows anything.
    """
    channels = reference.shape[2]
    whole = _means(inside.astype(np.float32)[..., None])[..., 0] > 1 - 1e-6
    pairs = [(_means(reference[..., c : c + 1])[whole], _means(copy[..., c : c + 1])[whole]) for c in range(channels)]
    fits = [_fit(one[:, 0], other[:, 0]) for one, other in pairs]
    return Light(gain=np.array([f[0] for f in fits], np.float32), offset=np.array([f[1] for f in fits], np.float32))


def _means(values: Map) -> Map:
    """Return the means of blocks (h, w, C) of a picture."""
    height, width = (n // BLOCK for n in values.shape[:2])
    parts = values[: height * BLOCK, : width * BLOCK].reshape(height, BLOCK, width, BLOCK, -1)
    means: Map = parts.mean((1, 3))
    return means


def _fit(one: Map, other: Map) -> tuple[float, float]:
    """Return the gain and the offset that make the second the first."""
    seen = (np.abs(one) < CLIPPED) & (np.abs(other) < CLIPPED)
    y, x = one[seen].astype(np.float64), other[seen].astype(np.float64)
    if len(x) < LEAST_BLOCKS:
        return 1.0, 0.0
    if min(x.std(), y.std()) < LEAST_CONTRAST:
        return 1.0, float(np.median(y - x))
    gain = float(np.clip(y.std() / x.std(), 1 / MOST_GAIN, MOST_GAIN))
    offset = float(np.median(y - gain * x))
    for _ in range(ROUNDS):
        off = y - gain * x - offset
        reach = 4.685 * max(1.4826 * float(np.median(np.abs(off))), 0.1 / LEVEL)
        weights = np.clip(1 - (off / reach) ** 2, 0, None) ** 2
        total = weights.sum()
        mx, my = (weights @ x) / total, (weights @ y) / total
        spread = weights @ (x - mx) ** 2
        if spread / total < LEAST_CONTRAST**2 / 4:
            return 1.0, float(np.median(y - x))
        gain = float(np.clip((weights @ ((x - mx) * (y - my))) / spread, 1 / MOST_GAIN, MOST_GAIN))
        offset = my - gain * mx
    return gain, offset
