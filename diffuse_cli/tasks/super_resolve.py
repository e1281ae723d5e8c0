"""`diffuse super-resolve`: a picture is to be larger."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..errors import PictureError, UsageError
from .task import to_recipe

if TYPE_CHECKING:
    from ..images.image_io import Picture
    from ..restoration.problem import Problem

MAX_SCALE = 8.0


@dataclass(frozen=True, kw_only=True, slots=True)
class SuperResolve:
    """Enlarge. Exactly one of the three is given.

    Attributes:
        scale: factor, 1 < scale <= 8.
        to_size: (width, height) that the result fits inside, aspect kept.
        long_edge: the longer side of the result in pixels.
        consistent: shrunk again (antialiased bicubic, in float), the result is the picture.
    Raises: UsageError: none or several of them, or a value out of range.
    """

    scale: float | None = None
    to_size: tuple[int, int] | None = None
    long_edge: int | None = None
    consistent: bool = False

    def __post_init__(self) -> None:
        """Check that the size is given once."""
        if sum(v is not None for v in (self.scale, self.to_size, self.long_edge)) != 1:
            raise UsageError("give exactly one of --scale, --to-size and --long-edge")
        if self.scale is not None and not 1 < self.scale <= MAX_SCALE:
            raise UsageError(f"--scale must be more than 1 and at most {MAX_SCALE:g}, not {self.scale:g}")
        if min(*(self.to_size or (1, 1)), self.long_edge or 1) < 1:
            raise UsageError("--to-size and --long-edge take positive numbers of pixels")

    def problem(self, picture: "Picture") -> "Problem":
        """What is known about this picture.

        Raises: PictureError: the size asked for is not larger than the picture, or more than 8 times as large.
        """
        from ..degradation.operators import Degradation
        from ..restoration.problem import Findings, GuidePicture, Problem

        h, w = picture.pixels.shape[:2]
        scale = self._scale(w, h)
        size = (max(round(h * scale), 1), max(round(w * scale), 1))
        warnings = _against_consistency(picture) if self.consistent else ()
        guide = GuidePicture(degradation=Degradation(scale=scale), size=size, consistent=self.consistent)
        return Problem(observation=guide, findings=Findings(warnings=warnings))

    def to_recipe(self) -> dict[str, Any]:
        """Every option that is given."""
        return to_recipe(self)

    def _scale(self, w: int, h: int) -> float:
        if self.scale is not None:
            return self.scale
        if self.to_size is not None:
            scale = min(self.to_size[0] / w, self.to_size[1] / h)
        else:
            scale = (self.long_edge or 0) / max(w, h)
        if scale <= 1:
            raise PictureError(f"the picture is {w}x{h} already, not smaller than the size asked for")
        if scale > MAX_SCALE:
            raise PictureError(f"the size asked for is {scale:.3g} times the picture's {w}x{h}; at most {MAX_SCALE:g}")
        return scale


def _against_consistency(picture: "Picture") -> tuple[str, ...]:
    """What a result that explains every level of the picture would explain with it."""
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
