"""Pixels that a damaged file has no data for, or wrong ones, filled before anything else is done."""

from dataclasses import replace

from ..diffusion.foreign.model import AnyModel
from ..diffusion.settings import Settings
from ..images.picture import Picture
from .problem import Problem
from .restore import restore


def filled(picture: Picture, settings: Settings, model: AnyModel) -> Picture:
    """Return a picture whose missing and wrong pixels are filled as a hole. The others keep their bits.

    Args:
        picture: the file's, with damage.
        settings: how to compute; wide holes get texture.
        model: the network on its device.

    Raises:
        PictureError: the result is not finite.
        OutOfMemoryError: not even the smallest tile fits.
    """
    damage = picture.source.damage
    if damage is None or not damage.fillable.any():
        return picture
    whole = restore(picture, Problem(hole=damage.fillable), replace(settings, textured=True), model)
    return replace(whole, source=replace(picture.source, damage=replace(damage, is_filled=True)))
