"""What the differences of copies tell."""

import numpy as np
import pytest

from diffuse_cli.images.units import LEVEL
from diffuse_cli.restoration.copies.agreement import (
    by_light,
    difference,
    doubted,
    typical,
    variances,
)
from tests.helpers.copies import scene, stored

pytest.importorskip("cv2")

KNOWN = np.ones((144, 144), bool)
NOTHING = np.zeros((144, 144), np.float32)


def test_three_copies_tell_the_noise_of_each() -> None:
    clean, levels = scene(), (4.0, 8.0, 16.0)
    copies = [stored(clean, level, k).pixels for k, level in enumerate(levels)]
    pairs = {
        (i, j): typical(difference(copies[i], copies[j], KNOWN, NOTHING).energy) for i, j in ((0, 1), (0, 2), (1, 2))
    }
    found = np.sqrt(variances([1.0, 1.0, 1.0], pairs)) * LEVEL  # the estimators are wrong
    assert found == pytest.approx(levels, rel=0.15)


def test_two_copies_keep_the_ratio_of_the_estimators() -> None:
    one, other = variances([1.0, 3.0], {(0, 1): 0.4})
    assert (one, other) == pytest.approx((0.1, 0.3))


def test_noise_that_depends_on_light() -> None:
    clean = scene()
    rng = np.random.default_rng(0)
    std = (clean.mean(2, keepdims=True) + 1.2) * 10 / LEVEL
    one, other = ((clean + std * rng.standard_normal(clean.shape)).astype(np.float32) for _ in range(2))
    found = difference(one, other, KNOWN, NOTHING)
    factor = by_light([(found.energy, found.light)], clean.mean(2))
    assert factor is not None
    true = std[..., 0] ** 2 / np.median(std**2)
    assert np.corrcoef(factor.ravel(), true.ravel())[0, 1] > 0.9


def test_what_moved_tells_nothing_and_noise_is_no_motion() -> None:
    variance = np.full((144, 144), (10 / LEVEL) ** 2, np.float32)
    off = np.random.default_rng(1).normal(0, 10 / LEVEL, (144, 144, 3)).astype(np.float32)
    assert np.median(doubted(off, variance, variance)) == 0
    assert np.isfinite(doubted(off, variance, variance)).mean() > 0.999
    off[40:80, 40:80] += 40 / LEVEL
    found = doubted(off, variance, variance)
    assert np.isinf(found[42:78, 42:78]).all()
    assert np.isfinite(found[100:, 100:]).all()
    faint = off.copy()
    faint[100:130, 100:130] += 5 / LEVEL  # half the noise: only a broad mean shows it
    assert np.mean(doubted(faint, variance, variance)[108:122, 108:122] > (5 / LEVEL) ** 2) > 0.9
