"""Soft spots of a dirty sensor in a sky, and things that are none."""

import numpy as np
import pytest
from numpy.typing import NDArray

from diffuse_cli.degradation.estimation.sensor_dust import dust_mask, find_sensor_dust

Levels = NDArray[np.float32]
PLACES = ((40, 50), (90, 120), (120, 40))


def sky(noise: float = 3.0) -> Levels:
    rng = np.random.default_rng(0)
    rows = np.linspace(0, 1, 160)[:, None, None]
    tones = np.array([70.0, 110.0, 150.0]) + 60 * rows + np.zeros((1, 170, 1))
    return (tones + rng.normal(0, noise, tones.shape)).astype(np.float32)


def shaded(levels: Levels, radius: float, share: NDArray[np.float64], soft: float = 0.6) -> Levels:
    """Return the picture with spots that take a share of each colour away."""
    rows, columns = np.indices(levels.shape[:2])
    out = levels.copy()
    for y, x in PLACES:
        rise = np.clip((1 + soft / 2 - np.hypot(rows - y, columns - x) / radius) / soft, 0, 1)
        out *= 1 - rise[..., None] * share
    return out.astype(np.float32)


@pytest.mark.parametrize("radius", [4.0, 9.0])
def test_soft_spots_in_a_sky_are_found(radius: float) -> None:
    spots = find_sensor_dust(shaded(sky(), radius, np.full(3, 0.15)))
    assert sorted((round(s.y / 10), round(s.x / 10)) for s in spots) == sorted((y // 10, x // 10) for y, x in PLACES)
    mask = dust_mask((160, 170), spots)
    rows, columns = np.indices(mask.shape)
    for y, x in PLACES:
        assert mask[np.hypot(rows - y, columns - x) < 0.9 * radius].all()
    assert mask.sum() < 3 * 4 * np.pi * radius**2


def test_faint_ones_need_a_large_strength() -> None:
    faint = shaded(sky(5), 5, np.full(3, 0.05))
    assert len(find_sensor_dust(faint, 0.2)) < len(find_sensor_dust(faint, 0.9)) == 3


def test_what_is_coloured_or_dark_or_sharp_stays() -> None:
    assert not find_sensor_dust(shaded(sky(), 5, np.array([0.05, 0.3, 0.4])))
    assert not find_sensor_dust(shaded(sky(), 5, np.full(3, 0.8)))
    bird = sky()
    for y, x in PLACES:
        bird[y - 1 : y + 2, x - 6 : x + 7] *= 0.8
    assert not find_sensor_dust(bird)


def test_spots_in_texture_stay() -> None:
    busy = sky() + 30 * np.random.default_rng(1).standard_normal((20, 22)).repeat(8, 0).repeat(8, 1)[:160, :170, None]
    assert not find_sensor_dust(shaded(busy.astype(np.float32), 5, np.full(3, 0.15)))


@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 200, 3), (60, 60, 1)])
def test_nothing_in_nothing(shape: tuple[int, int, int]) -> None:
    assert not find_sensor_dust(np.full(shape, 90, np.float32))
    assert not find_sensor_dust(np.zeros(shape, np.float32), 1.0)
