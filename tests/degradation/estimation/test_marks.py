"""Scratches and torn corners that are found."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from diffuse_cli.degradation.estimation.marks import FEATURES, candidates, torn
from tests.conftest import EXAMPLES, pixels

Mask = NDArray[np.bool_]


def near(mask: Mask, reach: int = 2) -> Mask:
    return np.asarray(ndimage.binary_dilation(mask, iterations=reach))


def test_scratches_are_among_the_candidates_and_are_measured() -> None:
    levels = pixels(EXAMPLES / "camera_scratched.png")[..., None].astype(np.float32)
    truth = pixels(EXAMPLES / "camera_mask.png") > 0
    said = np.where(truth, 4, -6).astype(np.float32)
    light, dark = candidates(levels, said)
    assert ((light.labels > 0) & truth).sum() > 0.8 * truth.sum()
    for parts, is_light in ((light, 1), (dark, 0)):
        assert parts.measures.shape == (parts.labels.max(), len(FEATURES))
        assert np.isfinite(parts.measures).all()
        assert (parts.measures[:, FEATURES.index("light")] == is_light).all()
        assert (parts.measures[:, FEATURES.index("gray")] == 1).all()
    inside = np.unique(light.labels[truth & (light.labels > 0)]) - 1
    assert (light.measures[inside, FEATURES.index("largest logit")] == 4).all()


@pytest.mark.parametrize("tone", [235, 8])
def test_a_missing_corner_and_not_the_sky(tone: int) -> None:
    rng = np.random.default_rng(0)
    levels = (120 + 20 * np.sin(np.arange(200) / 9)[:, None, None] + rng.normal(0, 6, (200, 240, 3))).astype(np.float32)
    corner = np.add.outer(np.arange(200), np.arange(240)) < 40
    levels[corner] = tone
    found = torn(levels)
    assert (found & corner).sum() > 0.8 * corner.sum()
    assert not (found & ~near(corner)).any()
    levels[:60] = tone
    assert not torn(levels).any()


@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 200, 3), (40, 40, 1)])
def test_nothing_in_nothing(shape: tuple[int, int, int]) -> None:
    said = np.zeros(shape[:2], np.float32)
    for parts in candidates(np.full(shape, 90, np.float32), said):
        assert not parts.labels.any()
        assert parts.measures.shape == (0, len(FEATURES))
