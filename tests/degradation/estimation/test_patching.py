"""Holes patched from elsewhere, so that estimators read a whole picture."""

import numpy as np
import pytest

from diffuse_cli.degradation.estimation.patching import patched


@pytest.mark.parametrize(
    "box", [(slice(0, 40), slice(0, 40)), (slice(30, 33), slice(None)), (slice(50, 64), slice(60, 90))]
)
def test_holes_are_patched_from_elsewhere(box: tuple[slice, slice]) -> None:
    x = np.random.default_rng(0).normal(0, 1, (64, 90, 3)).astype(np.float32)
    hole = np.zeros((64, 90), bool)
    hole[box] = True
    whole = patched(np.where(hole[..., None], np.float32(99), x), hole)
    assert np.array_equal(whole[~hole], x[~hole])
    assert whole[hole].max() < 99
    assert whole[hole].std() == pytest.approx(1, abs=0.1)
    assert (patched(x, np.ones((64, 90), bool)) == x).all()
