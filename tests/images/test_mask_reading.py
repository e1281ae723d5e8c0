"""Masks as people make them: what they mark, and how that is told."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from diffuse_cli.errors import PictureError
from diffuse_cli.images.image_io import Picture, read_picture, to_unit
from diffuse_cli.images.mask_reading import colour_name, read_mask
from tests.conftest import EXAMPLES, pixels

MARKED = np.zeros((60, 80), bool)
MARKED[20:30, 10:60] = MARKED[40:44, 5:70] = True


def picture(levels: NDArray[np.uint8], alpha: NDArray[np.uint8] | None = None) -> Picture:
    levels = levels[..., None] if levels.ndim == 2 else levels
    return Picture(pixels=to_unit(levels, 8), alpha=alpha)


def painted(background: tuple[int, ...], colour: tuple[int, ...]) -> NDArray[np.uint8]:
    return np.where(MARKED[..., None], np.array(colour, np.uint8), np.array(background, np.uint8))


@pytest.mark.parametrize(
    ("background", "colour", "says"),
    [
        ((0,), (255,), ""),
        ((0,), (1,), "above 0"),
        ((0,), (20,), "above 0"),
        ((0,), (128,), "128 of 255"),
        ((60,), (200,), "200 of 255"),
        ((0, 0, 0), (255, 255, 255), ""),
        ((0, 0, 0), (255, 0, 0), "red on black"),
        ((255, 255, 255), (255, 0, 0), "red on white"),
        ((0, 0, 255), (255, 255, 0), "yellow on blue"),
        ((0, 128, 0), (255, 255, 255), "white on green"),
    ],
)
def test_one_colour_on_another_marks(background: tuple[int, ...], colour: tuple[int, ...], says: str) -> None:
    found = read_mask(picture(painted(background, colour)))
    assert np.array_equal(found.marks, MARKED)
    assert found.marks.dtype == bool
    assert says in found.note
    assert bool(says) == bool(found.note)


def test_white_marks_also_where_there_is_more_of_it_and_that_is_told() -> None:
    found = read_mask(picture(painted((255,), (0,))))
    assert np.array_equal(found.marks, ~MARKED)
    assert "--invert-mask" in found.note


@pytest.mark.parametrize("colour", [(255, 0, 0), (0, 0, 0), (255, 255, 255)])
def test_paint_on_transparency_marks(colour: tuple[int, ...]) -> None:
    alpha = np.where(MARKED, 255, 0).astype(np.uint8)
    for beneath in ((0, 0, 0), (255, 255, 255), colour):
        found = read_mask(picture(painted(beneath, colour), alpha))
        assert np.array_equal(found.marks, MARKED)
        assert "paint" in found.note


def test_what_was_erased_marks() -> None:
    erased = np.where(MARKED, 0, 255).astype(np.uint8)
    flat = read_mask(picture(painted((0, 0, 0), (0, 0, 0)), erased))
    assert np.array_equal(flat.marks, MARKED)
    assert "transparent" in flat.note
    photo = pixels(EXAMPLES / "cat_noisy.png")[60:120, 150:230]
    found = read_mask(picture(photo, erased))
    assert np.array_equal(found.marks, MARKED)
    assert "erased" in found.note
    with pytest.raises(PictureError, match="cut-out"):
        read_mask(picture(photo, 255 - erased))


def test_an_alpha_that_is_everywhere_the_same_says_nothing() -> None:
    for level in (255, 90):
        found = read_mask(picture(painted((0,), (255,)), np.full(MARKED.shape, level, np.uint8)))
        assert np.array_equal(found.marks, MARKED)
    with pytest.raises(PictureError, match="transparent all over"):
        read_mask(picture(painted((0,), (255,)), np.zeros(MARKED.shape, np.uint8)))


@pytest.mark.parametrize("sigma", [1, 2, 5, 15])
def test_a_soft_mask_keeps_its_shares(sigma: float) -> None:
    soft = ndimage.gaussian_filter(MARKED.astype(float), sigma)
    levels = np.rint(255 * soft / soft.max()).astype(np.uint8)
    found = read_mask(picture(levels))
    assert found.marks.dtype == np.float32
    assert np.array_equal(found.share > 0, levels > levels.min())
    assert np.allclose(found.share, (levels - float(levels.min())) / (255 - levels.min()), atol=1e-5)


def test_the_ringing_of_a_jpeg_marks_nothing() -> None:
    from dataclasses import replace

    levels = painted((0,), (255,))
    levels[~MARKED & (np.indices(MARKED.shape).sum(0) % 3 == 0)[..., :]] = 20
    given = picture(levels)
    assert np.array_equal(read_mask(replace(given, source=replace(given.source, lossy=True))).marks, MARKED)
    assert read_mask(given).marks.sum() > MARKED.sum()


def test_what_marks_nothing_is_refused() -> None:
    with pytest.raises(PictureError, match="empty"):
        read_mask(picture(np.zeros((9, 9), np.uint8)))
    with pytest.raises(PictureError, match="no two colours"):
        read_mask(picture(np.full((9, 9, 3), (255, 0, 0), np.uint8)))
    assert read_mask(picture(np.full((9, 9), 255, np.uint8))).share.all()


@pytest.mark.parametrize(
    "name", ["cat_noisy.png", "coffee_table.jpg", "auvers.jpg", "camera_scratched.png", "cat_dark.png"]
)
def test_photographs_are_refused_in_colour_and_gray(name: str) -> None:
    levels = pixels(EXAMPLES / name)
    gray = levels if levels.ndim == 2 else levels.mean(2).astype(np.uint8)
    for one in (levels, gray):
        with pytest.raises(PictureError, match=r"looks like a photograph.*white on black"):
            read_mask(picture(one))


def test_the_masks_of_this_project_are_none() -> None:
    assert not read_mask(read_picture(EXAMPLES / "camera_mask.png")).note


@pytest.mark.parametrize(
    ("colour", "name"),
    [((0, 0, 0), "black"), ((1, 1, 1), "white"), ((0.5, 0.5, 0.5), "gray"), ((0.9, 0.1, 0.2), "red"),
     ((0.1, 0.7, 0.1), "green"), ((0, 1, 1), "cyan"), ((0.4, 0, 0.4), "magenta"), ((0.2,), "gray")],
)  # fmt: skip
def test_colours_have_names(colour: tuple[float, ...], name: str) -> None:
    assert colour_name(np.array(colour, np.float32)) == name


def test_large_masks_and_photographs_are_told_apart_by_a_part_of_them() -> None:
    marked = np.zeros((1500, 1600), np.uint8)
    marked[700:704] = marked[:, 900:903] = 255
    assert np.array_equal(read_mask(picture(marked)).marks, marked > 0)
    red = np.dstack([marked, 0 * marked, 0 * marked])
    assert np.array_equal(read_mask(picture(red)).marks, marked > 0)
    photo = np.tile(pixels(EXAMPLES / "coffee_table.jpg"), (7, 5, 1))
    with pytest.raises(PictureError, match="photograph"):
        read_mask(picture(photo))
