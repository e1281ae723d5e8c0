"""Deblur: undo a blur whose kernel is known."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from ..errors import UsageError
from .task import MAX_NOISE, altered, check_range

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..degradation.kernels import Kernel
    from ..images.image_io import Picture
    from ..restoration.noise_reading import FoundNoise, NoiseReader
    from ..restoration.problem import Problem


@dataclass(frozen=True, kw_only=True, slots=True)
class Deblur:
    """Undo a blur whose kernel is known: motion, defocus or any other. `Restore` undoes Gaussian blur.

    Attributes:
        kernel: the blur.
        noise: std of the noise in 8-bit levels; "auto" = estimate it.

    Raises:
        UsageError: the noise is out of range, or there is no kernel.
    """

    kernel: "Kernel | None" = None
    noise: "float | Literal['auto']" = "auto"

    fills_holes: ClassVar[bool] = False

    def __post_init__(self) -> None:
        """Check the noise."""
        if self.noise != "auto":
            check_range("noise", self.noise, 0, MAX_NOISE)

    def problem(self, picture: "Picture", read_noise: "NoiseReader | None" = None) -> "Problem":
        """Return what is known about a picture.

        Raises:
            UsageError: there is no kernel.
        """
        from ..degradation.estimation.estimate import find_jpeg
        from ..restoration.noise_reading import find_noise, given_noise
        from ..restoration.problem import Findings, Problem

        if self.kernel is None:
            raise UsageError("deblur needs a kernel: motion, defocus or a picture of one")
        if self.noise == "auto":
            noise = find_noise(picture, read_noise)
            notes: tuple[str, ...] = (
                f"noise: about {noise.level:.1f} levels (estimated)" if noise.level else "no noise found",
            )
        else:
            noise, notes = given_noise(self.noise, 0.0, picture, None), ()
        quality = find_jpeg(picture).quality.value or 100.0
        return unblurred(self.kernel, noise, quality, Problem(findings=Findings(notes=notes)))

    @staticmethod
    def source_type(recipe: "Mapping[str, Any]") -> str | None:
        """Return IPTC's term for the result."""
        return altered(recipe)

    def to_recipe(self) -> dict[str, Any]:
        """Return the options as a recipe tells them. A kernel of a file is told by its hash."""
        told = {} if self.kernel is None else dict(self.kernel.told)
        return {**told, "estimated": {"noise": "auto"}} if self.noise == "auto" else {**told, "noise": self.noise}


def unblurred(kernel: "Kernel", noise: "FoundNoise", quality: float, known: "Problem") -> "Problem":
    """Return the problem of a blur by a kernel.

    Args:
        kernel: the blur.
        noise: what came after it.
        quality: of the JPEG that came last; 100 = none.
        known: what else is known.
    """
    from ..images.units import LEVEL
    from ..restoration.linear_part import kernel_part
    from ..restoration.problem import GuidePicture

    what = noise.degradation(quality)
    guide = GuidePicture(degradation=what, linear=kernel_part(what, kernel))
    finish = replace(known.finish, uncoded=quality < 100)
    facts = {**known.findings.facts, "noise": what.noise * LEVEL}
    return replace(known, observation=guide, finish=finish, findings=replace(known.findings, facts=facts))
