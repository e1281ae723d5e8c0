"""The light of a copy."""

import numpy as np
import pytest

from diffuse_cli.restoration.copies.lighting import CLIPPED, match_light
from tests.helpers.copies import scene, stored

EVERYWHERE = np.ones((144, 144), bool)


def test_gain_and_offset_of_each_channel_are_found() -> None:
    clean = scene()
    gain, offset = np.array([0.95, 1.3, 1.1], np.float32), np.array([0.05, -0.1, 0.0], np.float32)
    other = (clean - offset) / gain
    light = match_light(stored(clean, 10).pixels, stored(other, 10, 1).pixels, EVERYWHERE)
    assert light.gain == pytest.approx(gain, rel=0.03)
    assert np.abs(light.matched(other) - clean).mean() < 0.01


def test_what_moved_does_not_count() -> None:
    clean = scene()
    other = clean * 0.8
    other[20:70, 20:70] = 0.6
    light = match_light(clean, other, EVERYWHERE)
    assert light.gain == pytest.approx([1.25] * 3, rel=0.01)


def test_a_plain_picture_has_an_offset_alone() -> None:
    plain = np.zeros((64, 64, 1), np.float32)
    light = match_light(plain, plain + np.float32(0.1), np.ones((64, 64), bool))
    assert (float(light.gain[0]), float(light.offset[0])) == pytest.approx((1.0, -0.1))


def test_what_a_copy_clipped_is_told_where_its_light_differs() -> None:
    clean = scene()
    bright = np.clip(clean * 1.5, -1, 1)
    light = match_light(clean, bright, EVERYWHERE)
    assert np.array_equal(light.clipped(bright), (np.abs(bright) > CLIPPED).any(2))
    assert not match_light(clean, clean, EVERYWHERE).clipped(np.ones_like(clean)).any()
