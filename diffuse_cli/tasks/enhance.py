"""Enhance: give a picture better light, without the noise that it would show."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from .task import altered, check_range, to_recipe

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    import torch
    from numpy.typing import NDArray

    from ..degradation.operators import Degradation
    from ..images.picture import Picture
    from ..restoration.noise_reading import NoiseReader
    from ..restoration.problem import Problem
    from .tone.enhancement import ToneResult

WhiteBalance = Literal["auto", "off"]
MOST_STOPS = 6.0
_LIFTED = 1.5
"""Slope of the curve from which on a JPEG's own errors are removed. They are lifted as noise is."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Enhance:
    """Give a picture better light. Tone is changed in linear light.

    Attributes:
        exposure: in stops. What the highlights have no room for lifts the shadows. "auto" = towards middle gray, until
            the highlights are white; it never darkens.
        contrast: slope in the middle tones, 1 = as it is. "auto" = remove a veil over the blacks.
        clarity: local contrast, 0 = as it is, 1 = twice as much detail. "auto" = some, where a veil was.
        white_balance: "auto" = remove a cast that three estimators agree on; "off".
        strength: 0 = the input, 1 = all of it.

    Raises:
        UsageError: a value is out of range.
    """

    exposure: "float | Literal['auto']" = "auto"
    contrast: "float | Literal['auto']" = "auto"
    clarity: "float | Literal['auto']" = "auto"
    white_balance: WhiteBalance = "auto"
    strength: float = 1.0

    fills_holes: ClassVar[bool] = False

    def __post_init__(self) -> None:
        """Check the ranges."""
        for name, low, high in (("exposure", -MOST_STOPS, MOST_STOPS), ("contrast", 0.5, 2.0), ("clarity", -1.0, 2.0)):
            value = getattr(self, name)
            if value != "auto":
                check_range(name, value, low, high)
        check_range("strength", self.strength, 0, 1)

    def problem(self, picture: "Picture", read_noise: "NoiseReader | None" = None) -> "Problem":
        """Return what is known about a picture: how it looks in its new light, and its noise there."""
        from ..degradation.estimation.picture_noise import is_white, measured_noise
        from ..restoration.problem import Findings, Finish, GuidePicture, NoisyPicture, Problem
        from .tone.enhancement import ToneOptions, enhance

        if self.strength == 0:
            return Problem()
        wish = ToneOptions(
            exposure=self.exposure, contrast=self.contrast, clarity=self.clarity,
            balanced=self.white_balance == "auto", strength=self.strength,
        )  # fmt: skip
        coded = measured_noise(picture).level if picture.source.jpeg is not None else None
        white = coded is None or is_white(picture, coded)
        toned = enhance(_tensor(picture), wish, depth=picture.depth, level=None if white else coded)
        notes = (*_profile_note(picture), _note(toned))
        if toned.is_untouched and toned.sigma is None:
            return Problem(findings=Findings(notes=notes))
        channels = picture.pixels.shape[2]
        pixels = toned.x[0, :channels].permute(1, 2, 0).contiguous().numpy()
        sigma_y = None if toned.sigma is None else toned.sigma[0, 0].numpy()
        noise = 0.0 if toned.sigma is None else float(toned.sigma.square().mean().sqrt())
        what = None if white else _coded(picture, toned)
        seen = NoisyPicture(noise=noise, sigma_y=sigma_y)
        return Problem(
            picture=replace(picture, pixels=pixels),
            observation=seen if what is None else GuidePicture(degradation=what, sigma_y=sigma_y),
            finish=Finish(strength=self.strength, chroma_strength=self.strength),
            findings=Findings(facts={"tone": _found(toned)}, notes=notes),
        )

    @staticmethod
    def source_type(recipe: "Mapping[str, Any]") -> str | None:
        """Return IPTC's term for the result."""
        return altered(recipe)

    def to_recipe(self) -> dict[str, Any]:
        """Return the options as a recipe tells them."""
        return to_recipe(self)


def _tensor(picture: "Picture") -> "torch.Tensor":
    """Convert a picture to (1, 3, H, W). Fully transparent pixels get the mean colour, so that they do not count."""
    import torch

    pixels: NDArray[np.float32] = picture.pixels
    if picture.alpha is not None and (seen := picture.alpha > 0).any() and not seen.all():
        pixels = pixels.copy()
        pixels[~seen] = pixels[seen].mean(0)
    return torch.from_numpy(pixels).permute(2, 0, 1)[None].expand(-1, 3, -1, -1).contiguous()


def _coded(picture: "Picture", toned: "ToneResult") -> "Degradation | None":
    """Return a JPEG whose noise is no longer white as a guide. Its steps are lifted with it, so its quality is lower.

    In the IJG's scale the steps go with 200 - 2 q above quality 50, and with 5000 / q below.
    """
    from ..degradation.estimation.picture_noise import coded_quality
    from ..degradation.operators import Degradation

    if toned.sigma is None and toned.slope < _LIFTED:
        return None
    quality = coded_quality(picture)
    if quality < 100:
        steps = (200 - 2 * quality if quality >= 50 else 5000 / quality) * max(toned.slope, 1.0)
        quality = 100 - steps / 2 if steps <= 100 else 5000 / steps
    return Degradation(noise=0.0 if toned.sigma is None else float(toned.sigma.median()), quality=max(quality, 1.0))


def _profile_note(picture: "Picture") -> tuple[str, ...]:
    from ..images.srgb import foreign_profile

    name = foreign_profile(picture.source.icc)
    return () if name is None else (f"its colour profile is {name}, but light is computed by sRGB's curve",)


def _found(toned: "ToneResult") -> dict[str, float]:
    values = {
        "exposure": toned.stops, "lift": toned.lifted, "black": toned.black, "cast": toned.cast,
        "clarity": toned.clarity, "noise": toned.noise,
    }  # fmt: skip
    return {name: round(value, 4) for name, value in values.items()}


def _note(toned: "ToneResult") -> str:
    words = []
    if toned.stops:
        words.append(f"exposure {toned.stops:+.1f} EV")
    if toned.lifted:
        words.append(f"shadows {toned.lifted:+.1f} EV")
    if toned.black:
        words.append(f"removed a veil of {100 * toned.black:.1f} % of the light")
    if toned.cast:
        words.append(f"removed a cast of {toned.cast:.0f} degrees")
    if toned.clarity:
        words.append(f"clarity {toned.clarity:+.2f}")
    tone = ", ".join(words) or "tone unchanged"
    return f"{tone}; " + (f"noise: about {toned.noise:.1f} levels where it shows" if toned.noise else "no noise found")
