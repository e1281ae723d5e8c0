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

    from ..degradation.estimation.noise_level import NoiseEstimate
    from ..images.image_io import Picture
    from ..restoration.problem import Problem

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

    def problem(self, picture: "Picture") -> "Problem":
        """Return what is known about a picture.

        Raises:
            PictureError: the map is of another size.
        """
        import numpy as np

        from ..degradation.estimation.picture_noise import coded_quality, is_white
        from ..degradation.operators import Degradation
        from ..images.units import LEVEL
        from ..restoration.problem import Findings, Finish, GuidePicture, NoisyPicture, Problem

        noise = self._noise(picture)
        level = noise.level
        sigma_y = None if noise.std is None else noise.std / np.float32(LEVEL)
        seen: NoisyPicture | GuidePicture = NoisyPicture(noise=level / LEVEL, sigma_y=sigma_y)
        if level > 0 and not is_white(picture, level):
            what = Degradation(noise=level / LEVEL, quality=coded_quality(picture))
            seen = GuidePicture(degradation=what, sigma_y=sigma_y)
        chroma_strength = self.strength if self.chroma_strength is None else self.chroma_strength
        return Problem(
            observation=seen,
            finish=Finish(strength=self.strength, chroma_strength=chroma_strength),
            findings=Findings(notes=noise.notes, warnings=noise.warnings, facts=noise.facts),
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

    def _noise(self, picture: "Picture") -> KnownNoise:
        from ..degradation.estimation.picture_noise import measured_noise

        if self.noise_map is not None:
            return given_map(self.noise_map, picture)
        if not isinstance(self.noise, str):
            return KnownNoise(level=float(self.noise))
        if self.noise != "auto":
            return estimated_map(picture, by_place=self.noise == "auto-map")
        found = measured_noise(picture)
        return KnownNoise(level=found.level, notes=(_noise_note(found),), facts={"noise": found.level})


def _noise_note(found: "NoiseEstimate") -> str:
    if found.level == 0:
        return "no noise found, so nothing is removed; --noise LEVEL removes it anyway"
    return f"noise: about {found.level:.1f} levels (estimated)"
