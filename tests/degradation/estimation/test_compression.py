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


@pytest.mark.parametrize(("low", "high"), [(0, 255), (40, 200), (100, 120)])
@pytest.mark.parametrize("width", [256, 384])
def test_a_computed_ramp_was_no_jpeg(low: int, high: int, width: int) -> None:
    """Its blocks are all alike, so their coefficients are multiples of many a step."""
    ramp = np.linspace(low, high, width)[None].repeat(280, 0)
    slanted = ramp * 0.8 + np.linspace(0, 40, 280)[:, None]
    for plane in (ramp, slanted):
        for levels in (plane[..., None], plane[..., None] * (1, 0.8, 0.6)):
            assert estimate_compression(levels.round().astype(np.float32)).quality is None
