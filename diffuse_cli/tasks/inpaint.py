"""Inpaint: fill missing pixels, keep the others."""

import math
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from ..errors import PictureError, UsageError
from ..images.mask_picture import check_size
from ..images.source_type import EDITED
from ..restoration.wide_holes.widths import TEXTURED, widest
from .task import check_range, to_recipe

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from ..images.image_io import Picture
    from ..restoration.noise_reading import NoiseReader
    from ..restoration.problem import Problem

MAX_GROW = 200
"""Pixels by which a mask can be grown, and over which it can fade."""
Box = tuple[int, int, int, int]
Polygon = tuple[tuple[float, float], ...]

_WIDE_NOTE = (
    "a hole is {across} pixels wide, so it gets pieces of the picture (--seed N picks others), or with --steps 1 the "
    "smooth mean"
)


class TooMuchDamageError(PictureError):
    """More of a picture looks damaged than is to be believed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Inpaint:
    """Fill missing pixels. The others keep their bits.

    Attributes:
        mask: (H, W), True = fill; or floats, 0 = keep, 1 = fill, and what is less than 0.25 is blended; "alpha" = the
            picture's transparent pixels; "auto" = what looks like dust, scratches, tears and missing corners; None =
            the boxes and polygons alone.
        boxes: (x, y, width, height) of rectangles to fill as well.
        polygons: the corners (x, y) of polygons to fill as well.
        invert_mask: fill what mask, boxes and polygons leave, instead.
        grow: pixels by which all that is grown.
        feather: pixels over which the filling fades in, inside of that.
        mask_strength: of "auto": from 0, what is surely damage, to 1, whatever may be.
        mask_limit: of "auto": the most of the picture that may look damaged, in percent, without missing corners.
        if_worn: of "auto": leave marks that may be things in the picture, because there are few signs of wear.
        smooth_fill: leave what is filled without the grain of the picture.
        unblend: what is marked is half-transparent: take it off where it can be measured, and fill its rim alone.

    Raises:
        UsageError: there is nothing to fill, a box has no area, a polygon has less than three corners, the mask is no
            array of booleans or of floats within 0..1, or a value is out of range.
    """

    mask: "NDArray[np.bool_ | np.float32] | Literal['alpha', 'auto'] | None" = None
    boxes: "Sequence[Box]" = ()
    polygons: "Sequence[Polygon]" = ()
    invert_mask: bool = False
    grow: int = 0
    feather: int = 0
    mask_strength: float = 0.5
    mask_limit: float = 5.0
    if_worn: bool = False
    smooth_fill: bool = False
    unblend: bool = False

    fills_holes: ClassVar[bool] = True

    def __post_init__(self) -> None:
        """Check that there is something to fill."""
        if self.mask not in (None, "alpha", "auto") if isinstance(self.mask, str) else not _is_mask(self.mask):
            raise UsageError('a mask is an array (H, W) of booleans, or of floats from 0 to 1, "alpha" or "auto"')
        if self.unblend and (isinstance(self.mask, str) or self.invert_mask or self.feather):
            raise UsageError("--unblend needs --mask FILE, --box or --polygon, without --invert-mask and --feather")
        if self.mask is None and not self.boxes and not self.polygons:
            raise UsageError(
                "nothing to fill; paint it with --paint, or give --mask FILE, --mask alpha, --mask auto, "
                "--box X,Y,W,H or --polygon X,Y,..."
            )
        for box in self.boxes:
            if box[2] <= 0 or box[3] <= 0:
                raise UsageError(f"--box {','.join(map(str, box))}: width and height must be positive")
        for points in self.polygons:
            if len(points) < 3:
                raise UsageError(f"--polygon {_shown(points)}: not three corners; give x,y of three or more")
        check_range("grow", self.grow, 0, MAX_GROW)
        check_range("feather", self.feather, 0, MAX_GROW)
        check_range("mask-strength", self.mask_strength, 0, 1)
        check_range("mask-limit", self.mask_limit, 0, 100)

    def problem(self, picture: "Picture", read_noise: "NoiseReader | None" = None) -> "Problem":
        """Return what is known about a picture.

        Raises:
            PictureError: as `missing`.
        """
        problem = self.missing(picture)
        return problem if self.smooth_fill else with_fill_noise(problem, picture, read_noise)

    def missing(self, picture: "Picture") -> "Problem":
        """Return what is missing of a picture.

        Raises:
            PictureError: the mask is of another size, empty or full, a box lies outside the picture, or there is no
                alpha.
            TooMuchDamageError: too much looks damaged.
        """
        from ..restoration.problem import Findings

        known = self.known(picture)
        wide = None if known.hole is None else widest(known.hole, TEXTURED)
        if wide is None:
            return known
        across = min(wide.across, *_extent(wide.part))
        notes = (*known.findings.notes, _WIDE_NOTE.format(across=across))
        return replace(known, findings=Findings(notes=notes, warnings=known.findings.warnings))

    def known(self, picture: "Picture") -> "Problem":
        """Return what is known about a picture, however its holes are filled.

        Raises:
            PictureError: as `problem`.
        """
        from ..restoration.problem import Findings, Finish, Problem

        share, notes = self._share(picture)
        hole = share > 0
        source = self.mask if isinstance(self.mask, str) else ""
        if not hole.any() and source != "auto":
            nothing = "nothing of the picture is transparent" if source == "alpha" else "the mask is empty"
            raise PictureError(f"{nothing}, so there is nothing to fill; mark in white what is to be filled")
        if hole.all():
            raise PictureError("the mask covers the whole picture, so nothing is left to fill it from; mark less of it")
        if self.unblend:
            return _uncovered(picture, hole, notes)
        finish = Finish(cover=self._cover(share, hole), opaque=source == "alpha")
        return Problem(hole=hole, finish=finish, findings=Findings(notes=notes))

    @staticmethod
    def source_type(recipe: "Mapping[str, Any]") -> str | None:
        """Return IPTC's term for the result. The term names in- and outpainting."""
        return EDITED

    def to_recipe(self) -> dict[str, Any]:
        """Return the options as a recipe tells them, without the mask."""
        finding = {"mask_strength", "mask_limit", "if_worn"}
        of_finding = set() if isinstance(self.mask, str) and self.mask == "auto" else finding
        return to_recipe(self, without={"mask", *of_finding})

    @classmethod
    def from_recipe(
        cls, recipe: "Mapping[str, Any]", mask: "NDArray[np.bool_ | np.float32] | None" = None
    ) -> "Inpaint | None":
        """Return what a recipe says is filled; None = nothing.

        Args:
            recipe: as JSON holds it.
            mask: (H, W), as `Inpaint.mask`, where the recipe names a file by its hash.

        Raises:
            UsageError: the mask is missing.
        """
        named: Any = recipe.get("mask") if mask is None else mask
        if named is None and not recipe.get("boxes") and not recipe.get("polygons"):
            return None
        if isinstance(named, str) and named not in ("alpha", "auto"):
            raise UsageError("the recipe used a mask; give it again")
        names = [field.name for field in fields(cls) if field.name != "mask" and recipe.get(field.name) is not None]
        return cls(mask=named, **{name: _tuples(recipe[name]) for name in names})

    def _cover(self, share: "NDArray[np.float32]", hole: "NDArray[np.bool_]") -> "NDArray[np.float32] | None":
        """Return how much of the filling counts; None: all of it."""
        import numpy as np

        from ..degradation.mask_shapes import fading
        from ..images.mask_reading import FULL

        faded = fading(hole, self.feather) if self.feather else None
        if not bool((share[hole] < FULL).any()):
            return faded
        soft = (share / np.float32(FULL)).clip(0, 1)
        return soft if faded is None else np.minimum(soft, faded)

    def _share(self, picture: "Picture") -> "tuple[NDArray[np.float32], tuple[str, ...]]":
        """Return how much each pixel is marked, and notes about it."""
        import numpy as np

        from ..degradation.mask_shapes import spread

        mask, notes = self._masked(picture)
        share, (h, w) = mask.astype(np.float32), mask.shape
        for x, y, across, down in self.boxes:
            if x >= w or y >= h or x + across <= 0 or y + down <= 0:
                raise PictureError(f"--box {x},{y},{across},{down} lies outside the picture, which is {w}x{h}")
            share[max(y, 0) : y + down, max(x, 0) : x + across] = 1
        for points in self.polygons:
            share[_polygon(points, (h, w))] = 1
        share = 1 - share if self.invert_mask else share
        return spread(share, self.grow), notes

    def _masked(self, picture: "Picture") -> "tuple[NDArray[np.bool_ | np.float32], tuple[str, ...]]":
        """Return what the mask alone says, and notes about it."""
        import numpy as np

        h, w = picture.pixels.shape[:2]
        if self.mask is None:
            return np.zeros((h, w), bool), ()
        if isinstance(self.mask, str):
            return (_transparent(picture), ()) if self.mask == "alpha" else self._found(picture)
        check_size(self.mask, picture)
        return self.mask, ()

    def _found(self, picture: "Picture") -> "tuple[NDArray[np.bool_], tuple[str, ...]]":
        """Find damage: mask "auto"."""
        from ..restoration.found_marks import find_marks

        found = find_marks(picture, self.mask_strength)
        filled = found.sure if self.if_worn else found.all
        parts = found.marks & filled, found.missing & filled, found.all & ~filled
        share, missing, left = (100 * float(part.mean()) for part in parts)
        if share > self.mask_limit:
            raise TooMuchDamageError(
                f"{share:.1f} % of the picture looks damaged, more than {self.mask_limit:g} %, probably too much; "
                f"use a smaller --mask-strength to find less, or --mask-limit {math.ceil(share)} to fill it anyway"
            )
        said = {
            "looks like dust, scratches or other marks, and is filled": share,
            "looks torn off, and is filled": missing,
            "may be marks or things in it, and stays; --mask auto fills it": left,
        }
        notes = [f"{percent:.2f} % of the picture {what}" for what, percent in said.items() if percent >= 0.005]
        notes = notes or ["nothing looks like dust, scratches or tears"]
        notes += [f"the infrared channel shows {100 * found.infrared:.2f} % of it"] if found.infrared else []
        return filled, tuple(notes)


def _uncovered(picture: "Picture", hole: "NDArray[np.bool_]", notes: tuple[str, ...]) -> "Problem":
    """Return the problem that a cover leaves: its rim is missing. Without a cover, all of the hole is."""
    from ..degradation.estimation.covers import find_cover
    from ..images.units import LEVEL
    from ..restoration.problem import Findings, Problem

    cover = find_cover(picture.pixels, hole)
    if cover is None:
        note = "what is marked is no cover of one colour and opacity that can be measured, so it is filled"
        return Problem(hole=hole, findings=Findings(notes=(*notes, note)))
    levels = ",".join(f"{(value + 1) * LEVEL:.0f}" for value in cover.colour)
    note = f"the cover hides {100 * cover.opacity:.0f} % by the colour {levels}; it is taken off, and its rim is filled"
    facts = {"cover": {"opacity": round(cover.opacity, 4), "colour": levels}}
    uncovered = replace(picture, pixels=cover.lifted(picture.pixels))
    return Problem(
        picture=uncovered, hole=hole & ~cover.core, findings=Findings(notes=(*notes, note), facts=facts)
    )  # fmt: skip


def _is_mask(mask: "NDArray[np.bool_ | np.float32] | None") -> bool:
    """Return whether an array is a mask, or there is none."""
    kind = getattr(getattr(mask, "dtype", None), "kind", "")
    if mask is None or kind == "b":
        return True
    return kind == "f" and mask.size > 0 and 0 <= float(mask.min()) <= float(mask.max()) <= 1


def with_fill_noise(problem: "Problem", picture: "Picture", read_noise: "NoiseReader | None") -> "Problem":
    """Return a problem that tells the noise of its picture, of which the filling is to have the like.

    Args:
        problem: what is known about the picture.
        picture: what is filled.
        read_noise: reads the noise of photographs; None: only white noise is found.
    """
    from ..degradation.estimation.patching import patched
    from ..restoration.noise_reading import LEAST_LEVEL, find_noise
    from ..restoration.visible import visible

    if problem.hole is None or not problem.has_hole or problem.hole.all():
        return problem
    seen = visible(picture)
    seen = replace(seen, pixels=patched(seen.pixels, problem.hole))
    found = find_noise(seen, read_noise)
    if found.level < LEAST_LEVEL:
        return problem
    note = f"what is filled gets grain like that beside it, about {found.level:.1f} levels; --smooth-fill leaves it out"
    facts = {f"fill_{name}": value for name, value in found.facts().items() if name != "noise_doubt"}
    findings = problem.findings
    findings = replace(findings, notes=(*findings.notes, note), facts={**findings.facts, **facts})
    return replace(problem, finish=replace(problem.finish, fill_noise=found.whole()), findings=findings)


def _extent(part: "NDArray[np.bool_]") -> tuple[int, int]:
    """Return the height and width of the box around a part of a picture."""
    import numpy as np

    rows, columns = np.flatnonzero(part.any(1)), np.flatnonzero(part.any(0))
    return int(rows[-1] - rows[0]) + 1, int(columns[-1] - columns[0]) + 1


def _tuples(value: Any) -> Any:  # noqa: ANN401 - whatever JSON holds
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


def _polygon(points: Polygon, size: tuple[int, int]) -> "NDArray[np.bool_]":
    from ..degradation.mask_shapes import polygon_mask

    inside = polygon_mask(size, points)
    if not inside.any():
        raise PictureError(f"--polygon {_shown(points)} lies outside the picture, which is {size[1]}x{size[0]}")
    return inside


def _shown(points: Polygon) -> str:
    return ",".join(f"{value:g}" for point in points for value in point)


def _transparent(picture: "Picture") -> "NDArray[np.bool_]":
    if picture.alpha is None:
        raise PictureError("--mask alpha: the picture has no alpha channel; give --mask FILE")
    transparent: NDArray[np.bool_] = picture.alpha < 2 ** (picture.depth - 1)
    return transparent
