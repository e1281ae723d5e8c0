"""Noise that depends on the place, on pictures of nothing else."""

import numpy as np
import pytest

from diffuse_cli.degradation.estimation.noise_model import NoiseModel
from diffuse_cli.degradation.estimation.shading import estimate_shading
from tests.degradation.estimation.conftest import Floats

SIZE = (320, 448)
EVEN = NoiseModel(gain=0.0, offset=144.0, bins=1)


def noisy(std: Floats, channels: int) -> Floats:
    noise = np.random.default_rng(0).normal(size=(*std.shape, channels)) * std[..., None]
    return (120 + noise).round().clip(0, 255).astype(np.float32)


@pytest.mark.parametrize("channels", [1, 3])
def test_a_quadratic_field_is_found_again(channels: int) -> None:
    v, u = np.mgrid[-1 : 1 : SIZE[0] * 1j, -1 : 1 : SIZE[1] * 1j]
    field = np.exp(0.5 + 0.4 * (u**2 + v**2) - 0.3 * u).astype(np.float32)
    field *= 12 / np.sqrt((field**2).mean())
    found = estimate_shading(noisy(field, channels), EVEN, 12.0)
    assert found is not None
    assert np.sqrt((found**2).mean()) == pytest.approx(1, abs=1e-3)
    assert np.quantile(np.abs(12 * found / field - 1), 0.9) < 0.1


def test_even_noise_and_small_pictures_have_none() -> None:
    even = noisy(np.full(SIZE, 12, np.float32), 3)
    assert estimate_shading(even, EVEN, 12.0) is None
    steep = noisy(np.linspace(2, 40, 96 * 96, dtype=np.float32).reshape(96, 96), 3)
    assert estimate_shading(steep, EVEN, 12.0) is None, "four cells tell nothing"
