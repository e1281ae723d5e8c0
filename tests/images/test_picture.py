"""Levels and the picture that holds them."""

from dataclasses import replace

import numpy as np
import pytest

from diffuse_cli.images.image_io import (
    to_levels,
    to_unit,
)
from tests.helpers.image_files import picture


@pytest.mark.parametrize("depth", [8, 16])
def test_every_level_survives(depth: int) -> None:
    levels = np.arange(256, dtype=np.uint8) if depth == 8 else np.arange(65536, dtype=np.uint16)
    pixels = to_unit(levels, depth)
    assert pixels.dtype == np.float32
    assert (pixels[0], pixels[-1]) == (-1, 1)
    back = to_levels(pixels, depth)
    assert back.dtype == levels.dtype
    np.testing.assert_array_equal(back, levels)


def test_levels_are_rounded_and_clipped() -> None:
    pixels = np.array([-3, -1 + 0.4 / 127.5, -1 + 0.6 / 127.5, 3], np.float32)
    assert to_levels(pixels, 8).tolist() == [0, 0, 1, 255]


def test_a_picture_of_parts_that_do_not_fit_is_refused() -> None:
    whole = picture(alpha=True)
    for change in (
        {"pixels": np.zeros((13, 9), np.float32)},
        {"pixels": np.zeros((13, 9, 3))},
        {"pixels": np.zeros((26, 18, 3), np.float32)},
        {"depth": 16},
        {"depth": 10},
    ):
        with pytest.raises(ValueError, match=r"not|alpha"):
            replace(whole, **change)


def test_is_gray() -> None:
    assert picture(1).is_gray
    assert not picture(3).is_gray
    assert replace(picture(), pixels=np.repeat(picture(1).pixels, 3, 2)).is_gray
