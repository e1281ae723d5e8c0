"""The noise law of a sensor is measured within a tenth."""

import numpy as np
import pytest

from diffuse_cli.images.raw.noise_law import NoiseLaw, measured_law
from diffuse_cli.images.raw.reader import green_cells
from tests.helpers.raw_files import X_TRANS, scene, sensor_law


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


def test_on_x_trans_neighbours_of_green_tell_the_noise() -> None:
    side, rng = 384, np.random.default_rng(1)
    colours = np.tile(X_TRANS, (side // 6, side // 6))
    texture = 0.1 * np.sin(np.indices((side, side)).sum(0) / 2.5)  # which every sixth pixel would show as noise
    clean = np.linspace(0.1, 0.7, side)[None] + texture
    mosaic = clean + np.sqrt(0.002 * clean + 1e-5) * rng.standard_normal((side, side))
    planes = green_cells(mosaic.astype(np.float32), colours[:12, :12] == 1)
    assert sum(plane.size for plane in planes) > 3.9 * (side // 3) ** 2
    law = measured_law(planes)
    assert float(law.at(0.4)) == pytest.approx(0.002 * 0.4 + 1e-5, rel=0.15)
