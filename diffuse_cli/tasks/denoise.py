"""Denoise: remove noise, known or estimated."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from ..degradation.estimation.noise_map import (
    KnownNoise,
    check_map,
    estimated_map,
    given_map,
    of_photograph,
    of_span,
)
from ..errors import UsageError
from .task import MAX_NOISE, PREPARED, altered, check_range, to_recipe

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from ..images.image_io import Picture
    from ..restoration.noise_reading import FoundNoise, NoiseReader
    from ..restoration.problem import GuidePicture, NoisyPicture, Problem
    from ..restoration.span import Span

MAX_GRAIN = 3.0
"""The most that the weights were trained on."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Denoise:
    """Remove noise: white noise, or the correlated noise of cameras and film.

    Attributes:
        noise: its level, the root mean square over pixels and channels in 8-bit levels, or one of
            "auto": estimate it for each picture;
            "poisson": estimate it by brightness, too: variance = gain * level + offset;
            "auto-map": the same, times a factor that changes smoothly over the picture.
        grain: how coarse noise of a given level is: the std, in pixels, of the Gaussian that gives white noise its
            correlation. 0 = white; "auto" = read it from the picture.
        noise_map: (H, W), the std at each pixel in 8-bit levels, in the place of `noise`.
        strength: 0 = the input, 1 = the estimate.
        chroma_strength: the same for the colour noise alone; None = as `strength`.

    Raises:
        UsageError: a value is out of range, both a noise and a map are given, or a grain without a level.
    """

    noise: "float | Literal['auto', 'poisson', 'auto-map']" = "auto"
    grain: "float | Literal['auto']" = "auto"
    noise_map: "NDArray[np.float32] | None" = None
    strength: float = 1.0
    chroma_strength: float | None = None

    fills_holes: ClassVar[bool] = False

    def __post_init__(self) -> None:
        """Check the ranges."""
        if not isinstance(self.noise, str):
            check_range("noise", self.noise, 0, MAX_NOISE)
        elif self.noise not in ("auto", "poisson", "auto-map"):
            raise UsageError(f"--noise must be a number, auto, poisson or auto-map, not {self.noise}")
        if self.grain != "auto":
            check_grain(self.grain, self.noise)
        if self.noise_map is not None:
            check_map(self.noise_map)
            if self.noise != "auto":
                raise UsageError("--noise and --noise-map both set the noise; give one of them")
        check_range("strength", self.strength, 0, 1)
        if self.chroma_strength is not None:
            check_range("chroma-strength", self.chroma_strength, 0, 1)

    def problem(self, picture: "Picture", read_noise: "NoiseReader | None" = None) -> "Problem":
        """Return what is known about a picture: its white noise, or the correlated noise of a photograph.

        "auto" also finds impulses, and the noise of rows and columns. A level that is given says all that is there.

        Raises:
            PictureError: the map is of another size.
        """
        from ..restoration.noise_reading import find_noise, given_noise, is_scan
        from ..restoration.preparation import joined, nothing_prepared, prepare
        from ..restoration.problem import Findings, Finish, NoisyPicture, Problem
        from ..restoration.span import span_of

        chroma_strength = self.strength if self.chroma_strength is None else self.chroma_strength
        if picture.source.sensor is not None:
            from ..restoration.sensor_light import refuse_given, sensor_problem

            refuse_given(self.noise, self.noise_map)
            return sensor_problem(picture, picture.source.sensor, self.strength, chroma_strength)
        prepared = nothing_prepared(picture)
        if self.noise == "auto" and self.noise_map is None and (self.strength, chroma_strength) != (0, 0):
            prepared = prepare(picture)
        if self.noise_map is None and not isinstance(self.noise, str):
            span = span_of(picture, self.noise)
            view = prepared.seen if span is None else span.seen(prepared.seen)
            noise = given_noise(self.noise, None if self.grain == "auto" else self.grain, view, read_noise)
            seen, findings = noise.observation(picture), Findings(facts=noise.facts())
        elif self.noise == "auto" and self.noise_map is None and not is_scan(picture):
            span = span_of(prepared.picture)
            noise = find_noise(prepared.seen if span is None else span.seen(prepared.seen), read_noise)
            noise = noise if span is None else noise.of_span(span)
            note = _noise_note(noise, is_all=not prepared.facts) + _in_units(picture, noise.level)
            seen, findings = noise.observation(picture), Findings(notes=(note,), facts=noise.facts())
        else:
            span = None if self.noise_map is not None else span_of(prepared.picture)
            known = self._known(prepared.seen, span, read_noise, is_all=not prepared.facts)
            seen = _observation(picture, known)
            notes = tuple(note + _in_units(picture, known.level) for note in known.notes)
            findings = Findings(notes=notes, warnings=known.warnings, facts=known.facts)
        if span is not None and not (isinstance(seen, NoisyPicture) and seen.is_exact):
            findings = replace(findings, notes=(*findings.notes, span.words(picture)))
        finish = Finish(strength=self.strength, chroma_strength=chroma_strength)
        problem = Problem(observation=seen, span=span, finish=finish, findings=findings)
        return joined(problem, prepared, picture)

    @staticmethod
    def source_type(recipe: "Mapping[str, Any]") -> str | None:
        """Return IPTC's term for the result; None = nothing was removed."""
        strengths = recipe.get("strength", 1), recipe.get("chroma_strength", 1)
        is_clean = recipe.get("noise") == 0 and not PREPARED & recipe.keys()
        return None if is_clean or strengths == (0, 0) else altered(recipe)

    def to_recipe(self) -> dict[str, Any]:
        """Return the options as a recipe tells them. Both strengths are there, given or not."""
        given = to_recipe(self, without={"noise_map"})
        if self.grain == "auto":
            del given["grain"]
        given["chroma_strength"] = given.get("chroma_strength", self.strength)
        if isinstance(self.noise, str):
            del given["noise"]
            if self.noise_map is None:
                given["estimated"] = {"noise": self.noise}
        return given

    def _known(
        self, picture: "Picture", span: "Span | None", read_noise: "NoiseReader | None", *, is_all: bool
    ) -> KnownNoise:
        """Return noise by brightness or place: as it is given, or as it is estimated in a span."""
        from ..images.units import LEVEL
        from ..restoration.noise_reading import find_noise, is_scan

        if self.noise_map is not None:
            return given_map(self.noise_map, picture)
        view = picture if span is None else span.seen(picture)
        whole = find_noise(view, read_noise)
        if is_scan(picture) and whole.level == 0:
            return KnownNoise(level=0.0, notes=(_noise_note(whole, is_all=is_all),), facts=whole.facts())
        least = whole.level if is_scan(picture) else None
        found = estimated_map(view, by_place=self.noise == "auto-map", least=least)
        if whole.grain is not None:
            found = of_photograph(found, whole.level, whole.grain)
        return found if span is None else of_span(found, span.scale, (span.low + 1) * LEVEL)


def check_grain(grain: float, noise: object) -> None:
    """Check a grain that is given.

    Raises:
        UsageError: it is out of range, or no level is given with it.
    """
    check_range("grain", grain, 0, MAX_GRAIN)
    if isinstance(noise, str) or noise is None:
        raise UsageError("--grain says how coarse noise of a known level is; give --noise LEVEL, too")


def _observation(picture: "Picture", noise: KnownNoise) -> "NoisyPicture | GuidePicture":
    """Noise, as the file holds it."""
    import numpy as np

    from ..images.units import LEVEL
    from ..restoration.noise_reading import FoundNoise
    from ..restoration.problem import NoisyPicture

    sigma_y = None if noise.std is None else noise.std / np.float32(LEVEL)
    seen = FoundNoise(level=noise.level, grain=noise.facts.get("grain")).observation(picture, sigma_y)
    if isinstance(seen, NoisyPicture) and sigma_y is not None:
        return replace(seen, by_levels=noise.by_levels)
    return seen


def _in_units(picture: "Picture", level: float) -> str:
    """Return what a level of a scan is in its units, in words."""
    from ..images.dicom_values import one_level, units

    dicom = picture.source.dicom
    unit = "" if dicom is None else units(dicom)
    return f": {level * one_level(dicom):.3g} {unit}" if dicom is not None and unit and level else ""


def _noise_note(found: "FoundNoise", *, is_all: bool) -> str:
    if found.level == 0 and not is_all:
        return "no other noise found"
    if found.level == 0 and found.suspected:
        return (
            f"perhaps noise of {found.suspected:.1f} levels (low confidence), so nothing is removed; "
            "--noise LEVEL removes it"
        )
    if found.level == 0:
        return "no noise found, so nothing is removed; --noise LEVEL removes it anyway"
    grain = "" if found.grain is None else f", grain of {found.grain:.1f} pixels"
    return f"noise: about {found.level:.1f} levels{grain} (estimated)"
