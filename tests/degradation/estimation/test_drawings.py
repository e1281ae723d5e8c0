"""Drawings are told from photographs."""

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from diffuse_cli.degradation.estimation.drawings import is_drawn, is_hard
from diffuse_cli.degradation.estimation.estimate import estimate_degradation
from diffuse_cli.images.image_io import read_picture, through_jpeg
from diffuse_cli.images.picture import Picture
from tests.conftest import EXAMPLES


def chart() -> np.ndarray:
    levels = np.full((160, 160, 3), 255, np.float32)
    for k in range(6):
        levels[150 - 20 * k : 150, 20 + 20 * k : 32 + 20 * k] = (40 * k, 120, 200 - 30 * k)
    levels[:, 10] = 0
    return levels


def test_a_chart_is_drawn_also_as_jpeg_and_two_levels_are() -> None:
    assert is_drawn(chart())
    assert is_drawn(through_jpeg(chart().astype(np.uint8), 75, "4:2:0").astype(np.float32))
    dots = np.random.default_rng(0).integers(2, size=(64, 64, 1)).astype(np.float32) * 255
    assert is_drawn(dots)


@pytest.mark.parametrize("name", ["coffee_table.jpg", "cat_noisy.png", "rocket_noisy.jpg"])
def test_a_photograph_is_not(name: str) -> None:
    assert not is_drawn((read_picture(EXAMPLES / name).pixels + 1) * np.float32(127.5))


def test_noise_and_too_few_pixels_are_not() -> None:
    assert not is_drawn(np.random.default_rng(0).uniform(0, 255, (64, 64, 3)).astype(np.float32))
    assert not is_drawn(np.zeros((4, 200, 3), np.float32))


def test_no_blur_is_read_in_a_drawing() -> None:
    soft = (chart() + np.roll(chart(), 1, 1) + np.roll(chart(), 1, 0)) / 3
    assert estimate_degradation(Picture(pixels=soft / np.float32(127.5) - 1)).blur.value is None


def test_dots_and_hard_edges_are_told_from_photographs_and_soft_edges() -> None:
    with Image.open(EXAMPLES / "coffee_table.jpg") as image:
        photo, dithered = image.convert("RGB"), image.convert("1").convert("RGB")
    page = Image.new("RGB", photo.size, "white")
    ImageDraw.Draw(page).text((5, 5), "hard " * 20, fill="black", font=ImageFont.load_default(20))
    soft = page.resize((page.width * 2, page.height * 2), Image.Resampling.BICUBIC)
    hard = page.point(lambda level: 255 * (level > 127))
    for quality in (100, 75):
        seen = {name: through_jpeg(np.asarray(one), quality, "4:2:0").astype(np.float32) for name, one in {
            "photo": photo, "dithered": dithered, "hard": hard, "soft": soft,
        }.items()}  # fmt: skip
        assert [name for name, levels in seen.items() if is_hard(levels)] == ["dithered", "hard"]
    assert not is_hard(np.zeros((1, 9, 3), np.float32))
