"""What is told of a picture's history, on photographs whose history is known because the test made it."""

import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage
from skimage import data as samples

from diffuse_cli.degradation.estimation.compression import estimate_compression
from diffuse_cli.degradation.estimation.estimate import estimate_degradation
from diffuse_cli.degradation.estimation.noise_model import estimate_noise_model, whiteness
from diffuse_cli.degradation.estimation.resampling import estimate_resampling
from diffuse_cli.degradation.estimation.spectrum import estimate_blur, radial_power
from diffuse_cli.degradation.operators import blur
from diffuse_cli.images.image_io import Picture, read_picture, to_unit

Floats = NDArray[np.float32]


@pytest.fixture(scope="module", params=["astronaut", "coffee", "chelsea"])
def photo(request: pytest.FixtureRequest) -> NDArray[np.uint8]:
    """A photograph of half its size: sharp, and without a JPEG's traces."""
    image = Image.fromarray(getattr(samples, request.param)())
    return np.asarray(image.resize((image.width // 2 // 8 * 8, image.height // 2 // 8 * 8), Image.Resampling.LANCZOS))


def through_jpeg(levels: NDArray[np.uint8], quality: int, subsampling: str = "4:2:0") -> Floats:
    file = io.BytesIO()
    Image.fromarray(levels).save(file, "JPEG", quality=quality, subsampling=subsampling)
    with Image.open(file) as image:
        return np.asarray(image, np.float32)


def noisy(levels: NDArray[np.uint8], std: Floats | float, seed: int = 0) -> Floats:
    noise = np.random.default_rng(seed).normal(size=levels.shape) * std
    return (levels + noise).round().clip(0, 255).astype(np.float32)


@pytest.mark.parametrize("subsampling", ["4:2:0", "4:4:4"])
def test_jpeg_quality_is_read_from_pixels(photo: NDArray[np.uint8], subsampling: str) -> None:
    qualities = (10, 30, 50, 75, 90)
    found = [estimate_compression(through_jpeg(photo, q, subsampling)) for q in qualities]
    assert tuple(f.quality for f in found) == qualities
    assert {f.origin for f in found} == {(0, 0)}


def test_gray_jpegs_too(photo: NDArray[np.uint8]) -> None:
    gray = np.asarray(Image.fromarray(photo).convert("L"))
    assert estimate_compression(through_jpeg(gray, 60)[..., None]).quality == 60


def test_a_crop_shows_where_the_grid_was(photo: NDArray[np.uint8]) -> None:
    found = estimate_compression(through_jpeg(photo, 70)[3:, 6:])
    assert (found.quality, found.origin) == (70, (5, 2))


def test_no_compression_is_claimed_where_there_was_none(photo: NDArray[np.uint8]) -> None:
    assert estimate_compression(photo.astype(np.float32)).quality is None
    assert estimate_compression(noisy(through_jpeg(photo, 60).astype(np.uint8), 10)).quality is None
    for constant in (np.zeros((64, 64, 3)), np.full((64, 64, 3), 128.0), np.zeros((5, 5, 3))):
        assert estimate_compression(constant.astype(np.float32)).quality is None


@pytest.mark.parametrize("std", [1.0, 2.0, 3.0])
@pytest.mark.parametrize("noise", [0.0, 5.0])
def test_blur_is_read_from_the_spectrum(photo: NDArray[np.uint8], std: float, noise: float) -> None:
    x = torch.from_numpy(photo.transpose(2, 0, 1).astype(np.float32))[None]
    blurred = blur(x, std)[0].permute(1, 2, 0).numpy().round().astype(np.uint8)
    found = estimate_blur(noisy(blurred, noise), noise)
    assert found.std == pytest.approx(std, abs=0.35)
    assert found.spread < 0.5


def test_sharp_photographs_have_little_blur(photo: NDArray[np.uint8]) -> None:
    assert (estimate_blur(photo.astype(np.float32), 0).std or 0) <= 0.6


def test_white_noise_has_its_variance_as_power() -> None:
    _, power = radial_power(np.random.default_rng(0).normal(0, 7, (256, 300)))
    assert power[-8:].mean() == pytest.approx(49, rel=0.05)


def test_what_is_no_photograph_has_no_blur() -> None:
    stripes = np.tile(np.where(np.arange(128) % 7 < 3, 0, 255), (128, 1)).astype(np.float32)[..., None]
    assert estimate_blur(stripes, 0).std is None
    assert estimate_blur(np.zeros((20, 20, 1), np.float32), 0).std is None


@pytest.mark.parametrize("method", [Image.Resampling.BILINEAR, Image.Resampling.BICUBIC, Image.Resampling.LANCZOS])
@pytest.mark.parametrize("factor", [1.3, 2.0, 3.0])
def test_enlargement_is_seen(photo: NDArray[np.uint8], factor: float, method: Image.Resampling) -> None:
    h, w = photo.shape[:2]
    large = Image.fromarray(photo).resize((round(w * factor), round(h * factor)), method)
    found = estimate_resampling(np.asarray(large, np.float32))
    assert found.source is not None
    assert np.abs(np.subtract(found.source, (h, w))).max() <= 1
    assert found.factor == pytest.approx(factor, rel=0.02)


def test_photographs_as_they_are_were_not_enlarged(photo: NDArray[np.uint8]) -> None:
    assert estimate_resampling(photo.astype(np.float32)).factor is None
    assert estimate_resampling(np.zeros((200, 200, 3), np.float32)).factor is None


def test_shot_noise_is_told_from_even_noise() -> None:
    x = np.tile(np.linspace(20, 220, 300), (200, 1))[..., None].repeat(3, 2).astype(np.uint8)
    shot = estimate_noise_model(noisy(x, np.sqrt(3 * x.astype(np.float32))), 19.0)
    assert shot.gain == pytest.approx(3, rel=0.15)
    assert shot.offset < 40
    even = estimate_noise_model(noisy(x, 15), 15.0)
    assert (even.gain, even.offset) == (0, 225)
    assert estimate_noise_model(noisy(x, 2), 2.0).gain == 0, "too faint to tell"


def test_smoothed_noise_is_told_from_white(photo: NDArray[np.uint8]) -> None:
    noise = np.random.default_rng(0).normal(0, 15, photo.shape)
    white = whiteness((photo + noise).clip(0, 255).astype(np.float32))
    smooth = whiteness((photo + 3 * ndimage.gaussian_filter(noise, (1, 1, 0))).clip(0, 255).astype(np.float32))
    assert 0.8 < white < 1.35
    assert smooth > 1.4


def test_one_picture_all_findings(photo: NDArray[np.uint8]) -> None:
    clean = estimate_degradation(Picture(pixels=to_unit(photo, 8)))
    assert (clean.noise.value, clean.jpeg.value, clean.enlarged.value) == (None, None, None)
    damaged = estimate_degradation(Picture(pixels=to_unit(noisy(photo, 20).astype(np.uint8), 8)))
    assert damaged.noise.value == pytest.approx(20, rel=0.1)
    assert damaged.noise.confidence == "high"
    saved = estimate_degradation(Picture(pixels=to_unit(through_jpeg(photo, 40).astype(np.uint8), 8)))
    assert (saved.jpeg.value, saved.jpeg.how) == (40, "pixels")
    assert json.loads(json.dumps(saved.to_json()))["jpeg"]["value"] == 40


def test_noise_under_a_coder_is_not_told_by_brightness(tmp_path: Path) -> None:
    """The channels of a 4:2:0 JPEG keep next to nothing of the noise, so that a line through theirs says nothing."""
    levels = noisy(samples.astronaut()[::2, ::2], 20.0)
    Image.fromarray(levels.astype(np.uint8)).save(tmp_path / "a.jpg", quality=85)
    found = estimate_degradation(read_picture(tmp_path / "a.jpg"))
    assert found.noise.value is not None
    assert found.noise.value == pytest.approx(17, abs=5)
    assert (found.noise_model.gain, found.noise_model.offset) == (0, found.noise.value**2)


@pytest.mark.parametrize("make", [np.zeros, np.ones], ids=["black", "white"])
@pytest.mark.parametrize("size", [(1, 1, 3), (7, 300, 1), (130, 130, 3)])
def test_pictures_without_anything_in_them(make: Callable[..., Floats], size: tuple[int, int, int]) -> None:
    found = estimate_degradation(Picture(pixels=2 * make(size, np.float32) - 1))
    assert (found.noise.value, found.jpeg.value, found.blur.value, found.enlarged.value) == (None,) * 4
