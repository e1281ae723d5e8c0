"""Repair: everything that an old photograph needs, in one task."""

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from ..errors import UsageError
from ..images.source_type import EDITED
from .inpaint import Inpaint, TooMuchDamageError
from .restore import ONLY as RESTORED
from .restore import Restore
from .task import altered, check_range

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..images.picture import Picture
    from ..restoration.noise_reading import NoiseReader
    from ..restoration.problem import Problem
    from .tone.enhancement import ToneResult

ONLY: Final = ("marks", *RESTORED, "fading")
"""What --only takes."""


class _Fading(NamedTuple):
    """The tone that a picture gets, and the light of a veil that stays, because the picture may be no print."""

    toned: "ToneResult"
    left: float = 0.0


def _found_marks() -> Inpaint:
    return Inpaint(mask="auto", if_worn=True)


@dataclass(frozen=True, kw_only=True, slots=True)
class Repair:
    """Repair an old photograph: its marks, noise, JPEG traces, blur, halftone screen and fading.

    All of it is looked for. What is not found, or is not sure, is left as it is.

    Attributes:
        only: the names of `ONLY` that are repaired; None = all.
        holes: where the marks are; by default what is found, if the picture is worn. It counts only if marks are
            repaired.
        saturation: factor of the colours; "auto" = dull colours of a faded print come back.

    Raises:
        UsageError: a name is unknown, or a value is out of range.
    """

    only: Collection[str] | None = None
    holes: Inpaint = field(default_factory=_found_marks)
    saturation: "float | Literal['auto']" = "auto"

    def __post_init__(self) -> None:
        """Check the names and the range."""
        unknown = [name for name in self.only or () if name not in ONLY]
        if unknown or self.only == ():
            raise UsageError(f"--only takes {', '.join(ONLY)}, not {unknown[0] if unknown else 'nothing'}")
        if self.saturation != "auto":
            check_range("saturation", self.saturation, 0, 3)

    def _is_wanted(self, name: str) -> bool:
        return self.only is None or name in self.only

    @property
    def fills_holes(self) -> bool:
        """Whether marks are looked for, which are filled."""
        return self._is_wanted("marks")

    def problem(self, picture: "Picture", read_noise: "NoiseReader | None" = None) -> "Problem":
        """Return what is known about a picture: what is restored, and how its tone is changed afterwards."""
        restored = self._restored(picture, read_noise)
        if not self._is_wanted("fading"):
            return restored
        fading = self._fading(picture, restored)
        toned = None if fading is None else fading.toned
        facts = {} if toned is None else {"tone": _facts(toned)}
        findings = replace(
            restored.findings,
            notes=(*restored.findings.notes, _note(fading)),
            facts={**restored.findings.facts, **facts},
        )
        if toned is None or toned.is_untouched:
            return replace(restored, findings=findings)
        if restored.leaves_alone:
            return replace(restored, picture=_lit(picture, toned), findings=findings)
        return replace(restored, finish=replace(restored.finish, tone=toned.tone), findings=findings)

    def _restored(self, picture: "Picture", read_noise: "NoiseReader | None") -> "Problem":
        """Return the problem without the fading. Too many marks are told and not filled."""
        from ..restoration.problem import Problem

        undone = None if self.only is None else tuple(name for name in self.only if name in RESTORED)
        holes = self.holes if self.fills_holes else None
        try:
            if undone == ():
                return Problem() if holes is None else holes.problem(picture, read_noise)
            return Restore(only=undone, holes=holes).problem(picture, read_noise)
        except TooMuchDamageError as error:
            found = Problem() if undone == () else Restore(only=undone).problem(picture, read_noise)
            warnings = (*found.findings.warnings, f"{error}; nothing is filled")
            return replace(found, findings=replace(found.findings, warnings=warnings))

    def _fading(self, picture: "Picture", restored: "Problem") -> "_Fading | None":
        """Measure the fading inside the print, without its marks. None: it is text or a drawing.

        It is undone if it is asked for, if marks or a margin show a print, or if the tones are those of one. A low-key
        or foggy photograph keeps its veil.
        """
        import numpy as np

        from ..degradation.estimation.drawings import is_drawn, is_hard
        from ..degradation.estimation.patching import patched
        from ..images.tensors import to_tensor
        from ..images.units import LEVEL
        from ..restoration.visible import visible
        from .tone.enhancement import ToneOptions, enhance
        from .tone.faded import LEAST_VEIL, is_faded
        from .tone.print_area import print_area

        seen = visible(picture).pixels
        seen = seen if restored.hole is None else patched(seen, restored.hole)
        rows, columns = print_area(seen)
        levels = (seen[rows, columns] + 1) * np.float32(LEVEL)
        if is_drawn(levels) or is_hard(levels):
            return None
        x = to_tensor(seen[rows, columns])
        wish = ToneOptions(exposure=0.0, saturation=self.saturation, worn=True)
        toned = enhance(x, wish, depth=picture.depth)
        shown = self.only is not None or restored.has_hole or x.shape[-2:] != seen.shape[:2]
        if shown or toned.is_untouched or is_faded(x, toned.black):
            return _Fading(toned)
        left = toned.black if toned.black >= LEAST_VEIL else 0.0
        return _Fading(enhance(x, replace(wish, contrast=1.0), depth=picture.depth), left)

    @staticmethod
    def source_type(recipe: "Mapping[str, Any]") -> str | None:
        """Return IPTC's term for the result. Filled marks are edited."""
        return EDITED if any(recipe.get(key) for key in ("mask", "boxes", "polygons")) else altered(recipe)

    def to_recipe(self) -> dict[str, Any]:
        """Return the options as a recipe tells them, without the mask."""
        only = None if self.only is None else [name for name in ONLY if name in self.only]
        named = {} if only is None else {"only": only}
        return {**named, **(self.holes.to_recipe() if self.fills_holes else {}), "saturation": self.saturation}


def _lit(picture: "Picture", toned: "ToneResult") -> "Picture":
    """Return a picture in its new tone, where nothing else is repaired."""
    from ..images.tensors import to_array, to_tensor
    from ..restoration.finishing import extend_colour_under_alpha

    x = to_tensor(extend_colour_under_alpha(picture).pixels)
    return replace(picture, pixels=to_array(toned.tone(x), picture.pixels.shape[2]))


def _facts(toned: "ToneResult") -> dict[str, float]:
    tone = toned.tone
    found = {"black": toned.black, "cast": toned.cast, "clarity": tone.clarity, "saturation": tone.saturation}
    return {name: round(value, 4) for name, value in found.items()}


def _note(fading: _Fading | None) -> str:
    if fading is None or (fading.toned.is_untouched and not fading.left):
        return "fading: none found"
    toned, left = fading
    if left:
        return f"fading: a veil of {100 * left:.1f} % of the light, of a print or of the scene; --only fading undoes it"
    words = [f"a veil of {100 * toned.black:.1f} % of the light"] if toned.black else []
    words += [f"a cast of {toned.cast:.0f} degrees"] if toned.cast else []
    words += [f"colours times {toned.tone.saturation:.2f}"] if toned.tone.saturation != 1 else []
    return f"fading: {', '.join(words)} (undone)"
