"""What is shown of a picture, and where it has changed most."""

import numpy as np
import pytest
from PIL import Image

from diffuse_cli.images.picture import Picture
from diffuse_cli.images.rendering import interest, rendered, root_mean_square


def test_rendering_keeps_levels_and_shows_squares_through_what_is_transparent() -> None:
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16)
    pixels = (levels[..., None].astype(np.float32) / 127.5 - 1).astype(np.float32)
    assert np.array_equal(np.asarray(rendered(Picture(pixels=pixels))), levels)
    alpha = np.full((16, 16), 255, np.uint8)
    alpha[:, 8:] = 0
    seen = np.asarray(rendered(Picture(pixels=pixels, alpha=alpha)))
    assert np.array_equal(seen[:, :8], levels[:, :8])
    assert set(np.unique(seen[:, 8:])) == {153, 204}


def test_the_detail_is_where_the_change_is() -> None:
    before = Image.new("RGB", (900, 700), (90, 90, 90))
    after = before.copy()
    after.paste((240, 240, 240), (610, 420, 640, 450))
    x, y, width, height = interest(before, after).detail(200)
    assert (width, height) == (200, 200)
    assert x <= 610 < 640 <= x + width
    assert y <= 420 < 450 <= y + height


def test_the_change_is_a_root_mean_square() -> None:
    before, after = Image.new("RGB", (40, 30), (100, 100, 100)), Image.new("RGB", (40, 30), (106, 106, 106))
    assert root_mean_square(before, after) == pytest.approx(6)
