"""`diffuse restore`: whatever happened to a picture is to be undone, all at once."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Literal

from ..errors import UsageError
from .denoise import MAX_NOISE, Denoise
from .inpaint import Inpaint
from .super_resolve import MAX_SCALE
from .task import check_range

if TYPE_CHECKING:
    from ..degradation.estimation.estimate import Estimate
    from ..images.image_io import Picture
    from ..restoration.problem import Problem

MAX_BLUR = 20.0
KNOWN_BLUR = 3.0
"""The most blur that the weights were trained on; of more, as much is undone."""
LEAST_BLUR = 0.7
"""Below it the estimate says little: photographs as they are read up to 0.6."""
UNDONE: Final = {"noise": 0.0, "jpeg": 100.0, "blur": 0.0}
"""What `Restore` finds out by itself, in the words of --only, and what says that there is none."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Restore:
    """Undo whatever happened to a picture, all at once.

    Attributes:
        noise: std of noise in 8-bit levels; jpeg: IJG quality; blur: std of a Gaussian in pixels. "auto" = find out for
            each picture, None = there is none. Noise "if-blurred" = find out, but only where a blur is to be undone,
            which would make the noise stronger.
        scale: enlarge by this factor, too; 1 <= scale <= 8.
        holes: what is missing, None = nothing.
    Raises: UsageError: a value out of range, or nothing to do.
    """

    noise: "float | Literal['auto', 'if-blurred'] | None" = "auto"
    jpeg: "float | Literal['auto'] | None" = "auto"
    blur: "float | Literal['auto'] | None" = "auto"
    scale: float = 1.0
    holes: Inpaint | None = None

    def __post_init__(self) -> None:
        """Check the ranges."""
        for name, low, high in (("noise", 0, MAX_NOISE), ("jpeg", 1, 100), ("blur", 0, MAX_BLUR)):
            value = getattr(self, name)
            if value not in ("auto", None) and (name, value) != ("noise", "if-blurred"):
                check_range(name, value, low, high)
        check_range("scale", self.scale, 1, MAX_SCALE)
        if (self.noise, self.jpeg, self.blur, self.holes) == (None,) * 4 and self.scale == 1:
            raise UsageError("what is to be restored? Give --noise, --jpeg, --blur, --scale or --mask")

    @property
    def estimated(self) -> tuple[str, ...]:
        """What is to be found out, of `UNDONE`."""
        return tuple(name for name in UNDONE if getattr(self, name) in ("auto", "if-blurred"))

    def problem(self, picture: "Picture") -> "Problem":
        """What is known about this picture: what was said, and what was found out.

        Raises: PictureError: as `Inpaint.task`.
        """
        from ..degradation.estimation.estimate import estimate_degradation
        from ..degradation.estimation.patching import patched
        from ..restoration.problem import Problem

        holes = Problem() if self.holes is None else self.holes.problem(picture)
        if not self.estimated:
            return self._task(picture, None, holes)
        seen = picture if holes.hole is None else replace(picture, pixels=patched(picture.pixels, holes.hole))
        return self._task(picture, estimate_degradation(seen), holes)

    def to_recipe(self) -> dict[str, Any]:
        """What is undone, and what is not, or what another line made could be taken for this one's."""
        given = {"noise": self.noise or 0.0, "jpeg": self.jpeg or 100.0, "blur": self.blur or 0.0}
        known: dict[str, Any] = {name: value for name, value in given.items() if name not in self.estimated}
        only_then = {"noise": "noise if blurred"} if self.noise == "if-blurred" else {}
        if only_then:  # which nothing but --only says
            known["only"] = [name for name, none in UNDONE.items() if name != "noise" and given[name] != none]
        known["estimated"] = [only_then.get(name, name) for name in self.estimated]
        holes: dict[str, Any] = {"mask": None, "boxes": [], "polygons": [], "invert_mask": False}
        return {**holes, **known, "scale": self.scale, **({} if self.holes is None else self.holes.to_recipe())}

    def task_for(self, picture: "Picture", found: "Estimate") -> "Problem":
        """The same, where nothing is missing and what can be found out is known."""
        from ..restoration.problem import Problem

        return self._task(picture, found, Problem())

    def _task(self, picture: "Picture", found: "Estimate | None", holes: "Problem") -> "Problem":
        from ..degradation.estimation.picture_noise import MAX_JPEG_QUALITY
        from ..degradation.operators import Degradation
        from ..images.units import LEVEL
        from ..restoration.problem import GuidePicture, NoisyPicture

        noise, jpeg, blur = _resolved(self, found)
        notes = () if found is None else (_restore_note(self, noise, jpeg, blur),)
        findings = replace(holes.findings, notes=(*notes, *holes.findings.notes))
        as_stored = jpeg == 100 or picture.source.jpeg is not None
        if blur == 0 and self.scale == 1 and noise > 0 and self.holes is None and as_stored:
            alone = Denoise(noise=noise).problem(picture)  # through y, or as a guide where a coder was at the noise
            finish = replace(holes.finish, uncoded=alone.guide is not None and jpeg < 100)
            return replace(holes, observation=alone.observation, finish=finish, findings=findings)
        quality = jpeg if jpeg <= MAX_JPEG_QUALITY else 100.0
        if blur == 0 and self.scale == 1 and quality == 100:
            return replace(holes, observation=NoisyPicture(noise=noise / LEVEL), findings=findings)
        h, w = picture.pixels.shape[:2]
        size = (max(round(h * self.scale), 1), max(round(w * self.scale), 1))
        told = Degradation(scale=self.scale, noise=noise / LEVEL, quality=quality, blur=min(blur, KNOWN_BLUR))
        guide = GuidePicture(degradation=told, size=size if self.scale > 1 else None)
        finish = replace(holes.finish, uncoded=quality < 100)
        return replace(holes, observation=guide, finish=finish, findings=findings)


def restore_only(only: Collection[str], given: Mapping[str, Any]) -> dict[str, Any]:
    """The part of `Restore`'s options that names what happened: "auto" of what is to be undone, None of the rest.

    Args: only: of `UNDONE`; given: what was said of each of these, None = nothing.
    Raises: UsageError: an unknown name, or something is said of what is not to be undone.
    """
    for name in only:
        if name not in UNDONE:
            raise UsageError(f"--only takes {', '.join(UNDONE)}, not {name or 'nothing'}")
    for name, value in given.items():
        if value not in (None, UNDONE[name]) and name not in only:
            raise UsageError(f"--{name} {value}: --only leaves it out; name {name} there too, or give no --{name}")
    options = {name: "auto" if name in only and given.get(name) is None else given.get(name) for name in UNDONE}
    if "blur" in only and "noise" not in only:
        options["noise"] = "if-blurred"
    return options


def _resolved(task: Restore, found: "Estimate | None") -> tuple[float, float, float]:
    """Noise, JPEG quality (100 = none) and blur, with what was found out in the place of "auto"."""
    values: dict[str, float] = {}
    for name, none in UNDONE.items():
        value = getattr(task, name)
        if name in task.estimated:
            value = None if found is None else getattr(found, name).value
            if name == "blur" and found is not None and not _is_surely_blurred(found):
                value = None
        values[name] = none if value is None else float(value)
    if task.noise == "if-blurred" and values["blur"] == 0:
        values["noise"] = 0.0
    # A blur was before the enlargement if both are to be undone, so in pixels of the result it is larger.
    return values["noise"], values["jpeg"], values["blur"] * task.scale


def _is_surely_blurred(found: "Estimate") -> bool:
    """Whether more blur is read than in sharp photographs, where noise makes readings wide."""
    std, spread = found.blur.value or 0.0, found.blur.spread or 0.0
    return std >= LEAST_BLUR and std - 1.5 * spread >= LEAST_BLUR - 0.2


def _restore_note(task: Restore, noise: float, jpeg: float, blur: float) -> str:
    words = []
    if task.noise == "auto" or (task.noise == "if-blurred" and blur):
        words.append(f"noise {noise:.1f}" if noise else "no noise")
    if task.jpeg == "auto":
        words.append(f"JPEG quality {jpeg:.0f}" if jpeg < 100 else "no trace of JPEG")
    if task.blur == "auto":
        words.append(f"blur {blur / task.scale:.2f}" if blur else "no blur to undo")
    return "estimated: " + ", ".join(words)
