"""A stronger JPEG beneath a weaker one."""

import numpy as np
import pytest
from numpy.typing import NDArray

from diffuse_cli.degradation.estimation.beneath import compression_beneath

from .conftest import through_jpeg


@pytest.mark.parametrize(("first", "second"), [(10, 75), (25, 90), (40, 85), (50, 95)])
def test_a_cropped_jpeg_that_was_saved_again(photo: NDArray[np.uint8], first: int, second: int) -> None:
    cropped = through_jpeg(photo, first)[3:, 5:].astype(np.uint8)
    found = compression_beneath(through_jpeg(cropped, second), second)
    assert found is not None
    assert (found.quality, found.origin) == (first, (5, 3))


@pytest.mark.parametrize("quality", [30, 60, 75, 90, 95])
def test_nothing_is_beneath_a_single_jpeg(photo: NDArray[np.uint8], quality: int) -> None:
    assert compression_beneath(through_jpeg(photo, quality), quality) is None


def test_a_weaker_one_beneath_is_not_told(photo: NDArray[np.uint8]) -> None:
    cropped = through_jpeg(photo, 90)[3:, 5:].astype(np.uint8)
    assert compression_beneath(through_jpeg(cropped, 40), 40) is None


def test_small_and_constant_pictures() -> None:
    for levels in (np.zeros((16, 16, 3)), np.full((64, 64, 1), 128.0), np.zeros((200, 8, 3))):
        assert compression_beneath(levels.astype(np.float32), 90) is None
