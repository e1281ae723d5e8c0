"""Fuse: several copies of one picture become one."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, get_args

from ..errors import PictureError, UsageError
from .task import altered

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ..images.picture import Picture
    from ..images.raw.sensor import SensorData
    from ..restoration.copies.copy import Describe
    from ..restoration.copies.fusing import Fused
    from ..restoration.noise_reading import NoiseReader
    from ..restoration.problem import Findings, GuidePicture, NoisyPicture, Problem

Unlike = Literal["refuse", "leave-out"]
MAX_SCALE: Final = 8.0
LEAST_NOISE: Final = 0.5
"""Levels of noise that are left in the fused picture below which it is the result."""
EVEN: Final = 1.2
"""Noise that varies by no more than this factor counts as the same everywhere."""
MOST_QUALITY: Final = 88.0
"""A better JPEG is left as it is: told 91 of one that was moved, the core made it 0.1 dB worse."""
LARGER: Final = 1.3
"""A copy that is finer than the reference by this factor is worth a word."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Fuse:
    """Fuse copies of a picture: bursts, scans of one print, one photograph at several sizes and qualities.

    The picture that is restored is the reference. The others are registered to it.

    Attributes:
        copies: the other copies, as pictures or as files.
        names: what messages call them; (): their files' names, or numbers.
        name: what messages call the reference.
        scale: factor of the result's size to the reference's, 1 .. 8.
        unlike: what becomes of a picture that shows something else: "refuse" it, or "leave-out" with a warning.
        max_pixels: larger files are refused.

    Raises:
        UsageError: there is no copy, or a value is out of range.
    """

    copies: "Sequence[Picture | Path]" = field(repr=False)
    names: tuple[str, ...] = ()
    name: str = "the first picture"
    scale: float = 1.0
    unlike: Unlike = "refuse"
    max_pixels: int = 500_000_000

    fills_holes: ClassVar[bool] = False

    def __post_init__(self) -> None:
        """Check the ranges."""
        if not self.copies:
            raise UsageError("fuse takes two or more pictures of one thing; name the other copies, too")
        if not 1 <= self.scale <= MAX_SCALE:
            raise UsageError(f"--scale must be at least 1 and at most {MAX_SCALE:g}, not {self.scale:g}")
        if self.unlike not in get_args(Unlike):
            raise UsageError(f"--unlike must be one of {', '.join(get_args(Unlike))}, not {self.unlike}")
        if self.names and len(self.names) != len(self.copies):
            raise UsageError(f"{len(self.names)} names for {len(self.copies)} copies")

    def problem(self, picture: "Picture", read_noise: "NoiseReader | None" = None) -> "Problem":
        """Return what the copies tell of the picture.

        Raises:
            PictureError: a copy cannot be read, has several pages, or shows something else; or none is left.
        """
        from ..restoration.copies.describing import describe

        if picture.source.sensor is not None:
            return self._burst(picture, picture.source.sensor)
        left_out: list[str] = []
        fused = self._fused(picture, self._read(), lambda copy: describe(copy, read_noise), left_out)
        return self.problem_of(picture, fused, left_out)

    def _burst(self, picture: "Picture", sensor: "SensorData") -> "Problem":
        """Return what shots of camera RAW tell of the light."""
        from ..images.tensors import to_array, to_tensor
        from ..restoration.sensor_light import SensorBurst

        if self.scale > 1:
            raise PictureError("a DNG is not enlarged; leave --scale out, or write another format")
        burst, left_out = SensorBurst.of(picture, sensor), list[str]()
        shots = ((name, burst.numbers(name, shot)) for name, shot in self._read(as_light=True))
        fused = self._fused(burst.numbers(self.name, picture), shots, burst.described, left_out)
        problem = self.problem_of(picture, fused, left_out)
        if problem.leaves_alone:
            pixels = to_array(burst.light(to_tensor(fused.pixels)), 3)
            return replace(problem, picture=replace(picture, pixels=pixels))
        return replace(problem, finish=replace(problem.finish, tone=burst.light))

    def _fused(
        self, picture: "Picture", others: "Iterator[tuple[str, Picture]]", describe_it: "Describe", left_out: list[str]
    ) -> "Fused":
        """Return the copies as one."""
        from ..restoration.copies.fusing import fuse_copies

        _check_single(self.name, picture)
        fused = fuse_copies(
            (self.name, picture), others, describe_it, lambda name: self._tell(name, left_out), self.scale
        )
        if fused is None:
            raise PictureError(f"{self.name}: no other picture shows the same, so there is nothing to fuse")
        return fused

    def problem_of(self, picture: "Picture", fused: "Fused", left_out: "Sequence[str]" = ()) -> "Problem":
        """Return what is known about a picture whose copies are fused.

        Args:
            picture: the reference.
            fused: it and its copies.
            left_out: the names of pictures that show something else.
        """
        from ..restoration.problem import Finish, Problem

        return Problem(
            picture=_joined(picture, fused), observation=self._observation(picture, fused), finish=Finish(uncoded=True),
            findings=_findings(fused, self._names, left_out), weights=fused.weights,
        )  # fmt: skip

    @staticmethod
    def source_type(recipe: "Mapping[str, Any]") -> str | None:
        """Return IPTC's term for the result."""
        return altered(recipe)

    def to_recipe(self) -> dict[str, Any]:
        """Return the options as a recipe tells them, without the copies."""
        return {"scale": self.scale, "unlike": self.unlike}

    @property
    def _names(self) -> list[str]:
        """What messages call the copies, the reference first."""
        own = [str(c) if isinstance(c, Path) else f"copy {k}" for k, c in enumerate(self.copies, start=2)]
        return [self.name, *(self.names or own)]

    def _read(self, *, as_light: bool = False) -> "Iterator[tuple[str, Picture]]":
        """Yield the copies, one after the other."""
        from ..images.image_io import read_picture

        for name, copy in zip(self._names[1:], self.copies, strict=True):
            read = copy
            if isinstance(copy, Path):
                read = read_picture(copy, max_pixels=self.max_pixels, as_light=as_light)
            assert not isinstance(read, Path)
            _check_single(name, read)
            yield name, read

    def _tell(self, name: str, left_out: list[str]) -> None:
        """Refuse a picture that shows something else, or note that it is left out."""
        if self.unlike == "refuse":
            raise PictureError(
                f"{name}: does not show what {self.name} shows; leave it out, or give --unlike leave-out"
            )
        left_out.append(name)

    def _observation(self, picture: "Picture", fused: "Fused") -> "NoisyPicture | GuidePicture":
        """Return how the fused picture relates to the result."""
        import numpy as np

        from ..degradation.operators import Degradation, scaled_size
        from ..images.units import LEVEL
        from ..restoration.linear_part import LinearPart
        from ..restoration.problem import GuidePicture, NoisyPicture

        level = float(np.sqrt(np.mean(fused.sigma**2)))
        level = level if level * LEVEL >= LEAST_NOISE else 0.0
        low, high = np.quantile(fused.sigma, [0.05, 0.95])
        sigma_y = fused.sigma if level > 0 and high > EVEN * low and self.scale == 1 else None
        quality = fused.quality if fused.quality <= MOST_QUALITY else 100.0
        if self.scale == 1 and not (fused.is_coarse and level > 0) and quality == 100:
            return NoisyPicture(noise=level, sigma_y=sigma_y, by_levels=sigma_y is not None)
        grain = fused.grain if level > 0 and (fused.is_coarse or quality < 100) else 0.0
        told = Degradation(scale=self.scale, noise=level, grain=grain, quality=quality)
        size = scaled_size((picture.pixels.shape[0], picture.pixels.shape[1]), self.scale)
        if self.scale == 1:
            return GuidePicture(degradation=told, sigma_y=sigma_y)
        several = len(fused.shots) > 1 and quality == 100  # a coder's errors are no white noise
        linear = LinearPart(blur=0.0, noise=fused.trusted, shots=fused.shots) if several else None
        return GuidePicture(degradation=told, sigma_y=sigma_y, size=size, linear=linear)


def _check_single(name: str, picture: "Picture") -> None:
    if picture.source.pages > 1:
        raise PictureError(f"{name}: has several pages or frames; give single pictures")


def _joined(picture: "Picture", fused: "Fused") -> "Picture":
    """Return the fused picture. Its integers and floats are not the file's any more."""
    source = replace(picture.source, jpeg_data=None, coded=b"", samples=None)
    return replace(picture, pixels=fused.pixels, source=source)


def _findings(fused: "Fused", names: "Sequence[str]", left_out: "Sequence[str]") -> "Findings":
    import numpy as np

    from ..images.units import LEVEL
    from ..restoration.problem import Findings

    shares, copies = fused.shares, fused.copies
    told = ", ".join(f"{Path(c.name).name} {100 * s:.0f} %" for c, s in zip(copies, shares, strict=True))
    level = float(np.sqrt(np.mean(fused.sigma**2))) * LEVEL
    notes = [f"fused {len(copies)} copies: {told}; noise left: about {level:.1f} levels"]
    largest = max(copies, key=lambda c: c.scale)
    if largest.scale > LARGER:
        notes.append(f"{largest.name} is {largest.scale:.1f} times as fine; --to takes the size of another copy")
    others = [c.name for c in copies[1:] if c.icc != copies[0].icc]
    if others:
        notes.append(f"{others[0]}: another colour profile; all are read with the first one's")
    warnings = tuple(f"{name}: shows something else, and is left out" for name in left_out)
    by_name = dict(zip((c.name for c in copies), shares, strict=True))
    facts = {"shares": [round(by_name.get(name, 0.0), 4) for name in names], "noise": level}
    return Findings(notes=tuple(notes), warnings=warnings, facts=facts)
