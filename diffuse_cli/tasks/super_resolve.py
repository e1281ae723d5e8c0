"""Super-resolve: enlarge a picture."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

from ..errors import PictureError, UsageError
from .task import altered, to_recipe

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..degradation.operators import Degradation
    from ..images.image_io import Picture
    from ..restoration.noise_reading import NoiseReader
    from ..restoration.problem import Findings, Problem

MAX_SCALE = 8.0
DEFAULT_SCALE = 2.0
LEAST_SIDE = 96
"""Pixels of a side from which noise is looked for: in smaller pictures texture is taken for it."""
MOST_DOUBT = 0.6
"""Doubt of correlated noise up to which it is believed: fine texture of a shrunk picture looks like it, too."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SuperResolve:
    """Enlarge a picture. At most one of the first three is given.

    Attributes:
        scale: factor, 1 < scale <= 8; 2 if no size is given.
        to_size: (width, height) that the result fits inside, aspect kept.
        long_edge: the longer side of the result in pixels.
        consistent: shrunk again (antialiased bicubic, in float), the result is the picture.
        plain: the picture was shrunk, and nothing else happened to it. Else its noise and its JPEG compression are
            looked for, and not enlarged.

    Raises:
        UsageError: several of them are given, or a value is out of range.
    """

    scale: float | None = None
    to_size: tuple[int, int] | None = None
    long_edge: int | None = None
    consistent: bool = False
    plain: bool = False

    fills_holes: ClassVar[bool] = False

    def __post_init__(self) -> None:
        """Check that the size is given once; it is twice the picture's if nothing is said."""
        given = sum(v is not None for v in (self.scale, self.to_size, self.long_edge))
        if given > 1:
            raise UsageError("give only one of --scale, --to-size and --long-edge")
        if given == 0:
            object.__setattr__(self, "scale", DEFAULT_SCALE)
        if self.scale is not None and not 1 < self.scale <= MAX_SCALE:
            raise UsageError(f"--scale must be more than 1 and at most {MAX_SCALE:g}, not {self.scale:g}")
        if min(*(self.to_size or (1, 1)), self.long_edge or 1) < 1:
            raise UsageError("--to-size and --long-edge take positive numbers of pixels")

    def problem(self, picture: "Picture", read_noise: "NoiseReader | None" = None) -> "Problem":
        """Return what is known about a picture.

        Raises:
            PictureError: the size asked for is not larger than the picture, or more than 8 times as large.
        """
        from ..degradation.operators import Degradation, scaled_size
        from ..restoration.problem import Findings, Finish, GuidePicture, Problem

        h, w = picture.pixels.shape[:2]
        scale = self.factor(w, h)
        size = scaled_size((h, w), scale)
        if self.plain or self.consistent:
            warnings = _against_consistency(picture) if self.consistent else ()
            guide = GuidePicture(degradation=Degradation(scale=scale), size=size, consistent=self.consistent)
            return Problem(observation=guide, findings=Findings(warnings=warnings))
        what, findings = _found(picture, read_noise)
        guide = GuidePicture(degradation=replace(what, scale=scale), size=size)
        return Problem(observation=guide, finish=Finish(uncoded=what.quality < 100), findings=findings)

    @staticmethod
    def source_type(recipe: "Mapping[str, Any]") -> str | None:
        """Return IPTC's term for the result."""
        return altered(recipe)

    def to_recipe(self) -> dict[str, Any]:
        """Return the options as a recipe tells them."""
        found = {} if self.plain or self.consistent else {"estimated": {"noise": "auto", "jpeg": "auto"}}
        return {**to_recipe(self), **found}

    def factor(self, w: int, h: int) -> float:
        """Return the factor by which a picture is enlarged.

        Args:
            w: its width.
            h: its height.

        Raises:
            PictureError: as `problem`.
        """
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


def _found(picture: "Picture", read_noise: "NoiseReader | None") -> "tuple[Degradation, Findings]":
    """Return what happened to a picture beside being shrunk, and what is said of it."""
    from ..degradation.estimation.estimate import find_jpeg
    from ..degradation.estimation.picture_noise import MAX_JPEG_QUALITY
    from ..restoration.noise_reading import LEAST_LEVEL, FoundNoise, find_noise
    from ..restoration.problem import Findings
    from ..restoration.visible import visible

    picture = visible(picture)
    quality, small = find_jpeg(picture).quality.value, min(picture.pixels.shape[:2]) < LEAST_SIDE
    noise = FoundNoise(level=0.0) if small else find_noise(picture, read_noise)
    quality = 100.0 if quality is None or quality > MAX_JPEG_QUALITY else quality
    if noise.level < LEAST_LEVEL or (noise.grain is not None and noise.doubt > MOST_DOUBT):
        noise = FoundNoise(level=0.0)
    words = [
        *([f"JPEG quality {quality:.0f}"] if quality < 100 else []),
        *([f"noise of {noise.level:.1f} levels"] if noise.level > 0 else []),
    ]
    notes = (f"{', '.join(words)} (estimated), not enlarged",) if words else ()
    return noise.degradation(quality), Findings(notes=notes, facts=noise.facts() if noise.level > 0 else {})


def _against_consistency(picture: "Picture") -> tuple[str, ...]:
    """Return what a result that explains every level of the picture would enlarge with it."""
    from ..degradation.estimation.picture_noise import measured_noise
    from ..restoration.visible import visible

    found = []
    if picture.source.lossy:
        found.append(f"its {picture.source.format} compression")
    level = measured_noise(visible(picture)).level
    if level > 0:
        found.append(f"its noise ({level:.1f} levels)")
    if not found:
        return ()
    return (f"--consistent enlarges {' and '.join(found)} too; leave it out, or restore the picture first",)
