"""Enhance: give a picture better light, without the noise that it would show."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from ..errors import UsageError
from .task import MAX_NOISE, altered, check_range, to_recipe

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy as np
    import torch
    from numpy.typing import NDArray

    from ..images.picture import Picture
    from ..restoration.noise_reading import FoundNoise, NoiseReader
    from ..restoration.problem import GuidePicture, NoisyPicture, Problem
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
        saturation: factor of the colours, 1 = as they are, 0 = gray. "auto" = dull colours come back where a veil was.
        white_balance: "auto" = remove a cast that three estimators agree on; "off".
        noise: the picture's noise as the file has it, in 8-bit levels; "auto" = read it in the new light; "poisson" =
            take it as white and estimate it by brightness.
        strength: 0 = the input, 1 = all of it.

    Raises:
        UsageError: a value is out of range.
    """

    exposure: "float | Literal['auto']" = "auto"
    contrast: "float | Literal['auto']" = "auto"
    clarity: "float | Literal['auto']" = "auto"
    saturation: "float | Literal['auto']" = "auto"
    white_balance: WhiteBalance = "auto"
    noise: "float | Literal['auto', 'poisson']" = "auto"
    strength: float = 1.0

    fills_holes: ClassVar[bool] = False

    def __post_init__(self) -> None:
        """Check the ranges."""
        for name, low, high in (
            ("exposure", -MOST_STOPS, MOST_STOPS),
            ("contrast", 0.5, 2.0),
            ("clarity", -1.0, 2.0),
            ("saturation", 0.0, 3.0),
        ):
            value = getattr(self, name)
            if value != "auto":
                check_range(name, value, low, high)
        if not isinstance(self.noise, str):
            check_range("noise", self.noise, 0, MAX_NOISE)
        elif self.noise not in ("auto", "poisson"):
            raise UsageError(f"--noise must be a number, auto or poisson, not {self.noise}")
        check_range("strength", self.strength, 0, 1)

    def problem(self, picture: "Picture", read_noise: "NoiseReader | None" = None) -> "Problem":
        """Return what is known about a picture: how it looks in its new light, and its noise there."""
        from ..restoration.problem import Problem

        return Problem() if self.strength == 0 else self._lit(picture, read_noise).problem

    def for_frames(self, judged: "Picture", read_noise: "NoiseReader | None") -> "Callable[[Picture], Problem]":
        """Return what tells the problem of each frame of an animation: in the light and with the noise of one frame.

        Args:
            judged: that frame.
            read_noise: as for `problem`.
        """
        if self.strength == 0:
            return lambda frame: self.problem(frame)
        like = self._lit(judged, read_noise)
        return lambda frame: self._lit(frame, None, like).problem

    def _lit(self, picture: "Picture", read_noise: "NoiseReader | None", like: "_Lit | None" = None) -> "_Lit":
        """Return a picture in its new light: its own, or that of another one."""
        from ..restoration.problem import Findings, Finish, Problem
        from .tone.enhancement import ToneOptions, enhance

        wish = ToneOptions(
            exposure=self.exposure, contrast=self.contrast, clarity=self.clarity, saturation=self.saturation,
            balanced=self.white_balance == "auto", strength=self.strength,
        )  # fmt: skip
        level, white = self._level(picture) if like is None else (None, like.is_white)
        tone = None if like is None else like.toned
        toned = enhance(_tensor(picture), wish, depth=picture.depth, level=level, like=tone)
        lit = replace(picture, pixels=_pixels(toned, picture.pixels.shape[2]))
        noise = self._correlated(lit, toned, read_noise) if like is None else like.noise
        notes = (*_profile_note(picture), _note(toned, noise))
        problem = Problem(findings=Findings(notes=notes))
        if not (toned.is_untouched and toned.sigma is None and noise is None):
            problem = Problem(
                picture=lit,
                observation=_white(picture, toned, stored=not white)
                if noise is None
                else _guide(noise, picture, toned),
                finish=Finish(strength=self.strength, chroma_strength=self.strength),
                findings=Findings(facts={"tone": _found(toned, noise)}, notes=notes),
            )
        return _Lit(problem=problem, toned=toned, noise=noise, is_white=white)

    def _level(self, picture: "Picture") -> tuple[float | None, bool]:
        """Return the noise of the file in 8-bit levels, None where its light is to tell, and whether it is white."""
        from ..degradation.estimation.drawings import has_few_levels, is_hard
        from ..degradation.estimation.picture_noise import is_white, measured_noise

        if not isinstance(self.noise, str):
            return self.noise, is_white(picture, self.noise)
        levels = picture.in_levels()
        if has_few_levels(levels) or is_hard(levels):
            return 0.0, True  # the dots and edges of drawings are no noise
        coded = measured_noise(picture).level if picture.source.jpeg is not None else None
        white = coded is None or is_white(picture, coded)
        return None if white else coded, white

    def _correlated(self, lit: "Picture", toned: "ToneResult", read: "NoiseReader | None") -> "FoundNoise | None":
        """Return the correlated noise of a picture in its new light. None: there is none, or it is white."""
        from ..restoration.noise_reading import find_noise, given_noise

        if self.noise == "poisson" or self.noise == 0:
            return None
        if self.noise == "auto":
            found = find_noise(lit, read, toned.noise)
        else:
            found = given_noise(toned.level, None, lit, read)
        return None if found.grain is None else found

    @staticmethod
    def source_type(recipe: "Mapping[str, Any]") -> str | None:
        """Return IPTC's term for the result."""
        return altered(recipe)

    def to_recipe(self) -> dict[str, Any]:
        """Return the options as a recipe tells them. A noise that is read is told with the tone."""
        return to_recipe(self, without={"noise"} if self.noise == "auto" else ())


@dataclass(frozen=True, kw_only=True, slots=True)
class _Lit:
    """A picture in its new light.

    Attributes:
        problem: what is known about it.
        toned: its new tone.
        noise: its correlated noise; None = there is none, or it is white.
        is_white: its noise is white where it was stored.
    """

    problem: "Problem"
    toned: "ToneResult"
    noise: "FoundNoise | None"
    is_white: bool


def _tensor(picture: "Picture") -> "torch.Tensor":
    """Convert a picture to (1, 3, H, W). Fully transparent pixels get the mean colour, so that they do not count."""
    import torch

    pixels: NDArray[np.float32] = picture.pixels
    if picture.alpha is not None and (seen := picture.alpha > 0).any() and not seen.all():
        pixels = pixels.copy()
        pixels[~seen] = pixels[seen].mean(0)
    return torch.from_numpy(pixels).permute(2, 0, 1)[None].expand(-1, 3, -1, -1).contiguous()


def _pixels(toned: "ToneResult", channels: int) -> "NDArray[np.float32]":
    pixels: NDArray[np.float32] = toned.x[0, :channels].permute(1, 2, 0).contiguous().numpy()
    return pixels


def _white(picture: "Picture", toned: "ToneResult", *, stored: bool) -> "NoisyPicture | GuidePicture":
    """Return how the picture relates to the one without noise, if that is white, or was before it was stored as JPEG.

    A JPEG's own errors are lifted as noise is, so a picture whose noise the coder changed is a guide.
    """
    from ..degradation.operators import Degradation
    from ..images.units import LEVEL
    from ..restoration.problem import GuidePicture, NoisyPicture

    sigma_y = None if toned.sigma is None else toned.sigma[0, 0].numpy()
    if stored and (toned.sigma is not None or toned.slope >= _LIFTED):
        noise = 0.0 if toned.sigma is None else float(toned.sigma.median())
        return GuidePicture(degradation=Degradation(noise=noise, quality=_quality(picture, toned)), sigma_y=sigma_y)
    return NoisyPicture(noise=toned.level / LEVEL, sigma_y=sigma_y, by_levels=sigma_y is not None)


def _guide(noise: "FoundNoise", picture: "Picture", toned: "ToneResult") -> "GuidePicture":
    from ..restoration.problem import GuidePicture

    return GuidePicture(degradation=noise.degradation(_quality(picture, toned)))


def _quality(picture: "Picture", toned: "ToneResult") -> float:
    """Return a JPEG's quality in the new light. Its steps are lifted, so it is lower; 100 = never compressed.

    In the IJG's scale the steps go with 200 - 2 q above quality 50, and with 5000 / q below.
    """
    from ..degradation.estimation.picture_noise import coded_quality

    quality = coded_quality(picture)
    if quality == 100:
        return quality
    steps = (200 - 2 * quality if quality >= 50 else 5000 / quality) * max(toned.slope, 1.0)
    return max(100 - steps / 2 if steps <= 100 else 5000 / steps, 1.0)


def _profile_note(picture: "Picture") -> tuple[str, ...]:
    from ..images.srgb import foreign_profile

    name = foreign_profile(picture.source.icc)
    return () if name is None else (f"its colour profile is {name}, but light is computed by sRGB's curve",)


def _found(toned: "ToneResult", noise: "FoundNoise | None") -> dict[str, float]:
    values = {
        "exposure": toned.stops, "lift": toned.lifted, "black": toned.black, "cast": toned.cast,
        "clarity": toned.tone.clarity, "saturation": toned.tone.saturation, "noise": toned.noise,
    }  # fmt: skip
    values |= {} if noise is None else noise.facts()
    return {name: round(value, 4) for name, value in values.items()}


def _note(toned: "ToneResult", noise: "FoundNoise | None") -> str:
    words = []
    if toned.stops:
        words.append(f"exposure {toned.stops:+.1f} EV")
    if toned.lifted:
        words.append(f"shadows {toned.lifted:+.1f} EV")
    if toned.black:
        words.append(f"removed a veil of {100 * toned.black:.1f} % of the light")
    if toned.cast:
        words.append(f"removed a cast of {toned.cast:.0f} degrees")
    if toned.tone.clarity:
        words.append(f"clarity {toned.tone.clarity:+.2f}")
    if toned.tone.saturation != 1:
        words.append(f"colours times {toned.tone.saturation:.2f}")
    tone = ", ".join(words) or "tone unchanged"
    if noise is not None:
        return f"{tone}; noise: about {noise.level:.1f} levels, grain of {noise.grain:.1f} pixels in the new light"
    return f"{tone}; " + (f"noise: about {toned.noise:.1f} levels where it shows" if toned.noise else "no noise found")
