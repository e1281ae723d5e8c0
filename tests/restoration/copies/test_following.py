"""What a homography does not follow is followed by flow; noise is not."""

import numpy as np
import pytest

from diffuse_cli.images.units import LEVEL
from diffuse_cli.restoration.copies.following import follow
from tests.helpers.copies import scene

pytest.importorskip("cv2")


def test_a_part_that_moved_is_found() -> None:
    luma = (scene().mean(2) + 1) * np.float32(LEVEL)
    moved = luma.copy()
    moved[40:100, 43:103] = luma[40:100, 40:100]
    flow = follow(luma, moved, np.ones(luma.shape, bool), 3.0)
    assert flow is not None
    assert np.median(flow[60:80, 60:80, 0]) == pytest.approx(3, abs=0.3)
    assert np.abs(flow[:16]).max() < 0.1


def test_noise_is_not_followed() -> None:
    luma = (scene().mean(2) + 1) * np.float32(LEVEL)
    rng = np.random.default_rng(1)
    one, other = (luma + rng.normal(0, 12, luma.shape).astype(np.float32) for _ in range(2))
    assert follow(one, other, np.ones(luma.shape, bool), 12 * 2**0.5) is None
