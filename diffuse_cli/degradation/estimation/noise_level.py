"""The std of the white noise in a picture, from the picture alone.

Numbers are 8-bit levels (0..255), whatever the depth of the file. `level` is the std of the noise that is in the
pixels. `nominal` is the std before an integer file clipped the noise at 0 and 255. They differ where noise is strong:
of noise 50, about 45 remain in an 8-bit file.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...system.arrays import equal_channels
from .blocks import content
from .chen import estimate_colour
from .ponomarenko import FEWEST_BLOCKS, estimate_planes

# Readings below this count as none. Of 53 noise-free training photographs 95 % read less (texture, rounding), while
# noise of std 1 reads more in all; and what is weaker cannot be seen (49 dB).
_FLOOR = 0.9
# Colour readings below this are checked against the planes' (at the cost of their time).
_FAINT = 8.0
# Where the planes read this much, and this many times what colour reads, the channels are dependent.
_DEPENDENT_LEVEL, _DEPENDENT_RATIO = 4.0, 2.5


@dataclass(frozen=True, kw_only=True, slots=True)
class NoiseEstimate:
    """The noise that an estimator read, in 8-bit levels.

    Attributes:
        level: std of the noise in the pixels; 0 where none is measurable.
        nominal: std before clipping at the ends of the range; `level` where nothing was clipped.
        method: "chen", "ponomarenko" or "jpeg-luma", or why nothing was read: "constant", "too small", "texture".
            Smoothed noise reads as texture, too: noise that was enlarged with the picture, for one.
    """

    level: float
    nominal: float
    method: str


def estimate_noise(levels: NDArray[np.float32], *, clips: bool) -> NoiseEstimate:
    """Estimate the noise of a picture that was not stored as JPEG.

    Colour pictures are read by the covariance of patches, which needs three channels that differ. Gray pictures, equal
    channels, channels with a singular covariance and small pictures are read by their flattest blocks.

    Args:
        levels: (H, W, 3) or (H, W, 1), finite, 0..255.
        clips: the file stores integers, so noise beyond 0 and 255 was cut off. This is believed only where as many
            pixels lie at the ends as such noise would leave there.

    Returns:
        The estimate; its level is 0 where no noise is measurable.
    """
    rows, columns = content(levels)
    levels = levels[rows, columns]
    if levels.size == 0:
        return NoiseEstimate(level=0.0, nominal=0.0, method="constant")
    if min(levels.shape[:2]) < 8 or (levels.shape[0] - 7) * (levels.shape[1] - 7) < FEWEST_BLOCKS:
        return NoiseEstimate(level=0.0, nominal=0.0, method="too small")
    if equal_channels(levels):
        return _floored(_by_planes(levels[:, :, :1], clips))
    found = estimate_colour(levels, clips)
    if found is None:
        return _floored(_by_planes(levels, clips))
    colour = NoiseEstimate(level=found[0], nominal=found[1], method="chen")
    return _floored(_agreed(colour, _by_planes(levels, clips)) if colour.level < _FAINT else colour)


def _by_planes(levels: NDArray[np.float32], clips: bool) -> NoiseEstimate:
    level, nominal, flat = estimate_planes(levels, clips)
    return NoiseEstimate(level=level, nominal=nominal, method="ponomarenko" if flat else "texture")


def _agreed(colour: NoiseEstimate, planes: NoiseEstimate) -> NoiseEstimate:
    """Return the lower of two readings of faint noise, or that of the planes if the channels are dependent.

    Texture raises both readings. Tinted gray, and chroma at half the resolution, leave directions almost without noise,
    and colour reads just these.
    """
    dependent = planes.level >= max(_DEPENDENT_LEVEL, _DEPENDENT_RATIO * colour.level)
    if dependent and planes.method != "texture":
        return planes
    return min(colour, planes, key=lambda estimate: estimate.level)


def _floored(estimate: NoiseEstimate) -> NoiseEstimate:
    if estimate.level >= _FLOOR and estimate.method != "texture":
        return estimate
    return NoiseEstimate(level=0.0, nominal=0.0, method=estimate.method)
