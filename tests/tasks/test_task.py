"""Requests become tasks: levels to sigmas, masks, sizes, and which path a JPEG's noise takes."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from diffuse_cli.errors import PictureError, UsageError
from diffuse_cli.images.image_io import Picture, read_picture, to_unit
from diffuse_cli.images.mask_picture import mask_of
from diffuse_cli.tasks.denoise import Denoise
from diffuse_cli.tasks.inpaint import Inpaint
from diffuse_cli.tasks.super_resolve import SuperResolve


def flat(size: tuple[int, int] = (64, 64), *, gray: bool = False, noise: float = 0.0) -> Picture:
    shape = (*size, 1 if gray else 3)
    levels = np.random.default_rng(0).normal(120, noise, shape).round().clip(0, 255).astype(np.uint8)
    return Picture(pixels=to_unit(levels, 8))


def as_jpeg(picture: Picture, folder: Path, *, quality: int, subsampling: str) -> Picture:
    levels = ((picture.pixels + 1) * 127.5).round().astype(np.uint8)
    buffer = io.BytesIO()
    image = Image.fromarray(levels[..., 0] if levels.shape[2] == 1 else levels)
    image.save(buffer, "JPEG", quality=quality, **({} if image.mode == "L" else {"subsampling": subsampling}))
    (folder / "x.jpg").write_bytes(buffer.getvalue())
    return read_picture(folder / "x.jpg")


def test_a_level_becomes_a_sigma() -> None:
    task = Denoise(noise=25.5).problem(flat())
    assert task.degradation.noise == pytest.approx(0.2)
    assert task.guide is None
    assert task.findings.notes == ()


def test_estimated_noise_is_told() -> None:
    task = Denoise().problem(flat(noise=12))
    assert task.degradation.noise * 127.5 == pytest.approx(12, abs=1)
    assert "noise 1" in task.findings.notes[0]


def test_a_noise_free_picture_is_left_alone() -> None:
    task = Denoise().problem(flat())
    assert task.leaves_alone
    assert "no noise measurable" in task.findings.notes[0]


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


def test_masks_are_white_from_the_middle_up() -> None:
    levels = np.array([[0, 127, 128, 255]], np.uint8)[..., None]
    assert mask_of(Picture(pixels=to_unit(levels, 8))).tolist() == [[False, False, True, True]]


def test_boxes_and_mask_add_up_and_can_be_inverted() -> None:
    mask = np.zeros((64, 64), bool)
    mask[0, 0] = True
    task = Inpaint(mask=mask, boxes=[(10, 20, 3, 4), (-5, -5, 6, 6), (60, 60, 100, 100)]).problem(flat())
    assert task.hole is not None
    assert task.hole.sum() == 12 + 1 + 16
    assert task.hole[20:24, 10:13].all()
    inverted = Inpaint(mask=mask, invert_mask=True).problem(flat())
    assert inverted.hole is not None
    assert inverted.hole.sum() == 64 * 64 - 1


def test_sizes() -> None:
    picture = flat((30, 41))
    assert SuperResolve(scale=1.5).problem(picture).size == (45, 62)
    assert SuperResolve(to_size=(82, 1000)).problem(picture).size == (60, 82)
    assert SuperResolve(long_edge=100).problem(picture).size == (73, 100)
    with pytest.raises(PictureError, match="already"):
        SuperResolve(long_edge=41).problem(picture)
    with pytest.raises(PictureError, match="8"):
        SuperResolve(long_edge=400).problem(picture)
    with pytest.raises(UsageError, match="one of"):
        SuperResolve(scale=2, long_edge=100)
