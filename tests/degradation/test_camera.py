"""Camera noise and film grain: levels, correlation, brightness and colour are what their parameters say."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from diffuse_cli.degradation.camera import (
    Developed,
    Film,
    Sensor,
    describe_noise,
    developed_noise,
    drawn_noise,
    film_grain,
    grain_of,
    sensor_noise,
    sensor_of_iso,
)  # fmt: skip
from diffuse_cli.degradation.operators import blur
from diffuse_cli.images.units import luma

PLAIN = Sensor(shot=1e-4, read=1e-6, matrix=0.0, red=1.0, blue=1.0)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def flat(value: float, side: int = 256) -> Tensor:
    return torch.full((1, 3, side, side), value)


def white(side: int = 512) -> Tensor:
    return torch.from_numpy(rng(7).standard_normal((1, 1, side, side), dtype=np.float32)).expand(-1, 3, -1, -1)


@pytest.mark.parametrize("std", [0.3, 0.6, 1.0, 2.0])
def test_grain_is_the_std_of_the_gaussian_that_white_noise_went_through(std: float) -> None:
    """A Gaussian's autocorrelation at lag 1 is exp(-1 / (4 std^2)); sampled kernels below 1 are narrower."""
    _, grain = describe_noise(blur(white(), std))
    taps = torch.exp(-0.5 * (torch.arange(-8, 9) / std) ** 2)
    r = float((taps[1:] * taps[:-1]).sum() / taps.square().sum())
    assert grain == pytest.approx(grain_of(r), rel=0.04, abs=0.02)
    assert std < 1 or grain == pytest.approx(std, rel=0.04)


def test_white_noise_has_no_grain_and_its_own_level() -> None:
    level, grain = describe_noise(0.1 * white())
    assert level == pytest.approx(0.1, rel=0.01)
    assert grain == 0


def test_a_sensors_noise_is_that_of_its_light() -> None:
    """In a flat gray picture the variance is (shot * light + read) * slope^2."""
    for level in (0.2, 0.5, 0.8):
        light = ((level + 0.055) / 1.055) ** 2.4
        slope = 1.055 / 2.4 * light ** (1 / 2.4 - 1)
        expected = 2 * slope * math.sqrt(PLAIN.shot * light + PLAIN.read)
        noise = sensor_noise(flat(2 * level - 1), PLAIN, rng(), gray=True)
        assert float(noise[:, 0].std()) == pytest.approx(expected, rel=0.03)
        assert torch.equal(noise[:, 0], noise[:, 2])


def test_demosaicing_correlates_and_white_balance_amplifies() -> None:
    plain = sensor_noise(flat(0.0), PLAIN, rng())
    level, grain = describe_noise(plain)
    assert 0.3 < grain < 0.8
    warm = sensor_noise(flat(0.0), Sensor(shot=1e-4, read=1e-6, matrix=0.0, red=2.5, blue=1.0), rng())
    assert float(warm[:, 0].std()) > 1.3 * float(plain[:, 0].std())
    assert describe_noise(sensor_noise(flat(0.0), Sensor(shot=1e-4, read=1e-6), rng()))[0] > level


def test_more_sensitivity_is_more_noise() -> None:
    x = flat(-0.2)
    levels = [
        127.5 * describe_noise(sensor_noise(x, sensor_of_iso(iso, 0), rng()))[0] for iso in (100, 400, 1600, 6400)
    ]
    assert levels == sorted(levels)
    assert 2 < levels[1] < 8
    assert 8 < levels[3] < 32


def test_measured_noise_has_the_luma_that_is_asked_for() -> None:
    what = Developed(level=0.05, luma=(0.6, 2.0, 0.3), chroma=(1.0, 3.0, 0.5), colour=1.5)
    noise = developed_noise(flat(0.1), what, rng())
    assert float(luma(noise).std()) == pytest.approx(0.05, rel=0.05)
    red = noise[:, :1] - luma(noise)
    assert float(red.std()) == pytest.approx(0.075, rel=0.1)
    along = float((red[..., 1:] * red[..., :-1]).mean() / red.square().mean())
    assert along > 0.8


def test_film_is_grainiest_in_the_middle_tones() -> None:
    film = Film(level=0.1, grain=0.8)
    middle, bright = (describe_noise(film_grain(flat(v), film, rng())) for v in (0.0, 0.95))
    assert middle[0] == pytest.approx(0.1, rel=0.03)
    assert bright[0] < 0.6 * middle[0]
    assert middle[1] == pytest.approx(0.8, rel=0.05)
    one = film_grain(flat(0.0), film, rng())
    assert torch.equal(one[:, 0], one[:, 1])
    dyes = film_grain(flat(0.0), Film(level=0.1, dyes=True), rng())
    assert abs(float(np.corrcoef(dyes[0, 0].flatten(), dyes[0, 1].flatten())[0, 1])) < 0.02


def test_draws_are_seeded_gray_where_asked_and_finite() -> None:
    x = flat(0.0, 48)
    for seed in range(40):
        gray = seed % 3 == 0
        noise = drawn_noise(x, rng(seed), gray=gray)
        assert torch.equal(noise, drawn_noise(x, rng(seed), gray=gray))
        assert noise.shape == x.shape
        assert bool(noise.isfinite().all())
        assert not gray or torch.equal(noise[:, 0], noise[:, 2])
