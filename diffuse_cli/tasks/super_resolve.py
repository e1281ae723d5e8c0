"""Super-resolve: enlarge a picture."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from ..errors import PictureError, UsageError
from .task import altered, to_recipe

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..images.image_io import Picture
    from ..restoration.noise_reading import NoiseReader
    from ..restoration.problem import Problem

MAX_SCALE = 8.0


@dataclass(frozen=True, kw_only=True, slots=True)
class SuperResolve:
    """Enlarge a picture. Exactly one of the first three is given.

    Attributes:
        scale: factor, 1 < scale <= 8.
        to_size: (width, height) that the result fits inside, aspect kept.
        long_edge: the longer side of the result in pixels.
        consistent: shrunk again (antialiased bicubic, in float), the result is the picture.

    Raises:
        UsageError: none or several of them are given, or a value is out of range.
    """

    scale: float | None = None
    to_size: tuple[int, int] | None = None
    long_edge: int | None = None
    consistent: bool = False

    fills_holes: ClassVar[bool] = False

    def __post_init__(self) -> None:
        """Check that the size is given once."""
        if sum(v is not None for v in (self.scale, self.to_size, self.long_edge)) != 1:
            raise UsageError("give exactly one of --scale, --to-size and --long-edge")
        if self.scale is not None and not 1 < self.scale <= MAX_SCALE:
            raise UsageError(f"--scale must be more than 1 and at most {MAX_SCALE:g}, not {self.scale:g}")
        if min(*(self.to_size or (1, 1)), self.long_edge or 1) < 1:
            raise UsageError("--to-size and --long-edge take positive numbers of pixels")

    def problem(self, picture: "Picture", read_noise: "NoiseReader | None" = None) -> "Problem":
        """Return what is known about a picture.

        Raises:
            PictureError: the size asked for is not larger than the picture, or more than 8 times as large.
        """
        from ..degradation.operators import Degradation
        from ..restoration.problem import Findings, GuidePicture, Problem

        h, w = picture.pixels.shape[:2]
        scale = self._scale(w, h)
        size = (max(round(h * scale), 1), max(round(w * scale), 1))
        warnings = _against_consistency(picture) if self.consistent else ()
        guide = GuidePicture(degradation=Degradation(scale=scale), size=size, consistent=self.consistent)
        return Problem(observation=guide, findings=Findings(warnings=warnings))

    @staticmethod
    def source_type(recipe: "Mapping[str, Any]") -> str | None:
        """Return IPTC's term for the result."""
        return altered(recipe)

    def to_recipe(self) -> dict[str, Any]:
        """Return the options as a recipe tells them."""
        return to_recipe(self)

    def _scale(self, w: int, h: int) -> float:
        if self.scale is not None:
            return self.scale
        if self.to_size is not None:
            scale = min(self.to_size[0] / w, self.to_size[1] / h)
        else:
            scale = (self.long_edge or 0) / max(w, h)
        if scale <= 1:
            raise PictureError(f"the picture is {w}x{h}, not smaller than the size asked for; ask for a larger one")
        if scale > MAX_SCALE:
            raise PictureError(
                f"the size asked for is {scale:.3g} times the picture's {w}x{h}; ask for at most {MAX_SCALE:g} times"
            )
        return scale


def _against_consistency(picture: "Picture") -> tuple[str, ...]:
    """Return what a result that explains every level of the picture would enlarge with it."""
    from ..degradation.estimation.picture_noise import measured_noise

    found = []
    if picture.source.lossy:
        found.append(f"its {picture.source.format} compression")
    level = measured_noise(picture).level
    if level > 0:
        found.append(f"its noise ({level:.1f} levels)")
    if not found:
        return ()
    return (f"--consistent enlarges {' and '.join(found)} too; leave it out, or restore the picture first",)
