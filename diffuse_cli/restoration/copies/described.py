"""What happened to a copy."""

from dataclasses import dataclass

from ..noise_reading import FoundNoise


@dataclass(frozen=True, kw_only=True, slots=True)
class Described:
    """What happened to a copy.

    Attributes:
        noise: its noise.
        quality: of its JPEG, 100 = none.
        subsampling: of the JPEG's chroma.
        blur: std of a Gaussian in pixels of the copy, 0 = none that shows.
        spread: std of the logarithm of that, as far as it is known.
    """

    noise: FoundNoise
    quality: float = 100.0
    subsampling: str = "4:2:0"
    blur: float = 0.0
    spread: float = 0.0
