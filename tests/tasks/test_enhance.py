"""Better light as a problem: what is asked, what is found, and the noise that comes with it."""

from pathlib import Path

import numpy as np
import pytest

from diffuse_cli.diffusion.photo_noise import PhotoNoise
from diffuse_cli.errors import UsageError
from diffuse_cli.images.picture import Picture
from diffuse_cli.tasks.enhance import Enhance
from tests.helpers.pictures import as_jpeg, flat


@pytest.mark.parametrize(
    "options", [{"exposure": 7}, {"contrast": 0.4}, {"clarity": 3}, {"strength": 1.1}, {"exposure": float("nan")}]
)
def test_values_out_of_range_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(UsageError, match=f"--{next(iter(options))}"):
        Enhance(**options)  # type: ignore[arg-type]


def test_strength_0_leaves_the_picture_alone() -> None:
    assert Enhance(strength=0).problem(flat(noise=10)).leaves_alone


def test_brighter_noise_is_told_and_a_quiet_picture_has_none() -> None:
    options = Enhance(exposure=1.0, contrast=1.0, clarity=0.0, white_balance="off")
    assert options.problem(flat((128, 128))).degradation.noise == 0
    dark = flat((128, 128), noise=6)
    problem = options.problem(dark)
    assert problem.picture is not None
    assert problem.picture.pixels.mean() > dark.pixels.mean() + 0.2
    before, after = float(dark.pixels.std()), float(problem.picture.pixels.std())
    assert problem.degradation.noise == pytest.approx(after, rel=0.25)
    assert after > 1.1 * before


def test_what_is_transparent_has_no_say() -> None:
    rng = np.random.default_rng(0)
    pixels = rng.uniform(-1, 0, (96, 96, 3)).astype(np.float32)
    alpha = np.full((96, 96), 255, np.uint8)
    alpha[:, 48:] = 0
    told = []
    for hidden in (-1.0, 1.0):
        pixels[:, 48:] = hidden
        told.append(Enhance().problem(Picture(pixels=pixels.copy(), alpha=alpha)).findings.facts["tone"])
    assert told[0] == told[1]


def test_a_jpegs_steps_are_lifted_with_its_light(tmp_path: Path) -> None:
    jpeg = as_jpeg(flat((128, 128), noise=12), tmp_path, quality=80, subsampling="4:2:0")
    problem = Enhance(exposure=2.0, contrast=1.0, clarity=0.0, white_balance="off").problem(jpeg)
    assert problem.guide is not None
    assert problem.degradation.quality < 80


def test_correlated_noise_is_read_in_the_new_light() -> None:
    seen: list[float] = []

    def read(lit: Picture) -> PhotoNoise:
        seen.append(float(lit.pixels.mean()))
        return PhotoNoise(
            level=12 / 127.5,
            grain=0.7,
            luma=0.08,
            chroma=0.05,
            bright_over_dark=1.0,
            doubt=0.4,
            chance=1.0,
            by_texture=-1.0,
            correlation=0.6,
        )

    dark = Picture(pixels=flat((128, 128), noise=6).pixels * 0.2 - 0.7)
    problem = Enhance(exposure=2.0, contrast=1.0).problem(dark, read)
    assert seen[0] > dark.pixels.mean() + 0.2, "the picture in its new light"
    told = problem.degradation
    assert (told.noise * 127.5, told.grain, told.doubt) == pytest.approx((12, 0.7, 0.2))
    assert problem.findings.facts["tone"]["grain"] == 0.7
    assert "12.0 levels, grain of 0.7 pixels in the new light" in problem.findings.notes[-1]
    assert Enhance(exposure=2.0, noise="poisson").problem(dark, read).guide is None, "white, as it was asked for"


def test_a_given_noise_is_that_of_the_file() -> None:
    options = {"exposure": 2.0, "contrast": 1.0, "clarity": 0.0}
    dark = flat((128, 128), noise=0)
    given = Enhance(noise=4, white_balance="off", **options).problem(dark)
    assert given.degradation.noise * 127.5 > 4, "lifted with the light"
    assert Enhance(noise=0, white_balance="off", **options).problem(flat((128, 128), noise=9)).is_exact
    with pytest.raises(UsageError, match="--noise"):
        Enhance(noise="white")  # type: ignore[arg-type]


def test_the_dots_of_a_drawing_are_no_noise() -> None:
    dots = np.random.default_rng(0).integers(0, 2, (96, 96, 1)).astype(np.float32) * 1.8 - 0.9
    problem = Enhance(exposure=0.0, contrast=1.0, clarity=0.0, white_balance="off").problem(Picture(pixels=dots))
    assert problem.leaves_alone
