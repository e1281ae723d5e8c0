"""A copy on the reference's pixels, and its noise."""

import numpy as np
import pytest

from diffuse_cli.restoration.copies.placing import grain_of, noise_kept, place, shown
from tests.helpers.copies import moved, psnr, scene

pytest.importorskip("cv2")


def shift(x: float, y: float, scale: float = 1.0) -> np.ndarray:
    return np.array([[scale, 0, x], [0, scale, y], [0, 0, 1]])


def test_a_shift_is_undone() -> None:
    clean = scene()
    assert psnr(place(moved(clean, (1.5, -0.5)), shift(-1.5, 0.5), (144, 144)), clean) > 38
    whole = place(clean, shift(3, 2), (144, 144))
    assert np.array_equal(whole[:-2, :-3], clean[2:, 3:])


def test_what_lies_outside_is_known() -> None:
    inside = shown(shift(10, 0), (64, 64), (64, 64))
    assert inside[:, :54].all()
    assert not inside[:, 54:].any()


def test_interpolation_lowers_noise_and_what_is_coarse_of_it_stays() -> None:
    whole, half = noise_kept(shift(3, 0), (256, 256), 0.0, 1), noise_kept(shift(0.5, 0.5), (256, 256), 0.0, 1)
    assert whole.variance == pytest.approx(1, abs=0.05)
    assert half.variance < 0.9
    assert half.coarse == pytest.approx(whole.coarse, rel=0.12)
    small = noise_kept(shift(0, 0, 0.5), (256, 256), 0.0, 1)
    assert small.coarse == pytest.approx(3.2, rel=0.25)  # a quarter of the samples; the blur hides some of it
    assert noise_kept(shift(0, 0), (256, 256), 1.0, 1).coarse > 4
    assert grain_of(noise_kept(shift(0, 0), (256, 256), 1.0, 1).drawn) == pytest.approx(1.0, rel=0.1)
    assert grain_of(whole.drawn) < 0.3  # chance
