"""The noise of each pixel, where it depends on brightness and on the place."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from ..operators import blur
from .blocks import WHITE
from .clipping import left_of_clipped
from .noise_model import FAINTEST, estimate_noise_model
from .shading import estimate_shading

_SMOOTHING = 2.0
"""Std in pixels of the blur after which brightness is read: a map made of the noisy levels would follow their noise."""
_FAINTEST = 0.5


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class VaryingNoise:
    """Noise that differs from place to place.

    Attributes:
        std: (H, W) in 8-bit levels, as it is in the pixels, clipped at the ends of the range.
        gain: of variance = gain * level + offset, before `shading`, in levels.
        offset: of the same, in squared levels.
        shading: largest over smallest factor of the std by place; 1 = none.
    """

    std: NDArray[np.float32]
    gain: float
    offset: float
    shading: float


def estimate_varying_noise(
    levels: NDArray[np.float32], level: float, *, by_place: bool, clips: bool, faintest: float = FAINTEST
) -> VaryingNoise | None:
    """Estimate the noise of each pixel of a picture that was not stored as JPEG.

    Args:
        levels: (H, W, C), 0..255 where they are not floats.
        level: std of the noise, taken as one for the whole picture.
        by_place: look for a dependence on the place, too.
        clips: the file stores integers, so noise beyond 0 and 255 was cut off.
        faintest: level below which no dependence on brightness is looked for.

    Returns:
        None where neither brightness nor place makes a sure difference.
    """
    model = estimate_noise_model(levels, level, faintest=faintest)
    shading = estimate_shading(levels, model, level) if by_place else None
    if model.gain == 0 and shading is None:
        return None
    factors = np.float32(1) if shading is None else shading
    variance = np.zeros(levels.shape[:2], np.float32)
    for channel in range(levels.shape[2]):
        smooth = _smoothed(levels[..., channel])
        std = np.sqrt(np.maximum(model.gain * smooth + model.offset, 0)) * factors
        variance += (left_of_clipped(smooth, std) if clips else std) ** 2 / levels.shape[2]
    if model.gain == 0:  # the level is read from the whole picture, and so better than the cells' shares of it
        variance *= level**2 / max(float(variance.mean()), 1e-6)
    std = np.sqrt(np.maximum(variance, _FAINTEST**2))
    spread = 1.0 if shading is None else float(shading.max() / shading.min())
    return VaryingNoise(std=std.astype(np.float32), gain=model.gain, offset=model.offset, shading=spread)


def _smoothed(plane: NDArray[np.float32]) -> NDArray[np.float32]:
    x = torch.from_numpy(np.ascontiguousarray(plane, dtype=np.float32))[None, None]
    smooth: NDArray[np.float32] = blur(x, _SMOOTHING)[0, 0].clamp(0, WHITE).numpy()
    return smooth
