"""Redraw: draw a picture again as a prompt says, from itself covered with noise."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from ..images.source_type import EDITED
from .stylize import in_colour, unchanged
from .task import check_range, to_recipe

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from ..images.picture import Picture
    from ..restoration.noise_reading import NoiseReader
    from ..restoration.problem import Problem


@dataclass(frozen=True, kw_only=True, slots=True)
class Redraw:
    """Draw a picture again with a text-conditioned pipeline, which is told the prompt.

    Attributes:
        strength: 0 = the picture as it is, 1 = hardly anything of it.
        mask: (H, W), True where it is changed; None = everywhere.

    Raises:
        UsageError: a value is out of range.
    """

    strength: float = 0.5
    mask: "NDArray[np.bool_] | None" = field(default=None, repr=False)

    fills_holes: ClassVar[bool] = False

    def __post_init__(self) -> None:
        """Check the range."""
        check_range("strength", self.strength, 0, 1)

    def problem(self, picture: "Picture", read_noise: "NoiseReader | None" = None) -> "Problem":
        """Return what is known about a picture.

        Raises:
            PictureError: the mask is of another size.
        """
        from ..restoration.problem import AsTrained, Problem

        nothing = unchanged(self.strength, self.mask, picture)
        if nothing is not None:
            return nothing
        return Problem(picture=in_colour(picture), observation=AsTrained(), hole=self.mask)

    @staticmethod
    def source_type(recipe: "Mapping[str, Any]") -> str | None:
        """Return IPTC's term for the result; None = strength 0."""
        return None if recipe.get("strength") == 0 else EDITED

    def to_recipe(self) -> dict[str, Any]:
        """Return the options as a recipe tells them, without the mask."""
        return to_recipe(self, without=("mask",))
