"""Shot noise, even noise, smoothed noise."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from diffuse_cli.degradation.estimation.noise_model import estimate_noise_model, whiteness

from .conftest import noisy


def test_shot_noise_is_told_from_even_noise() -> None:
    x = np.tile(np.linspace(20, 220, 300), (200, 1))[..., None].repeat(3, 2).astype(np.uint8)
    shot = estimate_noise_model(noisy(x, np.sqrt(3 * x.astype(np.float32))), 19.0)
    assert shot.gain == pytest.approx(3, rel=0.15)
    assert shot.offset < 40
    even = estimate_noise_model(noisy(x, 15), 15.0)
    assert (even.gain, even.offset) == (0, 225)
    assert estimate_noise_model(noisy(x, 2), 2.0).gain == 0, "too faint to tell"


def test_smoothed_noise_is_told_from_white(photo: NDArray[np.uint8]) -> None:
    noise = np.random.default_rng(0).normal(0, 15, photo.shape)
    white = whiteness((photo + noise).clip(0, 255).astype(np.float32))
    smooth = whiteness((photo + 3 * ndimage.gaussian_filter(noise, (1, 1, 0))).clip(0, 255).astype(np.float32))
    assert 0.8 < white < 1.35
    assert smooth > 1.4
