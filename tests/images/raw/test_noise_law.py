"""The noise law of a sensor is measured within a tenth."""

import numpy as np
import pytest

from diffuse_cli.images.raw.noise_law import NoiseLaw, measured_law
from tests.helpers.raw_files import scene, sensor_law


@pytest.mark.parametrize("iso", [200, 1600, 12800])
def test_the_law_of_a_plane_is_measured_within_a_tenth(iso: int) -> None:
    gain, offset = sensor_law(iso)
    light = scene(480, 640)[..., 1]
    rng = np.random.default_rng(iso)
    noisy = light + np.sqrt(gain * light + offset) * rng.standard_normal(light.shape)
    found = measured_law([noisy.astype(np.float32)])
    for at in np.quantile(light, [0.1, 0.5, 0.9]):
        assert found.at(float(at)) == pytest.approx(gain * at + offset, rel=0.1)


def test_a_full_sensor_does_not_lower_the_law() -> None:
    gain, offset = sensor_law(3200)
    light = np.minimum(scene(480, 640)[..., 1] * 2.5, 1)
    rng = np.random.default_rng(1)
    noisy = np.minimum(light + np.sqrt(gain * light + offset) * rng.standard_normal(light.shape), 1)
    found = measured_law([noisy.astype(np.float32)])
    assert found.at(0.5) == pytest.approx(gain * 0.5 + offset, rel=0.2)


def test_a_picture_without_noise_has_no_law() -> None:
    found = measured_law([np.full((256, 256), 0.3, np.float32)])
    assert found.at(0.3) < 1e-12


def test_a_small_plane_has_no_law() -> None:
    assert measured_law([np.zeros((8, 8), np.float32)]) == NoiseLaw(gain=0.0, offset=0.0)


def test_a_law_scales_with_its_light() -> None:
    law = NoiseLaw(gain=0.01, offset=0.001)
    assert law.scaled(2.0).at(0.6) == pytest.approx(4 * law.at(0.3))
