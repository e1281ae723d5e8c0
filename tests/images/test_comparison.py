"""Before and after, side by side."""

import numpy as np

from diffuse_cli.images.comparison import comparison
from diffuse_cli.images.rendering import interest
from tests.helpers.pictures import noise


def test_a_comparison_holds_both_at_one_to_one() -> None:
    before, after = noise(120, 80, 1), noise(120, 80, 2)
    sheet = np.asarray(comparison(before, after, ("before", "after")))
    for image in (before, after):
        wanted = np.asarray(image)
        spots = np.lib.stride_tricks.sliding_window_view(sheet[..., 0], (1, 120))[:, :, 0]
        rows = np.argwhere((spots == wanted[0, :, 0]).all(-1))
        assert len(rows) == 1
        y, x = rows[0]
        assert np.array_equal(sheet[y : y + 80, x : x + 120], wanted)


def test_a_large_comparison_has_a_detail_with_the_pictures_own_pixels() -> None:
    before, after = noise(1000, 900, 1), noise(1000, 900, 2)
    x, y, width, height = interest(before, after).detail(480)
    sheet = comparison(before, after, ("before", "after"))
    right = np.asarray(sheet)[-height - 8 : -8, -8 - 640 :][:, :width]
    assert np.array_equal(right, np.asarray(after)[y : y + height, x : x + width])
