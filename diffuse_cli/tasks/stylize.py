"""`diffuse stylize`: the look of one picture on what another one shows."""

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from ..images.mask_picture import check_size
from .task import check_range, to_recipe

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ..images.picture import Picture
    from ..restoration.problem import Problem
    from .style.colour_transport import Colours

LEVELS = 2
"""How often the picture is halved before the first strokes, as often as the style's own was."""
_SIGMA = 0.8
_OCTAVES = 2
"""Sigma rises to 0.8 with the strength, and what the guide is shrunk by from 2 to 8."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Stylize:
    """Give a picture the colours and the texture of another, which the network must have learned (`style.studio`).

    Attributes:
        colours: of the style.
        strength: 0 = the picture as it is. Up to 0.5 its colours go over to the style's; strokes grow all the way to 1.
        keep_luma: the picture's luma stays, and only its colours change.
        mask: (H, W), True where it is changed; None = everywhere.
    Raises: UsageError: a value out of range.
    """

    colours: "Colours" = field(repr=False)
    strength: float = 0.5
    keep_luma: bool = False
    mask: "NDArray[np.bool_] | None" = field(default=None, repr=False)

    def __post_init__(self) -> None:
        """Check the range."""
        check_range("strength", self.strength, 0, 1)

    def problem(self, picture: "Picture") -> "Problem":
        """What is known about this picture: how it looks in its new colours, and how it is painted.

        Raises: PictureError: a mask of another size.
        """
        from ..restoration.problem import Findings, Problem, Repainting

        if self.mask is not None:
            check_size(self.mask, picture)
        if self.strength == 0:
            return Problem()
        if self.mask is not None and not self.mask.any():
            nothing = "the mask is empty, so nothing is changed (white = change)"
            return Problem(findings=Findings(warnings=(nothing,)))
        how = Repainting(
            sigma=_SIGMA * self.strength, scale=2 ** (1 + _OCTAVES * self.strength), levels=LEVELS,
            keep_luma=self.keep_luma, where=self.mask,
        )  # fmt: skip
        return Problem(picture=self._coloured(in_colour(picture)), observation=how)

    def to_recipe(self) -> dict[str, Any]:
        """In the words of a recipe: the style, and a mask, are told by their files' hashes."""
        return to_recipe(self, without=("colours", "mask"))

    def _coloured(self, picture: "Picture") -> "Picture":
        """The picture in the style's colours, where it is to be."""
        import numpy as np
        import torch

        from ..images.units import luma
        from .style.colour_transport import colours_of, transported

        x = torch.from_numpy(picture.pixels).permute(2, 0, 1)[None]
        low, high = min(float(x.min()), -1.0), max(float(x.max()), 1.0)
        changed = self._changed(picture)
        own = colours_of(x, torch.from_numpy(changed) if changed.any() else None)
        moved = transported(x, own, self.colours, min(2 * self.strength, 1.0)).clamp(low, high)
        if self.keep_luma:
            moved = moved + luma(x) - luma(moved)
        pixels = moved[0].permute(1, 2, 0).contiguous().numpy()
        return replace(picture, pixels=np.where(changed[..., None], pixels, picture.pixels))

    def _changed(self, picture: "Picture") -> "NDArray[np.bool_]":
        """(H, W), the pixels that are changed, and whose colours count: those of the mask that anybody sees."""
        import numpy as np

        where = np.ones(picture.pixels.shape[:2], bool) if self.mask is None else self.mask
        return where if picture.alpha is None else where & (picture.alpha > 0)


def in_colour(picture: "Picture") -> "Picture":
    """A gray picture with three channels; what its file said about gray numbers alone is left out."""
    import numpy as np

    if picture.pixels.shape[2] == 3:
        return picture
    pixels = np.repeat(picture.pixels, 3, axis=2)
    source = replace(picture.source, icc=b"", samples=None, jpeg=None)
    return replace(picture, pixels=pixels, source=source)
