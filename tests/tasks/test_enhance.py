"""Better light as a problem: what is asked, what is found, and the noise that comes with it."""

from pathlib import Path

import numpy as np
import pytest

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
