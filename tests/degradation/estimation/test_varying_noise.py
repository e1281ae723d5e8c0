"""Noise that varies with brightness and with place, estimated."""

import numpy as np
import pytest
from numpy.typing import NDArray
from skimage import data

from diffuse_cli.degradation.estimation.clipping import left_of_clipped
from diffuse_cli.degradation.estimation.varying_noise import estimate_varying_noise


def photograph(size: tuple[int, int] = (320, 448)) -> NDArray[np.float32]:
    return np.asarray(data.coffee()[40 : 40 + size[0], 60 : 60 + size[1]], np.float32)


def stored(levels: NDArray[np.floating], std: NDArray[np.floating]) -> NDArray[np.float32]:
    noise = np.random.default_rng(3).normal(size=levels.shape) * std
    return (levels + noise).round().clip(0, 255).astype(np.float32)


def test_by_brightness() -> None:
    clean = photograph()
    std = np.sqrt(6 * clean + 60)
    given = stored(clean, std)
    found = estimate_varying_noise(given, float((given - clean).std()), by_place=False, clips=True)
    assert found is not None
    present = left_of_clipped(clean, std)
    ratio = found.std / np.sqrt((present**2).mean(2))
    # 9 of 10 pixels within a fifth; the average level alone would be off by up to 3 times in the shadows.
    assert np.quantile(np.abs(ratio - 1), 0.9) < 0.2


@pytest.mark.parametrize("gray", [False, True])
def test_by_place(gray: bool) -> None:
    """As behind a lens whose shading was evened out: 3.5 times as strong in the corners as in the middle."""
    clean = photograph()
    clean = clean.mean(2, keepdims=True) if gray else clean
    v, u = np.mgrid[-1:1:320j, -1:1:448j]
    field = (8 + 10 * (u**2 + v**2)).astype(np.float32)
    given = stored(clean, field[..., None])
    found = estimate_varying_noise(given, float((given - clean).std()), by_place=True, clips=True)
    assert found is not None
    assert found.shading == pytest.approx(3.5, rel=0.35)
    error = np.abs(found.std / field - 1)
    assert np.quantile(error, 0.9) < 0.3
    assert np.median(error) < 0.15


def test_none_is_seen_where_there_is_none() -> None:
    clean = photograph()
    given = stored(clean, np.full(clean.shape, 15.0))
    assert estimate_varying_noise(given, 15.0, by_place=True, clips=True) is None
    small = given[:40, :40]
    assert estimate_varying_noise(small, 15.0, by_place=True, clips=True) is None


def test_what_clipping_leaves() -> None:
    rng = np.random.default_rng(0)
    for mean, std in ((3, 20), (60, 30), (240, 25), (128, 15)):
        drawn = rng.normal(mean, std, 200_000).clip(0, 255)
        assert left_of_clipped(drawn.mean()[None], np.array([std])) == pytest.approx(drawn.std(), rel=0.02)
