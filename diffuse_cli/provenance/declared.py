"""What is declared to have been done to a picture: by the recipe in the result, or by options where it has none."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ..degradation.estimation.noise_map import KnownNoise, estimated_map, given_map
from ..degradation.operators import Degradation, scaled_size
from ..errors import UsageError
from ..images.units import LEVEL
from ..restoration.preparation import nothing_prepared, prepare
from ..tasks.extend import margins_of
from ..tasks.inpaint import Inpaint
from ..tasks.restore import KNOWN_BLUR, MAX_BLUR
from ..tasks.task import PREPARED

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..images.picture import Picture

RESTORING: Final = frozenset({"denoise", "inpaint", "super-resolve", "restore", "deblur", "dejpeg", "extend"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Declared:
    """What is declared to have been done.

    Attributes:
        what: what had happened to the input: its noise, blur, coder, and the factor of its enlargement.
        size: (height, width) of the result.
        std: (H, W), the noise's std in 8-bit levels, where it is not the same everywhere; `what` then holds its rms.
        hole: (H, W) of the input, or of the canvas around it, True where it was filled; None = nowhere.
        margins: left, top, right, bottom of the canvas.
        opaque: what was filled became opaque.
        strength: how far luma was moved towards the estimate, 0..1.
        chroma_strength: the same of chroma.
        cells: period, angle and amplitude of the halftone screens that were removed.
        prepared: the input without the offsets of its rows and columns, its impulses patched; None = the input itself.
        impulses: (H, W) of the input, True at single pixels that were filled; None = nowhere.
    """

    what: Degradation
    size: tuple[int, int]
    std: "NDArray[np.float32] | None" = None
    hole: "NDArray[np.bool_] | None" = None
    margins: tuple[int, int, int, int] | None = None
    opaque: bool = False
    strength: float = 1.0
    chroma_strength: float = 1.0
    cells: tuple[tuple[float, float, float], ...] = ()
    prepared: "Picture | None" = None
    impulses: "NDArray[np.bool_] | None" = None

    @property
    def keeps_known_pixels(self) -> bool:
        """Whether the pixels that were not filled are declared to be as they were."""
        untouched = self.what == Degradation() or self.strength == self.chroma_strength == 0
        return untouched and all(mask is None or mask.shape == self.size for mask in (self.hole, self.impulses))


def from_recipe(
    recipe: Mapping[str, Any],
    before: "Picture",
    mask: "NDArray[np.bool_ | np.float32] | None" = None,
    noise_map: "NDArray[np.float32] | None" = None,
) -> Declared:
    """Return what a recipe declares, as far as a picture shows it.

    Args:
        recipe: of the result.
        before: the input.
        mask: (H, W), as `Inpaint.mask`, where the recipe used a file.
        noise_map: (H, W), the noise's std in 8-bit levels, where the recipe used a file.

    Raises:
        UsageError: the operation cannot be verified, a file is missing, or a value makes no sense.
        PictureError: mask and picture do not fit together.
    """
    operation = recipe.get("operation")
    if operation not in RESTORING:
        raise UsageError(f"{operation} cannot be verified; diffuse replay makes it again and compares")
    if by := {"motion", "defocus", "kernel"} & recipe.keys():
        raise UsageError(f"deblur --{min(by)} cannot be verified; diffuse replay makes it again and compares")
    h, w = before.pixels.shape[:2]
    if operation == "extend":
        left, top, right, bottom = (int(number) for number in recipe.get("margins", (0, 0, 0, 0)))
        return Declared(
            what=Degradation(), size=(h + top + bottom, w + left + right), opaque=True,
            hole=margins_of((h, w), left, top, right, bottom), margins=(left, top, right, bottom),
        )  # fmt: skip
    prepared = prepare(before) if PREPARED & recipe.keys() else nothing_prepared(before)
    holes = Inpaint.from_recipe(recipe, mask)
    cells, dots = _screen(recipe)
    scale = _number(recipe, "scale", 1.0)
    quality = _number(recipe, "jpeg_quality", _number(recipe, "jpeg", 100.0))
    noise = KnownNoise(level=dots) if cells else _noise(recipe, before, noise_map)
    what = Degradation(
        scale=scale, noise=noise.level / LEVEL, quality=quality,
        blur=min(_number(recipe, "blur", 0.0) * scale, MAX_BLUR * scale if recipe.get("rounds") else KNOWN_BLUR),
        grain=_number(recipe, "grain", 0.0),
    )  # fmt: skip
    size = scaled_size((h, w), scale)
    if isinstance(recipe.get("size"), list):
        size = (int(recipe["size"][1]), int(recipe["size"][0]))
    return Declared(
        what=what,
        size=size,
        std=noise.std,
        hole=None if holes is None else replace(holes, unblend=False).problem(prepared.seen).hole,
        opaque=recipe.get("mask") == "alpha",
        strength=_number(recipe, "strength", 1.0),
        chroma_strength=_number(recipe, "chroma_strength", _number(recipe, "strength", 1.0)),
        cells=cells,
        prepared=prepared.seen if prepared.facts else None,
        impulses=prepared.hole,
    )


def _screen(recipe: Mapping[str, Any]) -> tuple[tuple[tuple[float, float, float], ...], float]:
    """Return the cells of the screens that were removed, and what remains of their dots, in levels.

    Raises:
        UsageError: a value makes no sense.
    """
    said = recipe.get("screen")
    if not said:
        return (), 0.0
    try:
        cells = tuple((float(period), float(angle), float(amplitude)) for period, angle, amplitude in said["cells"])
        dots = float(said["noise"])
    except (TypeError, ValueError, KeyError) as error:
        raise UsageError(f"screen is {said}, which is no screen") from error
    if not all(2 <= period <= 100 and 0 <= amplitude <= 255 for period, _, amplitude in cells):
        raise UsageError(f"screen is {said}, which is no screen")
    return cells, dots


def _noise(recipe: Mapping[str, Any], before: "Picture", noise_map: "NDArray[np.float32] | None") -> KnownNoise:
    """Return the level, the map that was given, or the map that is estimated from the input again."""
    if noise_map is not None:
        return given_map(noise_map, before)
    level, how = _number(recipe, "noise", 0.0), recipe.get("estimated", {}).get("noise")
    if how not in ("poisson", "auto-map") and "noise_gain" not in recipe:
        return KnownNoise(level=level)
    least = None if before.source.dicom is None else level
    found = estimated_map(before, by_place=how == "auto-map", least=least)
    if found.std is None or found.level == 0:
        return KnownNoise(level=level)
    return KnownNoise(level=level, std=found.std * np.float32(level / found.level))


def _number(recipe: Mapping[str, Any], key: str, default: float) -> float:
    value = recipe.get(key)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise UsageError(f"{key} is {value}, which is no number")
    return float(value)
