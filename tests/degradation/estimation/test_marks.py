"""Scratches and torn corners that are found."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy import ndimage

from diffuse_cli.degradation.estimation.marks import CONTEXT, FEATURES, candidates, context, torn
from tests.conftest import EXAMPLES, pixels

Mask = NDArray[np.bool_]


def near(mask: Mask, reach: int = 2) -> Mask:
    return np.asarray(ndimage.binary_dilation(mask, iterations=reach))


def test_scratches_are_among_the_candidates_and_are_measured() -> None:
    levels = pixels(EXAMPLES / "camera_scratched.png")[..., None].astype(np.float32)
    truth = pixels(EXAMPLES / "camera_mask.png") > 0
    parts = candidates(levels, np.where(truth, 4, -6).astype(np.float32))
    narrow, told = parts.labels[0], parts.labels[1] | parts.labels[3]
    assert ((narrow > 0) & truth).sum() > 0.8 * truth.sum()
    assert np.array_equal(told > 0, truth)
    measures = parts.measures.numpy()
    assert measures.shape == (parts.labels.max(), len(FEATURES))
    assert np.isfinite(measures).all()
    kinds = [np.unique(layer[layer > 0]) - 1 for layer in parts.labels]
    for numbers, is_light, by_network in zip(kinds, (1, 1, 0, 0), (0, 1, 0, 1), strict=True):
        assert (measures[numbers][:, -3:] == (is_light, 1, by_network)).all()
    assert (measures[kinds[1], FEATURES.index("largest logit")] == 4).all()


def test_a_part_counts_the_likely_marks_beside_it() -> None:
    measures = torch.zeros(4, len(FEATURES))
    measures[:, FEATURES.index("light")] = torch.tensor([1, 1, 1, 0])
    measures[2, FEATURES.index("height")] = 5  # its surroundings are not calm
    counts = torch.exp(context(measures, torch.tensor([0.9, 0.8, 0.7, 0.3]), 1000)[:, :3]) - 0.3
    expected = [[0.8, 1.5, 0], [0.9, 1.6, 0], [1.7, 1.7, 0], [0, 0, 2.4]]
    assert torch.allclose(counts, torch.tensor(expected), atol=1e-5)


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
    parts = candidates(np.full(shape, 90, np.float32), np.full(shape[:2], -1, np.float32))
    assert not parts.labels.any()
    assert parts.measures.shape == (0, len(FEATURES))
    assert context(parts.measures, torch.zeros(0), 9).shape == (0, len(CONTEXT))
