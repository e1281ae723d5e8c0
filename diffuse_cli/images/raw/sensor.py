"""What a camera RAW file says beside its light."""

from dataclasses import dataclass, field
from typing import Any

from .noise_law import NoiseLaw

Tag = tuple[int, int, Any]
"""Number, TIFF type and value of a tag."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SensorData:
    """What a camera RAW file says beside its light. Colours come in the order red, green, blue.

    Attributes:
        gains: the white balance that the light was multiplied by, at least 1.
        laws: noise of the sensor's own numbers, before the white balance, 0 = black .. 1 = white.
        seen: the same as it is measured in the picture, whose colours were interpolated.
        full: the brightest number of the sensor, where it was full.
        is_stated: the laws stand in the file.
        is_mosaic: colours were interpolated, which makes the noise correlate.
        orientation: as EXIF numbers it.
        tags: of the DNG that is written: colours, white balance, crop.
    """

    gains: tuple[float, float, float]
    laws: tuple[NoiseLaw, NoiseLaw, NoiseLaw]
    seen: tuple[NoiseLaw, NoiseLaw, NoiseLaw]
    full: float = 1.0
    is_stated: bool = False
    is_mosaic: bool = True
    orientation: int = 1
    tags: tuple[Tag, ...] = field(default=(), repr=False)
