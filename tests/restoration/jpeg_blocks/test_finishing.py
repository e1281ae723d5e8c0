"""Results within the intervals of stored coefficients: true pictures stay, steps go, edges stay."""

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from diffuse_cli.images.image_io import read_pages
from diffuse_cli.images.picture import JpegCoding, Picture, to_unit
from diffuse_cli.images.tensors import to_array, to_tensor
from diffuse_cli.restoration.jpeg_blocks import canvas
from diffuse_cli.restoration.jpeg_blocks.coding import coding_of
from diffuse_cli.restoration.jpeg_blocks.finishing import within_intervals
from tests.conftest import EXAMPLES

Levels = NDArray[np.uint8]


def photo(side: int = 144) -> Levels:
    with Image.open(EXAMPLES / "cat_noisy.png") as image:
        levels: Levels = np.array(image.convert("RGB").crop((150, 60, 150 + side, 60 + side)))
        return levels


def sky(height: int = 160, width: int = 208) -> Levels:
    down, across = np.mgrid[:height, :width] / 255
    colours = np.stack([60 + 90 * down + 20 * across, 110 + 70 * down, 190 + 25 * down], 2)
    return np.asarray(np.rint(colours), np.uint8)


def as_jpeg(levels: Levels, quality: int, subsampling: str = "4:2:0") -> Picture:
    data = io.BytesIO()
    Image.fromarray(levels).save(data, "JPEG", quality=quality, subsampling=subsampling)
    return next(read_pages(Path("in.jpg"), data=data))


def tensor(levels: Levels) -> torch.Tensor:
    return to_tensor(to_unit(levels if levels.ndim == 3 else levels[..., None], 8)).contiguous()


def psnr(x: torch.Tensor, levels: Levels) -> float:
    error = (to_array(x, 3) + 1) * 127.5 - levels.reshape(*levels.shape[:2], -1)
    return float(10 * np.log10(255**2 / np.mean(error**2)))


def finished(x: torch.Tensor, picture: Picture, quality: int, *, smooth: bool = False) -> torch.Tensor:
    return within_intervals(x, picture, quality, None, smooth=smooth)


@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0"])
@pytest.mark.parametrize("quality", [10, 50])
def test_the_true_picture_lies_within_the_intervals(subsampling: str, quality: int) -> None:
    truth = photo()
    assert psnr(finished(tensor(truth), as_jpeg(truth, quality, subsampling), quality), truth) > 55


def test_an_estimate_outside_is_moved_towards_the_truth() -> None:
    truth = photo()
    wrong = tensor(truth) + 0.3
    assert psnr(finished(wrong, as_jpeg(truth, 50), 50), truth) > psnr(wrong, truth) + 10


@pytest.mark.parametrize("quality", [10, 20, 30])
def test_the_steps_of_a_sky_go(quality: int) -> None:
    picture = as_jpeg(sky(), quality)
    stepped = to_tensor(picture.pixels)
    assert psnr(finished(stepped, picture, quality, smooth=True), sky()) > psnr(stepped, sky()) + 5


def test_gray_files_too() -> None:
    gray = sky()[..., 0]
    picture = as_jpeg(gray, 20)
    stepped = to_tensor(picture.pixels)
    result = finished(stepped, picture, 20, smooth=True)
    assert psnr(result, gray) > psnr(stepped, gray) + 5
    assert (result[0, 0] == result[0, 2]).all()


def test_a_sample_keeps_its_texture() -> None:
    picture = as_jpeg(sky(), 20)
    grain = 0.01 * torch.randn(1, 3, *sky().shape[:2], generator=torch.Generator().manual_seed(0))
    result = finished(tensor(sky()) + grain, picture, 20)
    assert float((result - tensor(sky())).std()) > 0.008


def test_edges_beside_a_sky_stay() -> None:
    image = Image.fromarray(sky())
    ImageDraw.Draw(image).polygon([(30, 150), (100, 40), (170, 150)], fill=(90, 60, 30))
    levels = np.asarray(image)
    picture = as_jpeg(levels, 30)
    result = finished(tensor(levels), picture, 30, smooth=True)
    inside = np.asarray(Image.fromarray((levels == (90, 60, 30)).all(2)))
    off = np.abs((to_array(result, 3) + 1) * 127.5 - levels).max(2)
    assert off[inside].mean() < 1.0
    assert np.quantile(off, 0.99) < 4


def test_the_files_orientation_does_not_matter() -> None:
    picture = as_jpeg(photo(), 20)
    assert isinstance(picture.source.jpeg, JpegCoding)
    turned = replace(
        picture,
        pixels=np.ascontiguousarray(np.rot90(picture.pixels, -1)),
        source=replace(picture.source, jpeg=replace(picture.source.jpeg, orientation=6)),
    )
    x = to_tensor(picture.pixels) + 0.05
    upright = finished(x, picture, 20, smooth=True)
    result = finished(torch.rot90(x, -1, (2, 3)), turned, 20, smooth=True)
    torch.testing.assert_close(torch.rot90(result, 1, (2, 3)), upright, atol=2e-3, rtol=0)


def test_a_cropped_jpeg_in_another_format() -> None:
    """Its grid is found, and so is that of its chroma."""
    truth = photo()
    picture = Picture(pixels=np.ascontiguousarray(as_jpeg(truth, 30).pixels[3:, 6:]))
    coding = coding_of(picture, 30, (5, 2))
    assert coding is not None
    assert (coding.origin, [plane.cell for plane in coding.planes]) == ((13, 10), [(1, 1), (2, 2), (2, 2)])
    assert psnr(within_intervals(tensor(truth[3:, 6:]), picture, 30, (5, 2), smooth=False), truth[3:, 6:]) > 45


def test_pixels_that_do_not_agree_with_the_coder_are_left_alone() -> None:
    picture = Picture(pixels=to_unit(photo(), 8))
    assert coding_of(picture, 30, (0, 0)) is None
    x = tensor(photo())
    assert within_intervals(x, picture, 30, (0, 0), smooth=True) is x


def test_bands_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    levels = np.concatenate([sky(), photo()[:, :144].repeat(2, 1)[:, :208]])
    picture = as_jpeg(levels, 20)
    whole = finished(to_tensor(picture.pixels), picture, 20, smooth=True)
    monkeypatch.setattr(canvas, "_BAND_NUMBERS", 1)
    banded = finished(to_tensor(picture.pixels), picture, 20, smooth=True)
    torch.testing.assert_close(banded, whole, atol=1e-3, rtol=0)
