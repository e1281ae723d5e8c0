"""JPEG compression, read from pixels."""

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from diffuse_cli.degradation.estimation.compression import estimate_compression

from .conftest import noisy, through_jpeg


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
