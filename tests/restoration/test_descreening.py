"""Dots are filtered out: to the edge, in the channels that have them, and nothing else."""

import numpy as np
import pytest
from numpy.typing import NDArray

from diffuse_cli.degradation.estimation.screen import Screen, screens_of
from diffuse_cli.images.image_io import Picture, to_unit
from diffuse_cli.restoration.descreening import descreened
from tests.helpers.screens import dots, photo, printed


def picture(levels: NDArray[np.float64]) -> Picture:
    rounded = np.rint(levels.clip(0, 255)).astype(np.uint8)
    return Picture(pixels=to_unit(rounded if rounded.ndim == 3 else rounded[..., None], 8))


def error(found: Picture, levels: NDArray[np.float64]) -> float:
    """Root of the mean square in levels."""
    wanted = levels if levels.ndim == 3 else levels[..., None]
    return float(np.sqrt((((found.pixels + 1) * 127.5 - wanted) ** 2).mean()))


def test_waves_on_a_plane_go_to_the_edge_and_the_plane_stays() -> None:
    down, across = np.mgrid[0:120, 0:150]
    plane = 100 + 0.3 * across + 0.2 * down
    screen = Screen(period=5.3, angle=20.0, amplitude=30.0, confidence="high")
    (p, q), (r, s) = screen.carriers
    waves = 30 * np.cos(2 * np.pi * (p * down + q * across)) + 30 * np.cos(2 * np.pi * (r * down + s * across))
    before = Picture(pixels=((plane + waves) / 127.5 - 1)[..., None].astype(np.float32))
    after = (descreened(before, [screen]).picture.pixels[..., 0] + 1) * 127.5
    assert np.abs(after - plane)[20:-20, 20:-20].max() < 0.2
    assert np.sqrt(((after - plane)[:3] ** 2).mean()) < 5
    assert after.mean() == pytest.approx(plane.mean(), abs=0.1)


@pytest.mark.parametrize("strength", [1.0, 0.3])
def test_a_printed_photograph_comes_back(strength: float) -> None:
    gray = photo().mean(2)
    levels = gray + strength * (dots(gray, 4.2, 45) - gray)
    before = picture(levels)
    found = descreened(before, screens_of(before))
    assert error(found.picture, gray) < {1.0: 0.3, 0.3: 0.5}[strength] * error(before, gray)
    assert found.remains < error(before, gray)


def test_four_inks() -> None:
    levels = photo()
    before = picture(printed(levels, 4.5))
    found = descreened(before, screens_of(before)).picture
    assert np.abs(np.diff(found.pixels, axis=0)).mean() < 0.25 * np.abs(np.diff(before.pixels, axis=0)).mean()
    assert found.pixels.mean() == pytest.approx(before.pixels.mean(), abs=0.01)


def test_a_channel_without_dots_stays() -> None:
    levels = photo()
    levels[..., 0] = dots(levels[..., 0], 4.2, 45)
    before = picture(levels)
    screen = Screen(period=4.2, angle=45.0, amplitude=10.0, confidence="high")
    after = descreened(before, [screen]).picture
    assert np.abs(after.pixels[..., 1:] - before.pixels[..., 1:]).max() < 0.01
    assert np.abs(after.pixels[..., 0] - before.pixels[..., 0]).max() > 0.3


def test_rosettes_of_two_inks_go() -> None:
    down, across = np.mgrid[0:160, 0:200]
    levels = np.full((160, 200), 128.0)
    screens = [Screen(period=4.4, angle=angle, amplitude=30.0, confidence="high") for angle in (15.0, 45.0)]
    for screen in screens:
        waves = sum(np.cos(2 * np.pi * (y * down + x * across)) for y, x in screen.carriers)
        levels *= 1 + 0.25 * waves
    after = (descreened(Picture(pixels=(levels / 127.5 - 1)[..., None].astype(np.float32)), screens)).picture.pixels
    assert 127.5 * after[30:-30, 30:-30].std() < 2
