"""Denoise: remove white noise, known or estimated."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from ..degradation.estimation.noise_map import KnownNoise, check_map, estimated_map, given_map
from ..errors import UsageError
from .task import altered, check_range, to_recipe

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from ..images.image_io import Picture
    from ..restoration.noise_reading import FoundNoise, NoiseReader
    from ..restoration.problem import GuidePicture, NoisyPicture, Problem

MAX_NOISE = 1000.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Denoise:
    """Remove white noise.

    Attributes:
        noise: its std in 8-bit levels, or one of
            "auto": estimate it for each picture;
            "poisson": estimate it by brightness, too: variance = gain * level + offset;
            "auto-map": the same, times a factor that changes smoothly over the picture.
        noise_map: (H, W), the std at each pixel in 8-bit levels, in the place of `noise`.
        strength: 0 = the input, 1 = the estimate.
        chroma_strength: the same for the colour noise alone; None = as `strength`.

    Raises:
        UsageError: a value is out of range, or both a noise and a map are given.
    """

    noise: "float | Literal['auto', 'poisson', 'auto-map']" = "auto"
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
        if self.noise_map is not None:
            check_map(self.noise_map)
            if self.noise != "auto":
                raise UsageError("--noise and --noise-map both set the noise; give one of them")
        check_range("strength", self.strength, 0, 1)
        if self.chroma_strength is not None:
            check_range("chroma-strength", self.chroma_strength, 0, 1)

    def problem(self, picture: "Picture", read_noise: "NoiseReader | None" = None) -> "Problem":
        """Return what is known about a picture: its white noise, or the correlated noise of a photograph.

        Raises:
            PictureError: the map is of another size.
        """
        from ..restoration.problem import Findings, Finish, Problem

        if self.noise == "auto" and self.noise_map is None:
            from ..restoration.noise_reading import find_noise

            noise = find_noise(picture, read_noise)
            seen, findings = noise.observation(picture), Findings(notes=(_noise_note(noise),), facts=noise.facts())
        else:
            known = self._known(picture)
            seen = _observation(picture, known)
            findings = Findings(notes=known.notes, warnings=known.warnings, facts=known.facts)
        chroma_strength = self.strength if self.chroma_strength is None else self.chroma_strength
        return Problem(
            observation=seen, finish=Finish(strength=self.strength, chroma_strength=chroma_strength), findings=findings
        )

    @staticmethod
    def source_type(recipe: "Mapping[str, Any]") -> str | None:
        """Return IPTC's term for the result; None = nothing was removed."""
        strengths = recipe.get("strength", 1), recipe.get("chroma_strength", 1)
        return None if recipe.get("noise") == 0 or strengths == (0, 0) else altered(recipe)

    def to_recipe(self) -> dict[str, Any]:
        """Return the options as a recipe tells them. Both strengths are there, given or not."""
        given = to_recipe(self, without={"noise_map"})
        given["chroma_strength"] = given.get("chroma_strength", self.strength)
        if isinstance(self.noise, str):
            del given["noise"]
            if self.noise_map is None:
                given["estimated"] = {"noise": self.noise}
        return given

    def _known(self, picture: "Picture") -> KnownNoise:
        if self.noise_map is not None:
            return given_map(self.noise_map, picture)
        if isinstance(self.noise, str):
            return estimated_map(picture, by_place=self.noise == "auto-map")
        return KnownNoise(level=float(self.noise))


def _observation(picture: "Picture", noise: KnownNoise) -> "NoisyPicture | GuidePicture":
    """White noise, as the file holds it."""
    import numpy as np

    from ..images.units import LEVEL
    from ..restoration.noise_reading import FoundNoise

    return FoundNoise(level=noise.level).observation(
        picture, None if noise.std is None else noise.std / np.float32(LEVEL)
    )


def _noise_note(found: "FoundNoise") -> str:
    if found.level == 0:
        return "no noise found, so nothing is removed; --noise LEVEL removes it anyway"
    grain = "" if found.grain is None else f", grain of {found.grain:.1f} pixels"
    return f"noise: about {found.level:.1f} levels{grain} (estimated)"
