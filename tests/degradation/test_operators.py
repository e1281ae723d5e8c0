"""Degradations against independent libraries and their own statistics."""

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import ndimage

from diffuse_cli.degradation.operators import Degradation, blur, degrade, resize, shot_noise


@pytest.mark.parametrize("std", [0.4, 1.6, 3.0])
def test_blur_is_scipys(std: float) -> None:
    x = torch.rand(1, 3, 40, 50, dtype=torch.float64)
    expected = ndimage.gaussian_filter(x.numpy(), (0, 0, std, std), mode="nearest", truncate=np.ceil(4 * std) / std)
    torch.testing.assert_close(blur(x, std), torch.from_numpy(expected))


def test_shrinking_is_pillows_float_resize() -> None:
    plane = np.random.default_rng(0).random((60, 84)).astype(np.float32)
    expected = np.asarray(Image.fromarray(plane).resize((28, 20), Image.Resampling.BICUBIC))
    actual = resize(torch.from_numpy(plane)[None, None], (20, 28))[0, 0].numpy()
    assert np.abs(actual - expected).max() < 1e-4


def test_shot_noise_has_the_mean_of_the_picture_and_its_variance() -> None:
    for level in (20.0, 200.0):
        x = torch.full((1, 3, 200, 200), level / 127.5 - 1)
        y = (shot_noise(x, 2.0, seed=1) + 1) * 127.5
        assert float(y.mean()) == pytest.approx(level, rel=0.01)
        assert float(y.var()) == pytest.approx(2 * level, rel=0.05)
        assert torch.equal(y[:, 0], y[:, 1])  # a gray picture's noise is gray


def test_order_is_the_cameras_and_sizes_follow() -> None:
    """Noise comes after blur and shrinking: on a flat picture its std is the one asked for."""
    noise = torch.randn(1, 3, 50, 60)
    y = degrade(torch.zeros(1, 3, 100, 120), Degradation(blur=2, scale=2, noise=0.3), noise=noise)
    torch.testing.assert_close(y, 0.3 * noise)
