"""Drawings are told from photographs."""

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from diffuse_cli.degradation.estimation.drawings import has_thin_lines, is_drawn, is_hard
from diffuse_cli.degradation.estimation.estimate import estimate_degradation
from diffuse_cli.images.image_io import jpeg_coding, read_picture, through_jpeg, to_unit
from diffuse_cli.images.picture import Picture, Source
from diffuse_cli.tasks.restore import Restore
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


def hatching(width: int) -> np.ndarray:
    """Slanted black lines on white, four widths apart, with soft edges, and a white margin."""
    y, x = np.mgrid[:128, :128]
    ink = (width / 2 + 0.5 - np.abs((x + y / 2) % (4 * width) - 2 * width)).clip(0, 1)
    ink[:, 64:] = 0
    return np.repeat(255 * (1 - ink[..., None]), 3, 2).astype(np.uint8)


def test_thin_lines_are_told_from_thick_ones() -> None:
    for quality in (100, 75):
        seen = [through_jpeg(hatching(width), quality, "4:2:0").astype(np.float32) for width in (2, 6)]
        assert [has_thin_lines(levels) for levels in seen] == [True, False]
    assert not has_thin_lines(np.full((32, 32, 3), 255, np.float32))


def test_the_jpeg_of_thin_lines_is_undone_only_if_asked() -> None:
    coded = through_jpeg(hatching(2), 75, "4:2:0")
    drawing = Picture(pixels=to_unit(coded, 8), source=Source(jpeg=jpeg_coding(75, "4:2:0")))
    assert Restore(noise=None).problem(drawing).leaves_alone
    assert Restore(only=("jpeg",)).problem(drawing).degradation.quality == 75
