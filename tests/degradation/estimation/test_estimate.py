"""Everything that is told of a picture's history."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from skimage import data as samples

from diffuse_cli.degradation.estimation import estimate
from diffuse_cli.degradation.estimation.estimate import estimate_degradation
from diffuse_cli.degradation.estimation.spectrum import Blur
from diffuse_cli.images.image_io import Picture, read_picture, to_unit

from .conftest import Floats, noisy, through_jpeg


def test_one_picture_all_findings(photo: NDArray[np.uint8]) -> None:
    clean = estimate_degradation(Picture(pixels=to_unit(photo, 8)))
    assert (clean.noise.value, clean.jpeg.value, clean.enlarged.value) == (None, None, None)
    damaged = estimate_degradation(Picture(pixels=to_unit(noisy(photo, 20).astype(np.uint8), 8)))
    assert damaged.noise.value == pytest.approx(20, rel=0.1)
    assert damaged.noise.confidence == "high"
    saved = estimate_degradation(Picture(pixels=to_unit(through_jpeg(photo, 40).astype(np.uint8), 8)))
    assert (saved.jpeg.value, saved.jpeg.how) == (40, "pixels")
    assert json.loads(json.dumps(saved.to_json()))["jpeg"]["value"] == 40


@pytest.mark.parametrize(("bound", "value"), [(0.9, 0.9), (0.3, None)])
def test_a_blur_is_bounded_by_the_sharpest_steps(
    photo: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch, bound: float, value: float | None
) -> None:
    monkeypatch.setattr(estimate, "blur_by_steps", lambda levels, std, noise: min(std, bound))
    monkeypatch.setattr(estimate, "is_drawn", lambda levels: False)
    monkeypatch.setattr(estimate, "blur_kind", lambda levels, noise: None)
    seen = Blur(std=1.6, spread=0.1, misfit=0.1, slope=2.6)
    monkeypatch.setattr(estimate, "estimate_blur", lambda levels, noise: seen)
    found = estimate_degradation(Picture(pixels=to_unit(photo, 8)))
    assert (found.blur.value, found.blur.how) == (value, "the sharpest steps")


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


def test_pure_black_and_white_can_be_looked_at() -> None:
    rng = np.random.default_rng(0)
    page = np.where(rng.random((128, 128, 1)) < 0.1, -1, 1).astype(np.float32)
    assert estimate_degradation(Picture(pixels=page)).noise_model.gain == 0
