"""Offsets of rows and columns: told, taken out, and not seen in stripes, text and horizons."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from skimage import data

from diffuse_cli.degradation.estimation.row_noise import RowNoise, find_row_noise, without

Levels = NDArray[np.float32]


def with_offsets(levels: NDArray[Any], offsets: NDArray[Any], noise: float = 0.0) -> Levels:
    grainy = levels + np.random.default_rng(9).normal(0, noise, levels.shape)
    moved = grainy + offsets.reshape(len(offsets), 1, -1)
    return np.asarray(moved.round().clip(0, 255), np.float32)


def error(levels: Levels, clean: NDArray[Any]) -> float:
    return float(np.sqrt(np.mean((levels.clip(0, 255) - clean) ** 2)))


def taken_out(levels: Levels, found: tuple[RowNoise, ...]) -> Levels:
    for one in found:
        levels = without(levels, one)
    return levels


@pytest.mark.parametrize("by_columns", [False, True])
@pytest.mark.parametrize("std", [4, 10])
def test_row_noise_is_told_and_taken_out(photo: NDArray[np.uint8], std: float, by_columns: bool) -> None:
    clean = photo.transpose(1, 0, 2) if by_columns else photo
    damaged = with_offsets(clean, np.random.default_rng(1).normal(0, std, len(clean)))
    if by_columns:
        damaged, clean = damaged.transpose(1, 0, 2).copy(), photo
    found = find_row_noise(damaged)
    assert [one.name for one in found] == ["column noise" if by_columns else "row noise"]
    assert found[0].level == pytest.approx(std, rel=0.3)
    assert error(taken_out(damaged, found), clean) < 0.75 * error(damaged, clean)


def test_each_channel_has_its_own(photo: NDArray[np.uint8]) -> None:
    offsets = np.random.default_rng(2).normal(0, 6, (len(photo), 3))
    damaged = with_offsets(photo, offsets, noise=3)
    (found,) = find_row_noise(damaged)
    for channel in range(3):
        assert np.corrcoef(found.offsets[:, channel], offsets[:, channel])[0, 1] > 0.8
    gray = with_offsets(photo[..., :1], offsets[:, :1])
    (one,) = find_row_noise(gray)
    assert one.offsets.shape == (len(photo), 1)
    (equal,) = find_row_noise(np.repeat(gray, 3, axis=2))
    assert (equal.offsets == equal.offsets[:, :1]).all()


def test_hum_is_told_and_taken_out() -> None:
    clean = data.chelsea()[:, :320]
    hum = 3 * np.sin(2 * np.pi * np.arange(len(clean)) / 12.3 + 1)
    damaged = with_offsets(clean, hum, noise=3)
    (found,) = find_row_noise(damaged)
    assert found.name == "hum"
    assert found.period == pytest.approx(12.3, rel=0.02)
    assert error(found.offsets[:, :1], hum[:, None]) < 0.8 or np.std(found.offsets[:, 0] - hum) < 0.8


def test_what_lies_at_an_end_of_the_range_gets_no_lines() -> None:
    """Black stays black: an offset below it was cut off."""
    black = np.zeros((128, 200, 1))
    black[:, 60:] = 128
    damaged = with_offsets(black, np.random.default_rng(3).normal(0, 6, 128))
    found = find_row_noise(damaged)
    assert len(found) == 1
    before, after = damaged[:, :60], taken_out(damaged, found)[:, :60].clip(0, 255)
    assert after.mean() < before.mean() / 2


def test_transparent_pixels_do_not_count(photo: NDArray[np.uint8]) -> None:
    offsets = np.random.default_rng(4).normal(0, 8, len(photo))
    opaque = np.zeros(photo.shape[:2], bool)
    opaque[:, 60:] = True
    damaged = with_offsets(photo, offsets)
    garbage = np.where(opaque[..., None], photo, damaged).astype(np.float32)
    assert find_row_noise(garbage, opaque) == ()


def test_photographs_have_none(photo: NDArray[np.uint8]) -> None:
    assert find_row_noise(photo.astype(np.float32)) == ()
    assert find_row_noise(with_offsets(photo, np.zeros(len(photo)), noise=20)) == ()


STRIPES: dict[str, Callable[[NDArray[Any]], NDArray[Any]]] = {
    "blinds": lambda y: 110 + 60 * (y // 7 % 2),
    "thin stripes": lambda y: 110 + 40 * (y % 2),
    "three and two": lambda y: 110 + 20 * (y % 5 < 3),
    "waves": lambda y: 110 + 60 * np.sin(y / 4),
    "horizon": lambda y: np.where(y < 120, 200, 90),
    "sky": lambda y: 40 + y / 2,
    "few lines": lambda y: 200 - 160 * (y % 40 == 3),
}


@pytest.mark.parametrize("noise", [0, 6])
@pytest.mark.parametrize("name", STRIPES)
def test_stripes_are_no_row_noise(name: str, noise: float) -> None:
    rows = np.asarray(STRIPES[name](np.arange(240)), float)
    picture = np.repeat(rows[:, None, None], 320, axis=1)
    assert find_row_noise(with_offsets(picture, np.zeros(240), noise)) == ()
    slanted = np.asarray(STRIPES[name](np.add.outer(np.arange(240), np.arange(320) // 40)), float)[..., None]
    assert find_row_noise(with_offsets(slanted, np.zeros(240), noise)) == ()


@pytest.mark.parametrize(("paper", "ink"), [(255, 0), (245, 30), (20, 230), (128, 60)])
@pytest.mark.parametrize("text", ["All rows of the text are full of letters, " * 3, "||||" * 60, "ABCD  " * 20])
def test_text_has_none(paper: int, ink: int, text: str) -> None:
    image = Image.new("L", (480, 360), paper)
    draw = ImageDraw.Draw(image)
    for y in range(0, 360, 14):
        draw.text((0, y), text, ink, font=ImageFont.load_default(11))
    assert find_row_noise(np.asarray(image, np.float32)[..., None]) == ()


def test_random_levels_and_small_pictures_have_none() -> None:
    rng = np.random.default_rng(0)
    assert find_row_noise(rng.integers(0, 256, (200, 200, 3)).astype(np.float32)) == ()
    assert find_row_noise(np.full((200, 200, 1), 128, np.float32)) == ()
    assert find_row_noise(rng.integers(0, 256, (20, 500, 1)).astype(np.float32)) == ()


@pytest.mark.parametrize("period", [12, 16, 31])
def test_ornaments_that_repeat_are_no_hum(period: int) -> None:
    rows, columns = np.mgrid[:256, :320]
    dots = 12 * np.sin(2 * np.pi * rows / period) * (columns % period < period / 2)
    weave = 6 * np.sin(2 * np.pi * rows / period) * (1 + np.sin(2 * np.pi * columns / period))
    for ornament in (dots, weave):
        picture = 120 + ornament[..., None]
        assert find_row_noise(with_offsets(picture, np.zeros(256), 2)) == ()
    tiles = np.tile(data.coffee()[100 : 100 + 2 * period, 100 : 100 + 2 * period], (10, 10, 1))
    assert find_row_noise(tiles.astype(np.float32)) == ()
