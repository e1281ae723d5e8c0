"""Restore: undo whatever happened to a picture, all at once."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Literal

from ..errors import UsageError
from ..images.source_type import EDITED
from .denoise import Denoise, check_grain
from .inpaint import Inpaint, with_fill_noise
from .super_resolve import MAX_SCALE
from .task import MAX_NOISE, PREPARED, altered, check_range

if TYPE_CHECKING:
    from ..degradation.estimation.estimate import Estimate
    from ..degradation.operators import Degradation
    from ..images.image_io import Picture
    from ..restoration.linear_part import LinearPart
    from ..restoration.noise_reading import FoundNoise, NoiseReader
    from ..restoration.preparation import Prepared
    from ..restoration.problem import Problem

MAX_BLUR = 20.0
KNOWN_BLUR = 3.0
"""The most blur that the weights were trained on. Of more blur, this much is undone."""
FINE_JPEG = 92.0
"""JPEGs of more quality are left as they are, unless undoing JPEG is asked for."""
FINE_DRAWING = 80.0
"""The same for text and drawings, whose edges the network can spoil."""
PLAIN_BLUR = 1.2
"""Blur from here on is undone with medium confidence, too."""
LEAST_BLUR = 0.7
"""Less is not undone: sharp photographs read up to 0.6."""
_AS_COARSE: Final = 0.8
"""Grain of this share of a blur may be texture beneath the blur, if it is fainter and less likely than the next two.

Of 12 blurred photographs, 2 have such grain. Of 48 with film grain or a camera's noise beside the blur, none has.
"""
_FAINT, _PLAIN_CHANCE = 3.0, 0.9
"""8-bit levels, and the chance of noise."""
UNDONE: Final = {"noise": 0.0, "jpeg": 100.0, "blur": 0.0}
"""What `Restore` estimates, by the names that --only takes, and the value that means none."""
ONLY: Final = (*UNDONE, "screen")
"""What --only takes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Restore:
    """Undo whatever happened to a picture, all at once.

    Attributes:
        noise: std of the noise in 8-bit levels; "auto" = estimate it, None = there is none; "if-blurred" = estimate it,
            but only where a blur is to be undone, which would make the noise stronger. It is not named in `only`.
        grain: as `Denoise.grain`.
        jpeg: IJG quality; "auto" = estimate it, None = never compressed.
        blur: std of a Gaussian in pixels; "auto" = estimate it, None = there is none.
        only: the names of `ONLY` that are to be undone; None = all. Of the others, "auto" becomes None, or "if-blurred"
            for the noise beside a blur. What is named is undone also where that is less than sure.
        scale: enlarge by this factor, too; 1 <= scale <= 8.
        holes: what is missing; None = nothing.

    Raises:
        UsageError: a value is out of range, or there is nothing to do.
    """

    noise: "float | Literal['auto', 'if-blurred'] | None" = "auto"
    grain: "float | Literal['auto']" = "auto"
    jpeg: "float | Literal['auto'] | None" = "auto"
    blur: "float | Literal['auto'] | None" = "auto"
    only: Collection[str] | None = None
    scale: float = 1.0
    holes: Inpaint | None = None

    def __post_init__(self) -> None:
        """Check the ranges, and leave out what `only` does not name."""
        if self.noise == "if-blurred" and self.only is None:
            object.__setattr__(
                self, "only", tuple(name for name in ("jpeg", "blur") if getattr(self, name) is not None)
            )
        if self.only is not None:
            self._leave_out(self.only)
        for name, low, high in (("noise", 0, MAX_NOISE), ("jpeg", 1, 100), ("blur", 0, MAX_BLUR)):
            value = getattr(self, name)
            if value not in ("auto", None) and (name, value) != ("noise", "if-blurred"):
                check_range(name, value, low, high)
        if self.grain != "auto":
            check_grain(self.grain, self.noise)
        check_range("scale", self.scale, 1, MAX_SCALE)
        nothing = (self.noise, self.jpeg, self.blur, self.holes) == (None,) * 4 and self.screen != "auto"
        if nothing and self.scale == 1:
            raise UsageError("nothing to restore; give --noise, --jpeg, --blur, --scale or --mask")

    def _leave_out(self, only: Collection[str]) -> None:
        for name in only:
            if name not in ONLY:
                raise UsageError(f"--only takes {', '.join(ONLY)}, not {name or 'nothing'}")
        beside_blur = "if-blurred" if "blur" in only else None
        for name in UNDONE:
            if name not in only and getattr(self, name) == "auto":
                object.__setattr__(self, name, beside_blur if name == "noise" else None)

    @property
    def screen(self) -> "Literal['if-sure', 'auto'] | None":
        """Which halftone screens are undone: those that are sure, likely ones, too, or none.

        A screen that is undone is all that is: its dots hide noise, coder and blur.
        """
        return "if-sure" if self.only is None else "auto" if "screen" in self.only else None

    def is_asked_for(self, name: str) -> bool:
        """Return whether undoing this was asked for by name."""
        return self.only is not None and name in self.only

    @property
    def fills_holes(self) -> bool:
        """Whether pixels are missing, which are filled."""
        return self.holes is not None

    @property
    def estimated(self) -> tuple[str, ...]:
        """What is estimated for each picture, of `UNDONE`."""
        return tuple(name for name in UNDONE if getattr(self, name) in ("auto", "if-blurred"))

    def problem(self, picture: "Picture", read_noise: "NoiseReader | None" = None) -> "Problem":
        """Return what is known about a picture: what was given, and what is estimated.

        Raises:
            PictureError: as `Inpaint.problem`.
        """
        from ..degradation.estimation.estimate import estimate_degradation
        from ..degradation.estimation.patching import patched
        from ..restoration.preparation import joined, nothing_prepared, prepare
        from ..restoration.problem import Problem

        prepared = prepare(picture) if self.noise == "auto" else nothing_prepared(picture)
        seen = prepared.seen
        holes = Problem() if self.holes is None else self.holes.missing(seen)
        seen = seen if holes.hole is None else replace(seen, pixels=patched(seen.pixels, holes.hole))
        holes = joined(holes, prepared, picture)
        is_looked_at = self.estimated or self.screen == "auto"
        found = estimate_degradation(seen, prepared.screens) if is_looked_at else None
        problem = self._problem(picture, found, self._noise(seen, found, read_noise), holes)
        return with_fill_noise(problem, picture, read_noise) if self._keeps_noise(problem) else problem

    def _keeps_noise(self, problem: "Problem") -> bool:
        """Return whether the result may have noise, beside which a filling without it would show."""
        if self.holes is None or self.holes.smooth_fill or "noise" in self.estimated:
            return False
        return problem.degradation.noise == 0 and problem.size is None

    def _noise(
        self, picture: "Picture", found: "Estimate | None", read_noise: "NoiseReader | None"
    ) -> "FoundNoise | None":
        """Return the noise: found, or given with its grain. None: there is none, or it is not to be removed."""
        from ..restoration.noise_reading import FoundNoise, find_noise, given_noise

        if found is not None and "noise" in self.estimated:
            noise = find_noise(picture, read_noise, found.noise.value or 0.0)
            return FoundNoise(level=found.noise.value or 0.0) if self._is_texture(noise, found) else noise
        if isinstance(self.noise, str) or not self.noise:
            return None
        return given_noise(self.noise, None if self.grain == "auto" else self.grain, picture, read_noise)

    def _is_texture(self, noise: "FoundNoise", found: "Estimate") -> bool:
        """Return whether noise is rather texture beneath a blur, which made it as coarse as the blur."""
        blur = self.blur
        if blur == "auto":
            blur = found.blur.value if found.blur.confidence == "high" else None
        if not blur or isinstance(blur, str) or noise.grain is None or noise.grain < _AS_COARSE * blur:
            return False
        return blur >= LEAST_BLUR and noise.chance < _PLAIN_CHANCE and noise.level < _FAINT

    def _unmoved(self, found: "Estimate", noise: "FoundNoise | None", holes: "Problem") -> "Problem | None":
        """Return the problem of motion or defocus where it is sure. None: it is not, or something else comes first."""
        from ..degradation.kernels import defocus, motion
        from ..restoration.noise_reading import FoundNoise
        from .deblur import unblurred

        blur = found.kernel
        if blur is None or not blur.is_sure or self.blur != "auto" or self.scale > 1 or holes.has_hole:
            return None
        kernel = motion(*blur.values) if blur.kind == "motion" else defocus(*blur.values)
        noise = noise or FoundNoise(level=found.noise.value or 0.0)
        level = f"noise: about {noise.level:.1f} levels" if noise.level else "noise: none"
        notes = (f"{level}, JPEG: {found.jpeg_words()}, blur: {blur.words()} (estimated)", *holes.findings.notes)
        known = replace(
            holes, findings=replace(holes.findings, notes=notes, facts={**holes.findings.facts, **kernel.told})
        )
        return unblurred(kernel, noise, found.jpeg.value or 100.0, known)

    def _linear(
        self, picture: "Picture", told: "Degradation", blur: float
    ) -> "tuple[LinearPart | None, tuple[str, ...]]":
        """Return what is undone exactly, and a warning if less blur shows than was given."""
        from ..degradation.estimation.estimate import blur_of, blur_that_shows
        from ..images.units import LEVEL
        from ..restoration.linear_part import LEAST_NOISE_ESTIMATED, linear_part, linear_part_given, looks_smaller

        if "blur" in self.estimated:
            return linear_part(told, blur, LEAST_NOISE_ESTIMATED), ()
        if linear_part(told, blur) is None:  # and the picture need not be looked at
            return None, ()
        noise = told.noise * LEVEL
        spectrum = blur_of(picture, noise).value
        shown = blur_that_shows(picture, spectrum or blur, noise)
        words = f"--blur {blur:.4g}: the picture looks blurred by {shown:.2f} pixels, so the result may ring"
        return linear_part_given(told, blur, spectrum), (words,) if looks_smaller(blur, shown) else ()

    @staticmethod
    def source_type(recipe: "Mapping[str, Any]") -> str | None:
        """Return IPTC's term for the result; None = nothing was found."""
        if any(recipe.get(key) for key in ("mask", "boxes", "polygons")):
            return EDITED
        if recipe.get("screen"):
            return altered(recipe)
        found = {name: recipe.get(name, none) for name, none in UNDONE.items()}
        is_clean = found == UNDONE and not PREPARED & recipe.keys()
        return None if is_clean and recipe.get("scale", 1) == 1 else altered(recipe)

    def to_recipe(self) -> dict[str, Any]:
        """Return the options as a recipe tells them. What is not undone is there, too."""
        grain = {} if self.grain == "auto" else {"grain": self.grain}
        given = {"noise": self.noise or 0.0, "jpeg": self.jpeg or 100.0, "blur": self.blur or 0.0}
        known: dict[str, Any] = {name: value for name, value in given.items() if name not in self.estimated}
        if self.only is not None:
            known["only"] = [name for name in ONLY if name in self.only]
        known["estimated"] = {name: getattr(self, name) for name in self.estimated}
        holes: dict[str, Any] = {"mask": None, "boxes": [], "polygons": [], "invert_mask": False}
        return {
            **holes,
            **known,
            **grain,
            "scale": self.scale,
            **({} if self.holes is None else self.holes.to_recipe()),
        }

    def problem_of(self, prepared: "Prepared", found: "Estimate", noise: "FoundNoise | None" = None) -> "Problem":
        """Return the problem where no mask is given and the estimate is known.

        Args:
            prepared: what is restored.
            found: its estimate.
            noise: its noise; None: as the estimate has it.
        """
        from ..restoration.preparation import joined
        from ..restoration.problem import Problem

        holes = joined(Problem(), prepared, prepared.picture)
        return self._problem(prepared.picture, found, noise, holes)

    def _problem(
        self, picture: "Picture", found: "Estimate | None", photo: "FoundNoise | None", holes: "Problem"
    ) -> "Problem":
        from ..degradation.estimation.picture_noise import MAX_JPEG_QUALITY
        from ..degradation.operators import Degradation, scaled_size
        from ..images.units import LEVEL
        from ..restoration.problem import GuidePicture, JpegBlocks, NoisyPicture
        from .screened import screened

        if found is not None:
            given = 0.0 if self.noise is None or isinstance(self.noise, str) else self.noise
            known = screened(picture, found.screens, holes, asked=self.screen, noise=given, scale=self.scale)
            if (known := known or self._unmoved(found, photo, holes)) is not None:
                return known
        noise, jpeg, blur = _resolved(self, picture, found, photo)
        suspected = 0.0 if photo is None else photo.suspected
        notes = () if found is None else _restore_notes(self, found, noise, suspected, blur)
        findings = replace(holes.findings, notes=(*notes, *holes.findings.notes))
        beneath = found is not None and found.jpeg_above is not None
        as_stored = jpeg == 100 or (picture.source.jpeg is not None and not beneath)
        correlated = photo if photo is not None and photo.grain is not None and noise > 0 else None
        if correlated is not None:
            findings = replace(findings, facts={**findings.facts, **correlated.facts()})
        elif blur == 0 and self.scale == 1 and noise > 0 and self.holes is None and as_stored:
            alone = Denoise(noise=noise, grain=0.0).problem(picture)  # through y, or as a guide where a coder was at it
            finish = replace(holes.finish, uncoded=alone.guide is not None and jpeg < 100)
            return replace(holes, observation=alone.observation, finish=finish, findings=findings)
        quality = jpeg if jpeg <= MAX_JPEG_QUALITY else 100.0
        if blur == 0 and self.scale == 1 and quality == 100 and correlated is None:
            return replace(holes, observation=NoisyPicture(noise=noise / LEVEL), findings=findings)
        h, w = picture.pixels.shape[:2]
        size = scaled_size((h, w), self.scale)
        white = Degradation(noise=noise / LEVEL, quality=quality)
        stored = white if correlated is None else correlated.degradation(quality)
        told = replace(stored, scale=self.scale, blur=min(blur, KNOWN_BLUR))
        origin = found.jpeg_origin if found is not None and (beneath or picture.source.jpeg is None) else None
        linear, warnings = self._linear(picture, told, blur)
        guide = GuidePicture(
            degradation=told, size=size if self.scale > 1 else None, origin=origin, linear=linear
        )  # fmt: skip
        findings = replace(findings, warnings=(*findings.warnings, *warnings))
        finish = replace(holes.finish, uncoded=quality < 100)
        if told == Degradation(quality=quality) and quality < 100 and holes.hole is None:
            finish = replace(finish, blocks=JpegBlocks(quality=quality, origin=origin))
        return replace(holes, observation=guide, finish=finish, findings=findings)


def restore_only(only: Collection[str] | None, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of `Restore` that say what happened: "auto" where nothing was said.

    Args:
        only: names of `ONLY`; None = all of them.
        given: what was said of each of these; None = nothing.

    Raises:
        UsageError: something is said of what is not to be undone.
    """
    for name, value in given.items():
        if only is not None and value not in (None, UNDONE[name]) and name not in only:
            raise UsageError(f"--{name} {value}: --only leaves {name} out; add it there, or leave out --{name}")
    values = {name: "auto" if given.get(name) is None else given[name] for name in UNDONE}
    return {**values, "only": None if only is None else tuple(only)}


def _resolved(
    task: Restore, picture: "Picture", found: "Estimate | None", photo: "FoundNoise | None"
) -> tuple[float, float, float]:
    """Return noise, JPEG quality (100 = none) and blur, with the estimates in the place of "auto"."""
    values: dict[str, float] = {}
    for name, none in UNDONE.items():
        value = getattr(task, name)
        if name in task.estimated:
            value = None if found is None else getattr(found, name).value
            if name == "blur" and found is not None and not _may_be_sharpened(found, asked=task.is_asked_for(name)):
                value = None
            if name == "jpeg" and found is not None and value is not None and not task.is_asked_for(name):
                value = None if _spoils(value, picture, found, photo) else value
            if name == "noise" and photo is not None:
                value = photo.level
        values[name] = none if value is None else float(value)
    if task.noise == "if-blurred" and values["blur"] == 0:
        values["noise"] = 0.0
    # A blur was before the enlargement if both are to be undone, so in pixels of the result it is larger.
    return values["noise"], values["jpeg"], values["blur"] * task.scale


def _spoils(quality: float, picture: "Picture", found: "Estimate", photo: "FoundNoise | None") -> bool:
    """Return whether undoing a JPEG may cost more than it gains.

    That is one of fine quality, one that may hold noise unseen, and one of dots, hard edges or thin lines.
    """
    from ..degradation.estimation.drawings import has_thin_lines, is_hard

    if quality > (FINE_DRAWING if found.is_drawn else FINE_JPEG) or (photo is not None and photo.suspected > 0):
        return True
    levels = picture.in_levels()
    return is_hard(levels) or (found.is_drawn and has_thin_lines(levels))


def _may_be_sharpened(found: "Estimate", *, asked: bool) -> bool:
    """Return whether more blur is read than in sharp photographs, and no borders of enlarged blocks would be sharper.

    Undoing a blur that is not there costs up to 8 dB in a noisy picture. So a little blur of less than high confidence,
    and any of low confidence, is told only.

    Args:
        found: the estimate.
        asked: undoing a blur is what was asked for.
    """
    confidence, plain = found.blur.confidence, (found.blur.value or 0.0) >= PLAIN_BLUR
    if not asked and (confidence == "low" or (confidence == "medium" and not plain)):
        return False
    if found.jpeg_period is not None:
        return False
    std, spread = found.blur.value or 0.0, found.blur.spread or 0.0
    return std >= LEAST_BLUR and std - 1.5 * spread >= LEAST_BLUR - 0.2


def _restore_notes(task: Restore, found: "Estimate", noise: float, suspected: float, blur: float) -> tuple[str, ...]:
    from .screened import unsure

    words = []
    if task.noise == "auto" or (task.noise == "if-blurred" and blur):
        none = f"perhaps {suspected:.1f} levels, left as they are" if suspected else "none"
        words.append(f"noise: about {noise:.1f} levels" if noise else f"noise: {none}")
    if task.jpeg == "auto":
        words.append(f"JPEG: {found.jpeg_words()}")
    if task.blur == "auto":
        none = "none that can be undone" if found.kernel is not None and found.kernel.is_unlike_any else "none to undo"
        words.append(f"blur: {blur / task.scale:.2f} pixels" if blur else f"blur: {none}")
    if task.screen == "auto":
        words.append("screen: none")
    return (f"{', '.join(words)} (estimated)", *unsure(task.screen, found.screens))
