"""How wide a hole is, and what of it."""

import itertools

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from diffuse_cli.restoration.wide_holes.widths import REACH, dilated, eroded, wide_part, widest, width, window_of

from .conftest import box


@given(st.integers(3, 14), st.integers(3, 14), st.floats(0, 0.3), st.integers(0, 99))
@settings(max_examples=40, deadline=None)
def test_distances_are_those_counted_by_hand(h: int, w: int, share: float, seed: int) -> None:
    known = np.random.default_rng(seed).random((h, w)) < share
    known[seed % h, seed % w] = True
    away = np.full((h, w), 99)
    for i, j in itertools.product(range(h), range(w)):
        away[i, j] = min(max(abs(i - a), abs(j - b)) for a, b in np.argwhere(known))
    assert width(~known) == 2 * away.max()
    for reach in (0, 1, 3):
        np.testing.assert_array_equal(eroded(~known, reach), away > reach)
        np.testing.assert_array_equal(dilated(known, reach), away <= reach)


def test_what_is_wide() -> None:
    """A box with a scratch through it: the box is wide, the scratch, but for its root, is not."""
    hole = box((300, 300), slice(100, 200), slice(90, 220)) | box((300, 300), slice(140, 146), slice(0, 300))
    found = widest(hole)
    assert found is not None
    assert (found.levels(24), found.levels(26), found.levels(200)) == (3, 2, 0)  # 100 pixels halved twice are 25
    assert found.part[100:200, 90:220].all()
    assert not found.part[:, :80].any()
    assert not (found.part & ~hole).any()
    assert widest(box((300, 300), slice(100, 100 + REACH - 1), slice(0, 300))) is None
    assert widest(box((300, 300), slice(0, REACH - 2), slice(0, 300))) is not None  # known on one side only
    assert widest(np.ones((60, 60), bool)) is None
    assert widest(np.zeros((60, 60), bool)) is None
    assert not wide_part(hole, 120, 4).any()


def test_windows_begin_on_the_grid() -> None:
    rows, columns = window_of(box((500, 400), slice(200, 210), slice(390, 400)), 30, 64)
    assert (rows, columns) == (slice(128, 240), slice(320, 400))
