"""Damaged JPEGs on their way to a task: kept, refused, or filled first."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import PictureError
from ..options.compute import Compute

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
    if how == "refuse" and (what := damage_words(picture)):
        raise PictureError(f"{path}: damaged: {what}; --damaged keep takes what is there")


def told(picture: "Picture", how: "Damaged | None" = None) -> str:
    """Return what to say of a damaged picture; "" = it is not damaged.

    Args:
        picture: after a mender.
        how: what was asked for; None: nothing can be filled.
    """
    damage, what = picture.source.damage, damage_words(picture)
    fills = how == "keep" and damage is not None and damage.fillable.any()
    return what and f"damaged: {what}{'; --damaged inpaint fills them' if fills else ''}"


def damage_words(picture: "Picture") -> str:
    """Return what is damaged, in words; "" = nothing.

    Args:
        picture: the picture, or a frame of an animation.
    """
    frame, damage = picture.source.frame, picture.source.damage
    if picture.source.clip is not None:
        return picture.source.clip.clip.survey.damage
    if frame is not None and frame.is_cut:
        return f"frame {picture.source.pages + 1} cannot be read, so the animation ends before it"
    return "" if damage is None else str(damage)
