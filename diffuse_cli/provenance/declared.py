"""What is said to have been done to a picture: from the recipe in the result, or from options where it is gone."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from ..degradation import LEVEL, Description
from ..errors import UsageError
from ..request import KNOWN_BLUR, Inpaint

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ..image_file.picture import Picture

RESTORING: Final = frozenset({"denoise", "inpaint", "super-resolve", "restore", "deblur", "dejpeg"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Declared:
    """What is said to have been done.

    Attributes:
        what: what had happened to the input: its noise, blur, coder, and the factor that it was enlarged by.
        size: (height, width) of the result.
        hole: (H, W) of the input, True where it was filled; None = nowhere.
        opaque: what was filled became opaque.
        strength, chroma_strength: how far luma and chroma were moved towards the estimate.
    """

    what: Description
    size: tuple[int, int]
    hole: "NDArray[np.bool_] | None" = None
    opaque: bool = False
    strength: float = 1.0
    chroma_strength: float = 1.0

    @property
    def keeps_known_pixels(self) -> bool:
        """Whether what was not filled is said to be as it was."""
        untouched = self.what == Description() or self.strength == self.chroma_strength == 0
        return untouched and (self.hole is None or self.hole.shape == self.size)


def of_recipe(recipe: Mapping[str, Any], before: "Picture", mask: "NDArray[np.bool_] | None" = None) -> Declared:
    """What a recipe says, as far as a picture shows it.

    Args: before: the input; mask: (H, W), True = filled, where the recipe used a file.
    Raises: UsageError: the operation is none that verifying knows, or a value makes no sense. PictureError: mask and
        picture do not fit together.
    """
    operation = recipe.get("operation")
    if operation not in RESTORING:
        raise UsageError(f"{operation} cannot be verified; diffuse replay makes it again and compares")
    h, w = before.pixels.shape[:2]
    scale = _number(recipe, "scale", 1.0)
    quality = _number(recipe, "jpeg_quality", _number(recipe, "jpeg", 100.0))
    what = Description(
        scale=scale, noise=_number(recipe, "noise", 0.0) / LEVEL, quality=quality,
        blur=min(_number(recipe, "blur", 0.0) * scale, KNOWN_BLUR),
    )  # fmt: skip
    size = (max(round(h * scale), 1), max(round(w * scale), 1))
    if isinstance(recipe.get("size"), list):
        size = (int(recipe["size"][1]), int(recipe["size"][0]))
    return Declared(
        what=what,
        size=size,
        hole=_hole(recipe, before, mask),
        opaque=recipe.get("mask") == "alpha",
        strength=_number(recipe, "strength", 1.0),
        chroma_strength=_number(recipe, "chroma_strength", _number(recipe, "strength", 1.0)),
    )


def _number(recipe: Mapping[str, Any], key: str, default: float) -> float:
    value = recipe.get(key)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise UsageError(f"{key} is {value}, which is no number")
    return float(value)


def _hole(recipe: Mapping[str, Any], before: "Picture", mask: "NDArray[np.bool_] | None") -> "NDArray[np.bool_] | None":
    boxes = [(int(x), int(y), int(w), int(h)) for x, y, w, h in recipe.get("boxes") or ()]
    named = "alpha" if recipe.get("mask") == "alpha" else mask
    if named is None and not boxes:
        return None
    asked = Inpaint(mask=named, boxes=boxes, invert_mask=bool(recipe.get("invert_mask")))  # type: ignore[arg-type]
    return asked.task(before).hole
