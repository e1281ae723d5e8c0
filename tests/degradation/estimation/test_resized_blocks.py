"""Blocks of a JPEG that was enlarged."""

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from diffuse_cli.degradation.estimation.resized_blocks import block_period

from .conftest import Floats, through_jpeg


def resized(levels: NDArray[np.uint8], factor: float) -> Floats:
    image = Image.fromarray(levels)
    size = round(image.width * factor), round(image.height * factor)
    return np.asarray(image.resize(size, Image.Resampling.BICUBIC), np.float32)


@pytest.mark.parametrize("factor", [1.3, 1.5, 2.0])
@pytest.mark.parametrize("quality", [15, 30])
def test_the_period_is_eight_times_the_factor(photo: NDArray[np.uint8], factor: float, quality: int) -> None:
    compressed = through_jpeg(photo, quality).astype(np.uint8)
    assert block_period(resized(compressed, factor)) == pytest.approx(8 * factor, rel=0.01)


@pytest.mark.parametrize("factor", [1.0, 1.3, 1.5, 2.0])
def test_resampling_alone_makes_no_blocks(photo: NDArray[np.uint8], factor: float) -> None:
    assert block_period(resized(photo, factor)) is None


def test_blocks_of_eight_pixels_were_not_enlarged(photo: NDArray[np.uint8]) -> None:
    assert block_period(through_jpeg(photo, 20)) is None


def test_small_and_constant_pictures() -> None:
    for levels in (np.zeros((64, 300, 3)), np.full((128, 128, 1), 128.0)):
        assert block_period(levels.astype(np.float32)) is None
