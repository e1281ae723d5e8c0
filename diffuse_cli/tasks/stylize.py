"""Stylize: give a picture the look of another."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from ..images.mask_picture import check_size
from .task import altered, check_range, to_recipe

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from ..images.picture import Picture
    from ..restoration.noise_reading import NoiseReader
    from ..restoration.problem import Problem
    from .style.delta import Style
    from .style.studio import StylePicture

LEVELS = 2
"""How often the picture is halved before the first strokes; the style's picture was halved as often."""
_SIGMA = 0.8
_OCTAVES = 2
"""With the strength, sigma rises to 0.8, and the factor that the guide is shrunk by from 2 to 8."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Stylize:
    """Give a picture the colours and the texture of another. `style.studio` makes the network learn the texture.

    Attributes:
        style: a picture whose look is taken, its file, or a file that `diffuse stylize --save-style` wrote.
        strength: 0 = the picture as it is. Colours change up to 0.5. Strokes grow up to 1.
        keep_luma: keep the picture's luma, and change its colours alone.
        mask: (H, W), True where it is changed; None = everywhere.

    Raises:
        UsageError: a value is out of range.
        PictureError: the style's picture cannot be read.
        CheckpointError: the style's file cannot be read.
    """

    style: "str | Path | Picture | StylePicture | Style" = field(repr=False)
    strength: float = 0.5
    keep_luma: bool = False
    mask: "NDArray[np.bool_] | None" = field(default=None, repr=False)

    fills_holes: ClassVar[bool] = False

    def __post_init__(self) -> None:
        """Check the range, and read the style."""
        check_range("strength", self.strength, 0, 1)
        object.__setattr__(self, "style", self.learnable)

    @property
    def learnable(self) -> "StylePicture | Style":
        """The style, read."""
        from ..images.picture import Picture
        from .style.studio import styled_by

        given = self.style
        if isinstance(given, str | Path):
            return styled_by(Path(given))
        return styled_by(given) if isinstance(given, Picture) else given

    def problem(self, picture: "Picture", read_noise: "NoiseReader | None" = None) -> "Problem":
        """Return what is known about a picture: how it looks in its new colours, and how it is painted.

        Raises:
            PictureError: the mask is of another size.
        """
        from ..restoration.problem import Problem, Repainting

        nothing = unchanged(self.strength, self.mask, picture)
        if nothing is not None:
            return nothing
        how = Repainting(
            sigma=_SIGMA * self.strength, scale=2 ** (1 + _OCTAVES * self.strength), levels=LEVELS,
            keep_luma=self.keep_luma, where=self.mask,
        )  # fmt: skip
        return Problem(picture=self._coloured(in_colour(picture)), observation=how)

    @staticmethod
    def source_type(recipe: "Mapping[str, Any]") -> str | None:
        """Return IPTC's term for the result; None = strength 0."""
        return None if recipe.get("strength") == 0 else altered(recipe)

    def to_recipe(self) -> dict[str, Any]:
        """Return the options as a recipe tells them, without the style and the mask."""
        return to_recipe(self, without=("style", "mask"))

    def _coloured(self, picture: "Picture") -> "Picture":
        """Return the picture in the style's colours, where it is changed."""
        import numpy as np
        import torch

        from ..images.units import luma
        from .style.colour_transport import colours_of, transported

        x = torch.from_numpy(picture.pixels).permute(2, 0, 1)[None]
        low, high = min(float(x.min()), -1.0), max(float(x.max()), 1.0)
        changed = self._changed(picture)
        own = colours_of(x, torch.from_numpy(changed) if changed.any() else None)
        moved = transported(x, own, self.learnable.colours, min(2 * self.strength, 1.0)).clamp(low, high)
        if self.keep_luma:
            moved = moved + luma(x) - luma(moved)
        pixels = moved[0].permute(1, 2, 0).contiguous().numpy()
        return replace(picture, pixels=np.where(changed[..., None], pixels, picture.pixels))

    def _changed(self, picture: "Picture") -> "NDArray[np.bool_]":
        """Return the pixels (H, W) that are changed, and whose colours count: those of the mask that are visible."""
        import numpy as np

        where = np.ones(picture.pixels.shape[:2], bool) if self.mask is None else self.mask
        return where if picture.alpha is None else where & (picture.alpha > 0)


def unchanged(strength: float, mask: "NDArray[np.bool_] | None", picture: "Picture") -> "Problem | None":
    """Return the problem of a picture of which nothing is painted again; None: something is.

    Args:
        strength: of the painting.
        mask: (H, W), True where it is painted again. None: everywhere.
        picture: the file's.

    Raises:
        PictureError: the mask is of another size.
    """
    from ..restoration.problem import Findings, Problem

    if mask is not None:
        check_size(mask, picture)
    if strength == 0:
        return Problem()
    if mask is not None and not mask.any():
        nothing = "the mask is empty, so nothing is changed (white = change)"
        return Problem(findings=Findings(warnings=(nothing,)))
    return None


def in_colour(picture: "Picture") -> "Picture":
    """Convert a gray picture to three channels, without what its file said about gray numbers alone."""
    import numpy as np

    if picture.pixels.shape[2] == 3:
        return picture
    pixels = np.repeat(picture.pixels, 3, axis=2)
    source = replace(picture.source, icc=b"", samples=None, jpeg=None)
    return replace(picture, pixels=pixels, source=source)
