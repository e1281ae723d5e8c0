"""Denoising as a problem: levels to sigmas, noise maps, and where a JPEG's noise enters."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from diffuse_cli.errors import PictureError, UsageError
from diffuse_cli.images.image_io import Picture, read_picture, to_unit
from diffuse_cli.restoration.problem import NoisyPicture
from diffuse_cli.tasks.denoise import Denoise
from tests.degradation.estimation.test_varying_noise import photograph, stored
from tests.helpers.pictures import as_jpeg, flat


def test_a_level_becomes_a_sigma() -> None:
    task = Denoise(noise=25.5).problem(flat())
    assert task.degradation.noise == pytest.approx(0.2)
    assert task.guide is None
    assert task.findings.notes == ()


def test_estimated_noise_is_told() -> None:
    task = Denoise().problem(flat(noise=12))
    assert task.degradation.noise * 127.5 == pytest.approx(12, abs=1)
    assert "noise: about 1" in task.findings.notes[0]


def test_a_noise_free_picture_is_left_alone() -> None:
    task = Denoise().problem(flat())
    assert task.leaves_alone
    assert "no noise found" in task.findings.notes[0]


@pytest.mark.parametrize(
    ("quality", "subsampling", "gray", "level", "guided"),
    [
        (85, "4:2:0", False, 15, True),
        (95, "4:2:0", False, 15, True),
        (90, "4:4:4", False, 5, True),
        (90, "4:4:4", False, 15, False),
        (97, "4:4:4", False, 5, False),
        (90, "4:4:4", True, 8, False),
        (75, "4:4:4", True, 5, True),
    ],
)
def test_where_a_jpegs_noise_enters(
    tmp_path: Path, quality: int, subsampling: str, gray: bool, level: float, guided: bool
) -> None:
    """Once: through the guide where the coder has bent it, else as white noise."""
    picture = as_jpeg(flat((128, 128), gray=gray, noise=level), tmp_path, quality=quality, subsampling=subsampling)
    task = Denoise(noise=level).problem(picture)
    assert (task.guide is not None) == guided
    if task.guide is not None:
        assert task.guide.degradation.quality == quality
    assert task.degradation.noise * 127.5 == pytest.approx(level)


def test_a_turned_jpeg_is_measured_on_its_own_grid(tmp_path: Path) -> None:
    """Noise that is read off the blocks must not depend on how the picture is displayed."""
    picture = as_jpeg(flat((123, 201), noise=15), tmp_path, quality=80, subsampling="4:2:0")
    readings = [Denoise().problem(picture).degradation.noise]
    with Image.open(tmp_path / "x.jpg") as image:
        for orientation in range(2, 9):
            exif = Image.Exif()
            exif[0x0112] = orientation
            data = (tmp_path / "x.jpg").read_bytes()
            block = b"Exif\0\0" + exif.tobytes().removeprefix(b"Exif\0\0")
            app1 = b"\xff\xe1" + (len(block) + 2).to_bytes(2, "big") + block
            (tmp_path / "turned.jpg").write_bytes(data[:2] + app1 + data[2:])
            turned = read_picture(tmp_path / "turned.jpg")
            assert (turned.pixels.shape[0] == image.height) == (orientation < 5)
            readings.append(Denoise().problem(turned).degradation.noise)
    assert readings[0] * 127.5 == pytest.approx(15, abs=3)
    assert readings == pytest.approx([readings[0]] * 8)


def test_refused() -> None:
    std = np.full((64, 64), 9, np.float32)
    with pytest.raises(PictureError, match="the noise map is 32x64 but the picture, as displayed, 64x64; resize"):
        Denoise(noise_map=std[:, :32]).problem(flat())
    with pytest.raises(UsageError, match="give one of them"):
        Denoise(noise_map=std, noise=9)
    for bad in (std[..., None], -std, std * np.float32(np.nan)):
        with pytest.raises(UsageError, match="noise map"):
            Denoise(noise_map=bad)
    assert "more than the weights" in Denoise(noise_map=std * 20).problem(flat()).findings.warnings[0]
    assert Denoise(noise_map=std * 0).problem(flat()).leaves_alone


def test_a_map_that_is_even_enough_goes_by_levels_and_one_with_exact_pixels_does_not() -> None:
    std = np.linspace(6, 30, 64, dtype=np.float32)[None].repeat(64, 0)
    for given, by_levels in ((std, True), (std - 6, False), (np.float32(1 / 6) * std**2, False)):
        seen = Denoise(noise_map=given).problem(flat()).observation
        assert isinstance(seen, NoisyPicture)
        assert seen.by_levels is by_levels


def test_requests_say_what_was_found(tmp_path: Path) -> None:
    clean = photograph()
    picture = Picture(pixels=to_unit(stored(clean, np.sqrt(6 * clean + 60)).astype(np.uint8), 8))
    task = Denoise(noise="poisson").problem(picture)
    seen = task.observation
    assert isinstance(seen, NoisyPicture)
    assert seen.sigma_y is not None
    assert seen.by_levels
    assert float(np.sqrt((seen.sigma_y**2).mean())) == pytest.approx(seen.noise, rel=0.01)
    assert task.findings.facts["noise_gain"] == pytest.approx(6, rel=0.4)
    assert "variance" in task.findings.notes[0]
    even = Denoise(noise="auto-map").problem(flat((128, 128), noise=12))
    assert even.observation == NoisyPicture(noise=even.degradation.noise)
    assert "the same everywhere" in even.findings.notes[0]
    jpeg = as_jpeg(flat((128, 128), noise=20), tmp_path, quality=60, subsampling="4:2:0")
    assert "a JPEG hides" in Denoise(noise="poisson").problem(jpeg).findings.notes[0]
    deep = replace(picture, depth=16, pixels=picture.pixels)
    assert Denoise(noise="poisson").problem(deep).findings.facts == task.findings.facts
