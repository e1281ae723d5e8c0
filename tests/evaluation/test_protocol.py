"""The literature's protocols: what they do to a picture, against the figures that others published."""

import json
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from diffuse_cli.degradation.damage import Damage
from diffuse_cli.diffusion.model import Model
from diffuse_cli.diffusion.photo_noise import PhotoNoise
from diffuse_cli.diffusion.settings import Settings
from diffuse_cli.errors import UsageError
from diffuse_cli.evaluation.baselines import bicubic, untouched
from diffuse_cli.evaluation.conditions import TASKS, Condition, TaskName, conditions
from diffuse_cli.evaluation.evaluate import model_results
from diffuse_cli.evaluation.metrics import psnr
from diffuse_cli.evaluation.picture_sets import clean_levels, pictures
from diffuse_cli.evaluation.protocol import Case, case
from diffuse_cli.images.image_io import Picture, read_picture, to_levels, to_unit
from tests.conftest import EXAMPLES, SHARED, needs_shared, pixels

TEST = SHARED / "data" / "test"


@pytest.fixture(scope="module")
def clean() -> NDArray[np.uint8]:
    return pixels(EXAMPLES / "coffee_small.png")[:60, :70, :3]


@pytest.mark.parametrize("task", TASKS)
def test_every_usual_condition_makes_a_case(task: TaskName, clean: NDArray[np.uint8]) -> None:
    usual = conditions(task, (), as_files=False, blind=False)
    assert len({str(c) for c in usual}) == len(usual) >= 3
    for condition in usual:
        for picture in (clean, clean[..., :1]):
            made, again = case(picture, condition, "a.png"), case(picture, condition, "a.png")
            assert made.damaged.pixels.shape[2] == picture.shape[2]
            told = made.besides["diffuse, told"] if condition.is_photograph else made.problem
            assert not told.leaves_alone
            np.testing.assert_array_equal(made.damaged.pixels, again.damaged.pixels)


def test_noise_is_neither_clipped_nor_rounded_unless_as_files(clean: NDArray[np.uint8]) -> None:
    expected = clean + np.random.RandomState(0).normal(0, 50, clean.shape)
    floating = case(clean, Condition(task="denoise", level=50), "a")
    np.testing.assert_allclose((floating.damaged.pixels + 1) * 127.5, expected, atol=1e-3)
    files = case(clean, Condition(task="denoise", level=50, as_files=True), "a")
    np.testing.assert_array_equal(files.damaged_levels, expected.round().clip(0, 255))


def test_masks_differ_by_name_and_hide_what_they_should(clean: NDArray[np.uint8]) -> None:
    made = case(clean, Condition(task="inpaint", level=20, kind="strokes"), "a.png")
    hole = made.problem.hole
    assert hole is not None
    np.testing.assert_array_equal(made.damaged_levels[~hole], clean[~hole])
    assert (made.damaged_levels[hole] == 255).all()
    other = case(clean, Condition(task="inpaint", level=20, kind="strokes"), "b.png").problem.hole
    assert other is not None
    assert (hole != other).any()


def test_a_border_is_left_out_and_pictures_are_cropped_to_the_factor(clean: NDArray[np.uint8]) -> None:
    made = case(clean, Condition(task="super-resolve", level=4), "a")
    assert made.clean.shape == (60, 68, 3)
    assert made.compared(made.clean).shape == (52, 60, 1)
    odd = case(clean, Condition(task="super-resolve", level=2.5), "a")
    assert odd.clean.shape == clean.shape
    assert odd.problem.size == clean.shape[:2]


@pytest.mark.parametrize(
    ("task", "level", "flags"),
    [
        ("denoise", -1, {}),
        ("super-resolve", 9, {}),
        ("super-resolve", 1, {}),
        ("jpeg", 10.5, {}),
        ("restore", 4, {}),
        ("inpaint", 100, {}),
        ("deblur", float("nan"), {}),
        ("jpeg", 10, {"as_files": True}),
        ("inpaint", 10, {"blind": True}),
        ("camera", 10, {}),
        ("film", 0, {}),
        ("film", 8, {"blind": True}),
        ("denoise", 15, {"blind": True, "jpegs": (90,)}),
        ("denoise", 15, {"jpegs": (0,)}),
        ("jpeg", 15, {"jpegs": (90,)}),
    ],
)
def test_levels_out_of_range_are_refused(task: TaskName, level: float, flags: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="--"):
        conditions(task, (level,), **{"as_files": False, "blind": False, **flags})


def test_conditions_of_noise_multiply_with_jpegs() -> None:
    made = conditions("camera", (400, 800), as_files=False, blind=False, jpegs=(75, 90))
    names = ["ISO 400, JPEG 75", "ISO 400, JPEG 90", "ISO 800, JPEG 75", "ISO 800, JPEG 90"]
    assert [str(condition) for condition in made] == names
    assert all(condition.is_photograph for condition in made)
    assert not conditions("denoise", (15,), as_files=True, blind=False)[0].is_photograph


class TestPhotographs:
    """Noise of cameras and film, in files."""

    def made(self, clean: NDArray[np.uint8], condition: Condition, name: str = "a.png") -> Case:
        return case(clean, condition, name)

    def test_the_noise_is_that_of_degrade(self, clean: NDArray[np.uint8]) -> None:
        made = self.made(clean, Condition(task="camera", level=6400))
        damage = Damage(camera=6400, seed=zlib.crc32(b"a.png"))
        expected, _ = damage.apply(Picture(pixels=to_unit(clean, 8)))
        np.testing.assert_array_equal(made.damaged_levels, to_levels(expected.pixels, 8))
        other = self.made(clean, Condition(task="camera", level=6400), "b.png")
        assert (made.damaged_levels != other.damaged_levels).any()

    def test_the_truth_is_level_and_grain_before_the_jpeg(self, clean: NDArray[np.uint8]) -> None:
        plain = self.made(clean, Condition(task="film", level=8))
        stored = self.made(clean, Condition(task="film", level=8, jpeg=75))
        difference = plain.damaged_levels - clean.astype(np.float64)
        assert plain.noise.level == pytest.approx(float(np.sqrt((difference**2).mean())), rel=1e-4)
        assert plain.noise == stored.noise
        assert plain.noise.grain == pytest.approx(0.8, abs=0.12)
        told = plain.besides["diffuse, told"].degradation
        assert told.noise * 127.5 == pytest.approx(plain.noise.level)
        assert told.grain == plain.noise.grain

    def test_a_jpeg_is_as_read_from_its_file(self, clean: NDArray[np.uint8], tmp_path: Path) -> None:
        made = self.made(clean, Condition(task="camera", level=800, jpeg=75))
        noisy = self.made(clean, Condition(task="camera", level=800)).damaged_levels
        Image.fromarray(noisy).save(tmp_path / "a.jpg", quality=75, subsampling="4:2:0")
        read = read_picture(tmp_path / "a.jpg")
        np.testing.assert_array_equal(made.damaged.pixels, read.pixels)
        assert made.damaged.source.jpeg == read.source.jpeg
        assert made.besides["diffuse, told"].degradation.quality == 95, "a fifth of the steps"

    def test_what_is_read_is_what_denoise_removes(self, clean: NDArray[np.uint8]) -> None:
        read = PhotoNoise(*[0.1] * len(PhotoNoise._fields))._replace(level=9 / 127.5, grain=0.7, doubt=0.0, chance=1.0)
        made = case(clean, Condition(task="film", level=8), "a.png", lambda picture: read)
        assert made.problem.findings.facts["noise"] == pytest.approx(9)
        assert made.problem.degradation.grain == 0.7


@needs_shared
class TestPublished:
    """Figures that the papers state, or that the reference weights reach."""

    def mean(self, folder: str, condition: Condition, limit: int | None = None, *, model: str | Path = "") -> float:
        results = model_results("diffuse", Model.load(model, dtype="fp32"), Settings(), 1) if model else None
        found = []
        for path in pictures(TEST / folder, limit):
            made = case(clean_levels(path, gray=folder.endswith("gray")), condition, path.name)
            if results is not None:
                levels = next(iter(results(made)))[1][0]
            else:
                levels = bicubic(made) if condition.task == "super-resolve" else untouched(made)
            found.append(psnr(made.compared(levels), made.compared(made.clean)))
        return float(np.mean(found))

    def test_the_input_of_ffdnet(self) -> None:
        assert self.mean("CBSD68", Condition(task="denoise", level=25), 20) == pytest.approx(20.17, abs=0.02)

    def test_bicubic(self) -> None:
        assert self.mean("Set5", Condition(task="super-resolve", level=4)) == pytest.approx(28.42, abs=0.02)
        assert self.mean("Set5", Condition(task="super-resolve", level=2)) == pytest.approx(33.66, abs=0.03)

    @pytest.mark.slow
    def test_the_reference_weights(self) -> None:
        stated = json.loads((SHARED / "reference" / "metrics.json").read_text())["float"]["fp32"]
        weights = SHARED / "reference" / "photo.safetensors"
        small = self.mean("Set5", Condition(task="super-resolve", level=4), model=weights)
        assert small == pytest.approx(stated["Set5 x4"], abs=0.02)
        jpeg = self.mean("Classic5_gray", Condition(task="jpeg", level=10), model=weights)
        assert jpeg == pytest.approx(stated["Classic5 gray JPEG 10"], abs=0.02)
