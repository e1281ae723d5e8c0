"""Masks as pictures."""

import numpy as np

from diffuse_cli.images.mask_picture import mask_picture
from diffuse_cli.images.mask_reading import read_mask


def test_a_mask_that_is_written_is_read_again() -> None:
    mask = np.array([[False, True, True], [False, False, True]])
    assert np.array_equal(read_mask(mask_picture(mask)).marks, mask)
