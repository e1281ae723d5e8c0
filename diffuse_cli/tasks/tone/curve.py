"""The tone curve: linear light in, encoded values out, one channel at a time."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ...images.srgb import encoded


@dataclass(frozen=True, kw_only=True, slots=True)
class Curve:
    """Gain, black point, lift of the shadows and contrast, in this order, then the sRGB curve.

    Attributes:
        gain: factors of R, G and B: exposure times white balance.
        black: light of R, G and B, after the gain, that becomes 0; white stays. Dyes that fade leave coloured blacks.
        lift: slope at black of k x / (1 + (k - 1) x), which lifts shadows and keeps black and white; 1 = none.
        contrast: slope in the middle of the S-curve v^c / (v^c + (1 - v)^c) on encoded values; 1 = none.
    """

    gain: tuple[float, float, float] = (1.0, 1.0, 1.0)
    black: tuple[float, float, float] = (0.0, 0.0, 0.0)
    lift: float = 1.0
    contrast: float = 1.0

    @property
    def is_identity(self) -> bool:
        """Whether the curve changes nothing."""
        return self == Curve()

    def __call__(self, light: Tensor) -> Tensor:
        """Convert linear light (B, 3, H, W) to encoded values, 0 = black .. 1 = white, not clipped."""
        gain = torch.tensor(self.gain, dtype=light.dtype)[:, None, None]
        black = torch.tensor(self.black, dtype=light.dtype)[:, None, None]
        x = (light * gain - black) / (1 - black)
        if self.lift != 1:  # only between black and white, where it is monotone; beyond with its slope there
            inside = x.clamp(0, 1)
            beyond = (x - 1).clamp_min(0) / self.lift + x.clamp_max(0) * self.lift
            x = self.lift * inside / (1 + (self.lift - 1) * inside) + beyond
        v = encoded(x)
        if self.contrast != 1:
            inside = v.clamp(1e-6, 1 - 1e-6)
            high, low = inside**self.contrast, (1 - inside) ** self.contrast
            v = torch.where((v > 0) & (v < 1), high / (high + low), v)
        return v

    def through(self, light: Tensor, sigma: Tensor, *, clips: bool = False) -> tuple[Tensor, Tensor]:
        """Carry Gaussian noise in light through the curve, by Gauss and Hermite's rule.

        Where the curve is straight, the std is the slope times the std. In deep shadows, where it bends within the
        noise, the rule is more accurate.

        Args:
            light: (B, 3, H, W), smoothed, so that the slope does not follow the noise.
            sigma: (B, 3, H, W), std before clipping.
            clips: values below black were cut off. The smoothed light is then too bright there, and its noise too
                small.

        Returns:
            The std in encoded values, and the bias that the bend makes; (B, 3, H, W) each.
        """
        true = unclipped_mean(light, sigma) if clips else light
        mean, square = torch.zeros_like(light), torch.zeros_like(light)
        middle = self(true)
        for node, weight in zip(_NODES, _WEIGHTS, strict=True):
            drawn = true + node * sigma
            off = self(drawn.clamp_min(0) if clips else drawn) - middle
            mean += weight * off
            square += weight * off**2
        return (square - mean**2).clamp_min(0).sqrt(), mean


_NODES = (-2.856970013872806, -1.355626179974266, 0.0, 1.355626179974266, 2.856970013872806)
_WEIGHTS = (0.011257411327721, 0.222075922005613, 0.533333333333333, 0.222075922005613, 0.011257411327721)
"""Gauss and Hermite's five points, for a standard normal variable."""


def unclipped_mean(mean: Tensor, sigma: Tensor) -> Tensor:
    """Return the mean of a Gaussian from the mean that is left when its part below 0 is set to 0.

    It inverts t -> t Phi(t) + phi(t), in stds. The result is at least -1 std; less cannot be told.
    """
    t = torch.linspace(-1, 4, 256)
    left = t * torch.special.ndtr(t) + torch.exp(-0.5 * t**2) / math.sqrt(2 * math.pi)
    x = mean / sigma.clamp_min(1e-9)
    k = torch.searchsorted(left, x.contiguous()).clamp(1, len(t) - 1)
    share = ((x - left[k - 1]) / (left[k] - left[k - 1])).clamp(0, 1)
    return torch.where(x < left[-1], (t[k - 1] + share * (t[k] - t[k - 1])) * sigma, mean)
