"""What of a picture counts: not the colour under full transparency, nor the gray of rows that a damaged file lacks."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..degradation.estimation.patching import patched
from ..images.picture import Picture


def unseen(picture: Picture) -> NDArray[np.bool_] | None:
    """Return the pixels that say nothing, (H, W); None = there are none.

    Args:
        picture: as it was read.
    """
    damage = picture.source.damage
    found = None if picture.alpha is None else np.asarray(picture.alpha == 0)
    if damage is not None and not damage.is_filled:
        found = damage.missing if found is None else found | damage.missing
    return found if found is not None and found.any() else None


def visible(picture: Picture) -> Picture:
    """Return a picture for estimators: what is not seen is patched from what is, so it depends on nothing else.

    Args:
        picture: as it was read.
    """
    where = unseen(picture)
    if where is None:
        return picture
    pixels = picture.pixels.copy()
    pixels[where] = np.float32(0) if where.all() else pixels[~where].mean(0)
    return replace(picture, pixels=patched(pixels, where))
