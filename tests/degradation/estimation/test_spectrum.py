"""Blur, read from the spectrum."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from diffuse_cli.degradation.estimation.spectrum import estimate_blur, radial_power
from diffuse_cli.degradation.operators import blur

from .conftest import noisy


@pytest.mark.parametrize("std", [1.0, 2.0, 3.0])
@pytest.mark.parametrize("noise", [0.0, 5.0])
def test_blur_is_read_from_the_spectrum(photo: NDArray[np.uint8], std: float, noise: float) -> None:
    x = torch.from_numpy(photo.transpose(2, 0, 1).astype(np.float32))[None]
    blurred = blur(x, std)[0].permute(1, 2, 0).numpy().round().astype(np.uint8)
    found = estimate_blur(noisy(blurred, noise), noise)
    assert found.std == pytest.approx(std, abs=0.35)
    assert found.spread < 0.5


def test_sharp_photographs_have_little_blur(photo: NDArray[np.uint8]) -> None:
    assert (estimate_blur(photo.astype(np.float32), 0).std or 0) <= 0.6


def test_white_noise_has_its_variance_as_power() -> None:
    _, power = radial_power(np.random.default_rng(0).normal(0, 7, (256, 300)))
    assert power[-8:].mean() == pytest.approx(49, rel=0.05)


def test_what_is_no_photograph_has_no_blur() -> None:
    stripes = np.tile(np.where(np.arange(128) % 7 < 3, 0, 255), (128, 1)).astype(np.float32)[..., None]
    assert estimate_blur(stripes, 0).std is None
    assert estimate_blur(np.zeros((20, 20, 1), np.float32), 0).std is None
