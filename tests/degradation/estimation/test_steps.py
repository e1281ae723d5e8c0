"""Blur, bounded by the sharpest steps."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from diffuse_cli.degradation.estimation.steps import blur_by_steps
from diffuse_cli.degradation.operators import blur

from .conftest import noisy


def stripes(std: float) -> NDArray[np.uint8]:
    """Wide stripes of several tones, blurred."""
    tones = np.repeat(np.random.default_rng(0).integers(0, 256, 12), 24)
    x = torch.from_numpy(np.tile(tones, (64, 1))).float()[None, None].expand(1, 3, -1, -1)
    return np.asarray(blur(x, std)[0].permute(1, 2, 0).numpy().round().astype(np.uint8))


@pytest.mark.parametrize("std", [0.8, 1.6, 2.4])
@pytest.mark.parametrize("noise", [0.0, 1.0])
def test_a_blur_is_no_wider_than_the_sharpest_steps(std: float, noise: float) -> None:
    levels = noisy(stripes(std), noise)
    assert blur_by_steps(levels, 1.4 * std, noise) == pytest.approx(std, rel=0.12)
    assert blur_by_steps(levels, 0.9 * std, noise) == 0.9 * std


def test_soft_steps_and_none_tell_nothing(photo: NDArray[np.uint8]) -> None:
    assert blur_by_steps(stripes(3.0).astype(np.float32), 1.5, 0) == 1.5
    assert blur_by_steps(np.full((64, 64, 1), 9, np.float32), 1.5, 0) == 1.5
    assert blur_by_steps(np.zeros((5, 5, 3), np.float32), 1.5, 0) == 1.5
    assert blur_by_steps(photo[..., :1].astype(np.float32), 20.0, 0) == 20.0
