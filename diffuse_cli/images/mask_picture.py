"""A mask as a gray picture, white = masked, and a picture as a mask."""

from typing import TYPE_CHECKING

from ..errors import PictureError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from .picture import Picture


def mask_picture(mask: "NDArray[np.bool_]") -> "Picture":
    """The inverse of `mask_of`: a gray picture, white where the mask (H, W) is True."""
    import numpy as np

    from .picture import Picture

    return Picture(pixels=np.where(mask, 1, -1)[..., None].astype(np.float32))


def mask_of(picture: "Picture") -> "NDArray[np.bool_]":
    """A picture as a mask (H, W): True where it is at least half white."""
    mask: NDArray[np.bool_] = picture.pixels.mean(2) >= 0
    return mask


def check_size(mask: "NDArray[np.bool_]", picture: "Picture") -> None:
    """Whether a mask (H, W) is of a picture's size.

    Raises: PictureError: it is of another.
    """
    (mh, mw), (h, w) = mask.shape, picture.pixels.shape[:2]
    if (mh, mw) != (h, w):
        raise PictureError(f"the mask is {mw}x{mh} but the picture, as displayed, {w}x{h}; resize the mask")
