"""Noise as a file holds it: white, or bent by a JPEG coder, which asks for another estimator."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from diffuse_cli.degradation.estimation.noise_level import estimate_noise
from diffuse_cli.degradation.estimation.picture_noise import (
    coded_quality,
    is_white,
    measured_noise,
    noise_before_jpeg,
)
from tests.helpers.pictures import as_jpeg, flat


def test_white_is_what_no_coder_has_bent(tmp_path: Path) -> None:
    assert is_white(flat(), 0.1)
    halved = as_jpeg(flat(), tmp_path, quality=95, subsampling="4:2:0")
    assert not is_white(halved, 50), "its chroma was averaged"
    whole = as_jpeg(flat(), tmp_path, quality=90, subsampling="4:4:4")
    assert whole.source.jpeg is not None
    coarsest = max(whole.source.jpeg.tables[-1])
    assert [is_white(whole, coarsest / 2 + d) for d in (-0.1, 0.1)] == [False, True]
    gray = as_jpeg(flat(gray=True), tmp_path, quality=90, subsampling="4:4:4")
    assert gray.source.jpeg is not None
    finer = max(gray.source.jpeg.tables[0])
    assert [is_white(gray, finer / 5 + d) for d in (-0.1, 0.1)] == [False, True]


@pytest.mark.parametrize(("quality", "told"), [(60, 60), (95, 95), (96, 100), (100, 100)])
def test_the_best_qualities_count_as_none(tmp_path: Path, quality: int, told: int) -> None:
    assert coded_quality(as_jpeg(flat(), tmp_path, quality=quality, subsampling="4:2:0")) == told
    assert coded_quality(flat()) == 100


@pytest.mark.parametrize("gray", [False, True])
def test_each_file_gets_the_estimator_that_reads_it(tmp_path: Path, gray: bool) -> None:
    noisy = flat((160, 160), gray=gray, noise=15)
    jpeg = as_jpeg(noisy, tmp_path, quality=80, subsampling="4:2:0")
    assert measured_noise(noisy).level == pytest.approx(15, rel=0.05)
    assert measured_noise(jpeg).level == pytest.approx(15, rel=0.15)
    if not gray:
        assert estimate_noise((jpeg.pixels + 1) * 127.5, clips=True).level < 10, "the other one would miss half of it"


def test_noise_is_read_behind_a_jpeg_that_is_no_longer_one(tmp_path: Path) -> None:
    as_jpeg(flat((168, 168), noise=15), tmp_path, quality=80, subsampling="4:2:0")
    with Image.open(tmp_path / "x.jpg") as image:
        levels = np.asarray(image, np.float32)
    assert noise_before_jpeg(levels, 80, (0, 0)).level == pytest.approx(15, rel=0.15)
    assert noise_before_jpeg(levels[3:, 6:], 80, (5, 2)).level == pytest.approx(15, rel=0.15)
