"""The noise of a picture in linear light: variance = gain * light + offset, the model of a sensor."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ...degradation.estimation.noise_level import estimate_noise
from ...degradation.estimation.noise_model import estimate_noise_model
from ...images.srgb import encoded, linear

_WHITE = 255.0


@dataclass(frozen=True, kw_only=True, slots=True)
class LightNoise:
    """Noise of variance gain * light + offset, light 0 = black .. 1 = white.

    Attributes:
        gain: of the light.
        offset: at black.
    """

    gain: float = 0.0
    offset: float = 0.0

    @property
    def is_none(self) -> bool:
        """Whether no noise was found."""
        return self.gain == self.offset == 0

    def sigma(self, light: Tensor) -> Tensor:
        """Return the std of the noise of light of any shape."""
        return (self.gain * light.clamp_min(0) + self.offset).sqrt()


def light_noise(light: Tensor, brighter: float) -> tuple[LightNoise, float]:
    """Estimate the noise on the picture made brighter, where it is as visible as it will be.

    Args:
        light: (1, 3, H, W), linear; equal channels for a gray picture.
        brighter: factor of the light.

    Returns:
        The noise of `light`, and its std in the brighter picture, in 8-bit levels of encoded values.
    """
    x = light * brighter
    level = estimate_noise(_levels(encoded(x)), clips=False).level
    if level == 0:
        return LightNoise(), 0.0
    lit = _levels(x)
    plain = estimate_noise(lit, clips=False).level
    ends = (float(lit.min()) + 1e-3, float(lit.max()) - 1e-3)
    model = estimate_noise_model(lit, plain or level, faintest=0.0, ends=ends)
    gain, offset = model.gain / _WHITE, model.offset / _WHITE**2
    if model.gain == 0:  # no line was found; noise that is even in encoded values is nearly proportional to light
        middle = float(encoded(x.clamp(0, 1)).median())
        slope = float(linear(torch.tensor(middle + 0.01)) - linear(torch.tensor(middle - 0.01))) / 0.02
        at = float(linear(torch.tensor(max(middle, 0.05))))
        gain, offset = (level / _WHITE * slope) ** 2 / at, 0.0
    return LightNoise(gain=gain / brighter, offset=offset / brighter**2), level


def _levels(x: Tensor) -> "np.ndarray[tuple[int, ...], np.dtype[np.float32]]":
    array = (x[0].permute(1, 2, 0) * _WHITE).contiguous().numpy()
    return array[..., :1] if bool((array == array[..., :1]).all()) else array


def rounding(light: Tensor, depth: int) -> Tensor:
    """Return the std, in light, of the rounding to the file's levels: a step / sqrt(12) of encoded values."""
    v, step = encoded(light), 1 / (2**depth - 1)
    return (linear(v + step) - linear(v - step)).abs() / 2 / math.sqrt(12)
