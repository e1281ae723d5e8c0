"""Pieces grow in from the rim, and lines go on first."""

import numpy as np
import pytest

from diffuse_cli.restoration.wide_holes.exemplars import Pieces, grown_in
from diffuse_cli.restoration.wide_holes.patch_search import uniform

from .conftest import box


def stripes(size: tuple[int, int]) -> np.ndarray:
    """A slanted dark line on light ground, (h, w, 3)."""
    rows, columns = np.mgrid[: size[0], : size[1]]
    line = np.abs(columns - rows - 10) < 3
    return np.where(line[..., None], np.float32(-0.8), np.float32(0.5)).repeat(3, 2).astype(np.float32)


@pytest.mark.parametrize("radius", [3, 5])
def test_a_line_goes_on(radius: int) -> None:
    x, hole = stripes((60, 80)), box((60, 80), slice(22, 40), slice(32, 50))
    sources = grown_in(x, ~hole, hole, Pieces(radius=radius, farther=0.5))
    assert sources is not None
    assert (~hole)[sources].all()
    wrong = np.abs(x[sources] - x)[hole].max(1) > 0.1
    assert wrong.mean() < 0.03


def test_what_is_known_shows_itself_and_nothing_missing_is_read() -> None:
    x, hole = stripes((60, 80)), box((60, 80), slice(22, 40), slice(32, 50))
    other = np.where(hole[..., None], np.float32(9), x)
    pieces = Pieces(radius=3, farther=0.5)
    one, two = (grown_in(picture, ~hole, hole, pieces) for picture in (x, other))
    assert one is not None
    assert two is not None
    assert all(np.array_equal(a, b) for a, b in zip(one, two, strict=True))
    rows, columns = np.mgrid[:60, :80]
    assert np.array_equal(one[0][~hole], rows[~hole])
    assert np.array_equal(one[1][~hole], columns[~hole])


def test_other_pieces_are_drawn() -> None:
    x = np.random.default_rng(0).normal(0, 0.2, (60, 80, 3)).astype(np.float32)
    hole = box((60, 80), slice(22, 40), slice(32, 50))
    best, again, drawn = (
        grown_in(x, ~hole, hole, Pieces(radius=3, farther=0.5, draw=draw)) for draw in (None, None, uniform(1, 0, 0))
    )
    assert best is not None
    assert again is not None
    assert drawn is not None
    assert np.array_equal(best[0], again[0])
    assert not np.array_equal(best[0], drawn[0])


def test_without_a_whole_piece_there_is_none() -> None:
    hole = box((12, 12), slice(3, 9), slice(3, 9))
    assert grown_in(np.zeros((12, 12, 3), np.float32), ~hole, hole, Pieces(radius=3, farther=0.5)) is None
