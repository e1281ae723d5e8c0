"""Uncertainty as pictures."""

import numpy as np
import pytest

from diffuse_cli.restoration.uncertainty import round_up, std_picture, std_view


def test_a_map_holds_256_units_a_level() -> None:
    std = np.array([[0, 0.5, 1 / 256], [3, 255.99, 300]], np.float32)
    picture, clipped = std_picture(std)
    assert picture.depth == 16
    units = np.rint((picture.pixels[..., 0] + 1) / 2 * 65535)
    assert units.tolist() == [[0, 128, 1], [768, 65533, 65535]]
    assert clipped == pytest.approx(1 / 6)


def test_a_view_is_brighter_where_it_is_less_sure() -> None:
    std = np.zeros((50, 300), np.float32)
    std[:, 100:200], std[:, 200:] = 2, 5
    view = std_view(std).pixels
    assert view.shape == (94, 300, 3)
    assert view[25, 50].sum() < view[25, 150].sum() < view[25, 250].sum()
    assert view[50:, :].max() == 1, "the legend is white on black"
    assert std_view(std[:, :20]).pixels.shape == (94, 240, 3)


@pytest.mark.parametrize(("value", "top"), [(0, 0.1), (0.1, 0.1), (0.11, 0.2), (3, 5), (5, 5), (12, 20), (60, 100)])
def test_scales_end_at_round_numbers(value: float, top: float) -> None:
    assert round_up(value) == pytest.approx(top)
