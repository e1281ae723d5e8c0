"""JPEG blocks that begin elsewhere than in the corner are restored as if they began there."""

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from diffuse_cli.degradation.estimation.compression import picture_grid
from diffuse_cli.degradation.operators import Degradation
from diffuse_cli.diffusion.model import Model
from diffuse_cli.diffusion.settings import Settings
from diffuse_cli.images.image_io import Picture, read_picture, to_levels, to_unit
from diffuse_cli.images.tensors import to_tensor
from diffuse_cli.restoration.on_grid import on_grid
from diffuse_cli.restoration.problem import GuidePicture, Problem
from diffuse_cli.restoration.restore import restore
from diffuse_cli.restoration.samples import Samples
from diffuse_cli.tasks.restore import Restore
from tests.conftest import EXAMPLES


def clean() -> np.ndarray:
    with Image.open(EXAMPLES / "coffee_table.jpg") as image:
        return np.asarray(image.convert("RGB"))


def jpeg(levels: np.ndarray, quality: int, **options: object) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(levels).save(stream, "JPEG", quality=quality, **options)
    return stream.getvalue()


def picture(levels: np.ndarray) -> Picture:
    return Picture(pixels=to_unit(np.ascontiguousarray(levels), 8))


def error(after: Picture, truth: np.ndarray) -> float:
    return float(np.square(to_levels(after.pixels, 8).astype(float) - truth).mean())


def test_a_cropped_jpeg_is_restored_on_its_own_grid(model: Model) -> None:
    truth = clean()
    stored = np.asarray(Image.open(io.BytesIO(jpeg(truth, 20))))
    before, truth = picture(stored[3:, 5:]), truth[3:, 5:]
    problem = Restore(noise=None, blur=None).problem(before)
    assert problem.guide is not None
    assert problem.guide.origin == (5, 3)
    off_grid = replace(problem, observation=replace(problem.guide, origin=(0, 0)))
    on, off = (error(restore(before, one, Settings(steps=1), model), truth) for one in (problem, off_grid))
    assert on < 0.997 * off


@pytest.mark.parametrize("origin", [(0, 0), (5, 3), (0, 7), (1, 0)])
@pytest.mark.parametrize("steps", [1, 2])
def test_results_have_the_pictures_size_and_nothing_else_moves(origin: tuple[int, int], steps: int, toy: Model) -> None:
    before = picture(clean()[:41, :53])
    hole = np.zeros((41, 53), bool)
    hole[10:20, 30:40] = True
    guide = GuidePicture(degradation=Degradation(quality=30), origin=origin)
    for problem in (Problem(observation=guide), Problem(observation=guide, hole=hole)):
        assert restore(before, problem, Settings(steps=steps), toy).pixels.shape == (41, 53, 3)
        placed = on_grid(to_tensor(before.pixels), problem, before)
        assert placed.y.shape[2] % 8 == (41 - origin[0]) % 8
        torch.testing.assert_close(placed.undone(placed.y), to_tensor(before.pixels), rtol=0, atol=0)
        if problem.hole is not None:
            assert placed.problem.hole is not None
            assert placed.problem.hole.shape == placed.y.shape[2:]
            assert placed.problem.hole.sum() == 100
    traced = Samples(before, Problem(observation=guide), toy, traces=True).traced(Settings(steps=2))
    assert {image.size for _, image in traced.steps} == {(53, 41)}


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_grid_of_a_turned_file_is_found_without_looking(orientation: int, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[274] = orientation
    (tmp_path / "a.jpg").write_bytes(jpeg(clean()[:141, :187], 15, exif=exif))
    before = read_picture(tmp_path / "a.jpg")
    levels = to_levels(before.pixels, 8).astype(np.float32)
    found = picture_grid(levels)
    problem = Problem(observation=GuidePicture(degradation=Degradation(quality=15)))
    placed = on_grid(to_tensor(before.pixels), problem, before)
    assert (-placed.top % 8, -placed.left % 8) == found


def test_what_is_no_jpeg_or_is_enlarged_stays_where_it_is() -> None:
    before = picture(clean()[:41, :53])
    y = to_tensor(before.pixels)
    for guide in (
        GuidePicture(degradation=Degradation(blur=1), origin=(3, 3)),
        GuidePicture(degradation=Degradation(quality=50, scale=2), size=(82, 106), origin=(3, 3)),
    ):
        assert on_grid(y, Problem(observation=guide), before).y is y
    assert on_grid(y, Problem(), before).y is y
