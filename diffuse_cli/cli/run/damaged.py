"""Damaged JPEGs on their way to a task: kept, refused, or filled first."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import PictureError
from ..options.options import Compute

if TYPE_CHECKING:
    from ...diffusion.foreign.model import AnyModel
    from ...images.choices import Damaged
    from ...images.picture import Picture

Mender = Callable[[Path, "Picture"], "Picture"]
"""Returns the picture to restore in the place of the one that was read."""


def mender(how: "Damaged", compute: Compute, model: "AnyModel | None") -> Mender:
    """Return what is done with each picture that is read.

    Args:
        how: what becomes of damaged ones.
        compute: how to compute.
        model: fills what is missing.
    """

    def mended(path: Path, picture: "Picture") -> "Picture":
        damage = picture.source.damage
        check(path, picture, how)
        if damage is None or how != "inpaint" or model is None:
            return picture
        from ...restoration.missing import filled

        return filled(picture, compute.settings(1), model)

    return mended


def check(path: Path, picture: "Picture", how: "Damaged") -> None:
    """Refuse a damaged picture, if that is asked for.

    Raises:
        PictureError: it is damaged.
    """
    if picture.source.damage is not None and how == "refuse":
        raise PictureError(f"{path}: damaged: {picture.source.damage}; --damaged keep takes what is there")


def told(picture: "Picture", how: "Damaged | None" = None) -> str:
    """Return what to say of a damaged picture; "" = it is not damaged.

    Args:
        picture: after a mender.
        how: what was asked for; None: nothing can be filled.
    """
    damage = picture.source.damage
    if damage is None:
        return ""
    more = "; --damaged inpaint fills them" if how == "keep" and damage.missing.any() else ""
    return f"damaged: {damage}{more}"
