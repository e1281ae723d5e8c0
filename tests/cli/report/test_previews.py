"""Previews: within their budget, and of the same place before and after."""

import io

import numpy as np
import pytest
from PIL import Image

from diffuse_cli.cli.report.previews import Previews, mask_layer, previews
from tests.conftest import EXAMPLES
from tests.helpers.pictures import noise


def cat_picture() -> Image.Image:
    """451 x 300."""
    with Image.open(EXAMPLES / "cat_noisy.png") as image:
        return image.convert("RGB")


@pytest.mark.parametrize("budget", [0, 900, 5_000, 30_000, 120_000, 2_000_000])
@pytest.mark.parametrize("size", [(1, 1), (640, 3), (700, 500)])
def test_previews_stay_within_their_budget(budget: int, size: tuple[int, int]) -> None:
    made = previews(noise(*size), noise(*size, seed=3), budget)
    assert made.bytes <= max(budget, 0)
    assert made.size == size


def test_with_room_previews_are_the_whole_picture_and_else_a_detail_at_its_place() -> None:
    before = after = cat_picture()
    whole = previews(before, after, 1_000_000)
    assert Image.open(io.BytesIO(whole.after.base)).size == after.size
    assert whole.after.detail == b""
    small = previews(before, after, 120_000)
    assert Image.open(io.BytesIO(small.after.base)).size < after.size
    _same_pixels_in_detail(small, after)


def _same_pixels_in_detail(made: Previews, picture: Image.Image) -> None:
    x, y, width, height = map(int, made.after.place)
    detail = Image.open(io.BytesIO(made.after.detail))
    assert detail.size == (width, height)

    def error(dx: int) -> float:
        wanted = np.asarray(picture.crop((x + dx, y, x + dx + width, y + height)), float)
        return float(np.abs(np.asarray(detail, float) - wanted).mean())

    assert error(0) < 0.6 * min(error(-1), error(1))  # JPEG of noise


def test_both_details_of_an_enlarged_picture_show_the_same_place() -> None:
    after = cat_picture()
    before = after.resize((150, 100))
    made = previews(before, after, 100_000)
    (bx, by, bw, bh), (ax, ay, aw, ah) = made.before.place, made.after.place
    assert bx <= ax + 1e-6
    assert by <= ay + 1e-6
    assert bx + bw >= ax + aw - 1e-6
    assert by + bh >= ay + ah - 1e-6
    factor = after.width / before.width
    assert Image.open(io.BytesIO(made.before.detail)).width == pytest.approx(bw / factor)


def test_a_mask_loses_no_marked_pixel_in_a_small_layer() -> None:
    hole = np.random.default_rng(0).random((900, 1600)) < 0.0002
    full = Image.open(io.BytesIO(mask_layer(hole, 100_000)))
    assert np.array_equal(np.asarray(full.convert("RGBA"))[..., 3] > 0, hole)
    small = mask_layer(hole, 500)
    marks = np.asarray(Image.open(io.BytesIO(small)).convert("RGBA"))[..., 3] > 0
    assert len(small) <= 500
    assert marks.shape[1] < 1600
    rows, columns = np.nonzero(hole)
    assert np.all(marks[rows * marks.shape[0] // 900, columns * marks.shape[1] // 1600])
    assert mask_layer(hole, 10) == b""
