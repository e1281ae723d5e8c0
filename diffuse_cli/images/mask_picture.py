"""Masks as gray pictures, white = masked. How masks are read: `mask_reading`."""

from typing import TYPE_CHECKING

from ..errors import PictureError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from .picture import Picture


def mask_picture(mask: "NDArray[np.bool_]") -> "Picture":
    """Return a gray picture that is white where a mask is True.

    Args:
        mask: (H, W).
    """
    import numpy as np

    from .picture import Picture

    return Picture(pixels=np.where(mask, 1, -1)[..., None].astype(np.float32))


def check_size(mask: "NDArray[np.bool_ | np.float32]", picture: "Picture") -> None:
    """Refuse a mask of another size than the picture's.

    Args:
        mask: (H, W).
        picture: as displayed.

    Raises:
        PictureError: the sizes differ.
    """
    (mh, mw), (h, w) = mask.shape, picture.pixels.shape[:2]
    if (mh, mw) != (h, w):
        raise PictureError(f"the mask is {mw}x{mh} but the picture, as displayed, {w}x{h}; resize the mask")
