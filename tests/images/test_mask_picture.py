"""Masks as pictures."""

import numpy as np

from diffuse_cli.images.image_io import Picture, to_unit
from diffuse_cli.images.mask_picture import mask_of


def test_masks_are_white_from_the_middle_up() -> None:
    levels = np.array([[0, 127, 128, 255]], np.uint8)[..., None]
    assert mask_of(Picture(pixels=to_unit(levels, 8))).tolist() == [[False, False, True, True]]
