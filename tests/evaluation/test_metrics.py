"""Measures against independent implementations and their own definitions."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from diffuse_cli.evaluation.metrics import haarpsi, luma, psnr, sliced_wasserstein, ssim
from tests.conftest import EXAMPLES, pixels


@pytest.fixture(scope="module")
def pair() -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """A photograph, and the same with noise."""
    a = pixels(EXAMPLES / "coffee_small.png")[..., :3]
    noise = np.random.default_rng(0).normal(0, 20, a.shape)
    return a, (a + noise).round().clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize("channels", [slice(0, 3), slice(0, 1)], ids=["colour", "gray"])
def test_psnr_and_ssim_are_scikit_images(pair: tuple[NDArray[np.uint8], NDArray[np.uint8]], channels: slice) -> None:
    a, b = (x[..., channels] for x in pair)
    assert psnr(a, b) == pytest.approx(peak_signal_noise_ratio(a, b), abs=1e-6)
    expected = structural_similarity(
        a, b, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=255, channel_axis=2
    )
    assert ssim(a, b) == pytest.approx(expected, abs=1e-6)


def test_equal_pictures(pair: tuple[NDArray[np.uint8], NDArray[np.uint8]]) -> None:
    a, _ = pair
    assert psnr(a, a) == 100
    assert ssim(a, a) == pytest.approx(1)
    with pytest.raises(ValueError, match="11 pixels"):
        ssim(a[:10], a[:10])


def test_luma_is_bt601s() -> None:
    colours = np.array([[[0, 0, 0], [255, 255, 255], [255, 0, 0], [0, 255, 0], [0, 0, 255]]], np.uint8)
    np.testing.assert_allclose(luma(colours)[0, :, 0], [16, 235, 81.481, 144.553, 40.966])
    gray = np.full((2, 2, 1), 255, np.uint8)
    np.testing.assert_allclose(luma(gray), 235)


def test_haarpsi_falls_with_noise(pair: tuple[NDArray[np.uint8], NDArray[np.uint8]]) -> None:
    measure = haarpsi()
    assert measure is not None
    a, b = pair
    assert measure(a, a) == pytest.approx(1, abs=1e-4)
    assert measure(a, b) < measure(a, ((a.astype(float) + b) / 2)) < 1


def test_sliced_wasserstein_knows_equal_distributions() -> None:
    draw = torch.Generator().manual_seed(0)
    a, b = torch.rand(16, 3, 40, 40, generator=draw), torch.rand(16, 3, 40, 40, generator=draw)
    assert sliced_wasserstein(a, a) == 0
    by_chance = sliced_wasserstein(a, b)
    assert by_chance < 100
    assert sliced_wasserstein(a, 0.5 * b + 0.25) > 4 * by_chance
    assert sliced_wasserstein(a, torch.nn.functional.avg_pool2d(b, 3, 1, 1)) > 4 * by_chance
