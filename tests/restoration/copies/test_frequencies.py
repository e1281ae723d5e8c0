"""Softer copies count by the frequencies that they show."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from diffuse_cli.images.units import LEVEL
from diffuse_cli.restoration.copies.copy import Copy, reference
from diffuse_cli.restoration.copies.described import Described
from diffuse_cli.restoration.copies.frequencies import corrected
from diffuse_cli.restoration.noise_reading import FoundNoise
from tests.helpers.copies import Pixels, psnr, scene, stored

pytest.importorskip("cv2")

NOISE = (10 / LEVEL) ** 2


def soft_copy(clean: Pixels) -> Copy:
    soft = ndimage.gaussian_filter(clean, (1.5, 1.5, 0))
    return reference("soft", stored(soft, 3, 1), lambda picture: Described(noise=FoundNoise(level=3.0)))


def test_a_softer_copy_takes_noise_away_and_no_detail() -> None:
    clean = scene()
    noisy, sigma = stored(clean, 10).pixels, np.ones(clean.shape[:2], np.float32)
    found = corrected(noisy, NOISE, [(soft_copy(clean), sigma)])
    assert psnr(found.pixels, clean) > psnr(noisy, clean) + 0.2
    true = np.mean((found.pixels - clean) ** 2) / NOISE
    assert found.variance.mean() == pytest.approx(true, rel=0.1)
    assert 0.02 < found.shares[0].mean() < 0.5


def test_where_it_shows_something_else_it_does_not_count() -> None:
    clean = scene()
    noisy, sigma = stored(clean, 10).pixels, np.ones(clean.shape[:2], np.float32)
    soft = soft_copy(clean)
    other = soft.pixels.copy()
    other[40:80, 40:80] = 0.9
    sigma[36:84, 36:84] = np.inf
    found = corrected(noisy, NOISE, [(replace(soft, pixels=other), sigma)])
    assert psnr(found.pixels, clean) > psnr(noisy, clean)
    assert found.shares[0][50:70, 50:70].max() == 0
    nowhere = corrected(noisy, NOISE, [(soft, np.full_like(sigma, np.inf))])
    assert (nowhere.pixels == noisy).all()


def test_a_picture_without_noise_stays() -> None:
    clean = scene()
    found = corrected(clean, 0.0, [(soft_copy(clean), np.ones(clean.shape[:2], np.float32))])
    assert (found.pixels == clean).all()
    assert (found.variance == 1).all()
