"""Evidence that is made window by window is the whole picture's; large arrays go to files."""

import math
import os
import tempfile
from pathlib import Path

import numpy as np
import pytest
import torch

from diffuse_cli.degradation.operators import Degradation, resize
from diffuse_cli.degradation.resampling import resize_window
from diffuse_cli.diffusion import fill as fill_module
from diffuse_cli.diffusion.conditioning import guided
from diffuse_cli.diffusion.denoiser import Observation, nothing_known
from diffuse_cli.diffusion.fill import WindowedFill, fill_guide, pull_push
from diffuse_cli.diffusion.network import NetworkConfig
from diffuse_cli.diffusion.windowed_observation import filled, filled_picture
from diffuse_cli.system import arrays as host_arrays

SIZES = [(1, 1), (1, 9), (3, 2), (37, 19), (64, 64), (101, 230), (257, 515)]
ALL = slice(None)


def windows(size: tuple[int, int]) -> list[tuple[slice, slice]]:
    """The whole picture, its corners, and some of its middle, begun at odd places."""
    h, w = size
    parts = [
        (0, h, 0, w),
        (0, h // 2 + 1, 0, w // 3 + 1),
        (h // 3, h, w // 2, w),
        (h // 4, h // 2 + 1, w // 5, w // 2 + 1),
    ]
    return [(slice(a, b), slice(c, d)) for a, b, c, d in parts]


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fill_module, "_BLOCK_PIXELS", 2000)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("missing", [0.02, 0.5, 0.99])
def test_the_fill_of_windows_is_the_whole_pictures(size: tuple[int, int], missing: float) -> None:
    torch.manual_seed(0)
    y, hole = torch.rand(1, 3, *size) * 2 - 1, torch.rand(size) < missing
    hole[-1, -1] = False
    mu, sigma_p = pull_push(y, torch.where(hole, math.inf, 0.1)[None, None])
    unread = torch.where(hole, math.nan, y)
    fill = WindowedFill(lambda rows, columns: unread[..., rows, columns], hole, 0.1)
    for rows, columns in windows(size):
        part = fill.window(rows, columns)
        torch.testing.assert_close(part[0], mu[..., rows, columns], rtol=0, atol=2e-6)
        torch.testing.assert_close(part[1], sigma_p[..., rows, columns], rtol=0, atol=2e-6)


def test_a_wide_hole_is_filled_alike_and_known_blocks_are_plain_means() -> None:
    torch.manual_seed(0)
    y, hole = torch.rand(1, 3, 203, 301), torch.zeros(203, 301, dtype=torch.bool)
    hole[60:150, 77:240] = True
    mu, sigma_p = pull_push(y, torch.where(hole, math.inf, 0.0)[None, None])
    fill = WindowedFill(lambda rows, columns: y[..., rows, columns], hole)
    part = fill.window(slice(48, 160), slice(64, 256))
    torch.testing.assert_close(part[0], mu[..., 48:160, 64:256], rtol=0, atol=2e-6)
    torch.testing.assert_close(part[1], sigma_p[..., 48:160, 64:256], rtol=0, atol=2e-6)
    torch.testing.assert_close(filled_picture(y, hole), mu, rtol=0, atol=2e-6)


@pytest.mark.parametrize(
    ("size", "to"), [((50, 70), (100, 140)), ((50, 71), (177, 233)), ((200, 300), (90, 130)), ((3, 2), (24, 16))]
)
def test_windows_of_a_resized_picture_are_the_whole_ones(size: tuple[int, int], to: tuple[int, int]) -> None:
    torch.manual_seed(0)
    x = torch.rand(1, 3, *size) * 2 - 1
    whole = resize(x, to)
    for rows, columns in windows(to):
        part = resize_window(x, to, rows, columns)
        torch.testing.assert_close(part, whole[..., rows, columns], rtol=0, atol=1e-5)


def test_a_resized_window_far_from_the_origin() -> None:
    """Where coordinates are large, their rounding in fp32 shows; it is the same."""
    torch.manual_seed(0)
    x = torch.rand(1, 1, 9000, 3)
    part = resize_window(x, (20011, 7), slice(19900, 20011), slice(0, 7))
    torch.testing.assert_close(part, resize(x, (20011, 7))[..., 19900:, :], rtol=0, atol=1e-5)


def test_a_guide_with_holes_is_filled_at_both_sizes() -> None:
    torch.manual_seed(0)
    guide, hole, size = torch.rand(1, 3, 40, 52), torch.zeros(40, 52, dtype=torch.bool), (97, 131)
    hole[10:22, 13:31] = True
    what = Degradation(scale=2.5)
    seen = guided(nothing_known(1, NetworkConfig(), guide.device), guide, what, size, hole)
    mu, sigma_p = fill_guide(guide, hole, torch.full((1, 1, 1, 1), what.sigma_p()), size)
    part = seen.crop(slice(16, 80), slice(32, 131))
    torch.testing.assert_close(part.mu, mu[..., 16:80, 32:131], rtol=0, atol=1e-5)
    torch.testing.assert_close(part.sigma_p, sigma_p[..., 16:80, 32:131], rtol=0, atol=1e-5)
    assert seen.spread() == pytest.approx(float(sigma_p.max()), abs=1e-5)


@pytest.mark.parametrize("noise", [0.0, 0.3])
def test_the_spread_is_the_whole_observations(noise: float) -> None:
    torch.manual_seed(0)
    y, hole = torch.rand(1, 3, 90, 70), torch.rand(90, 70) < 0.3
    base = nothing_known(1, NetworkConfig(), y.device)
    sigma_y = torch.where(hole, math.inf, noise)[None, None]
    mu, sigma_p = pull_push(y, sigma_y)
    whole = Observation(mu=mu, sigma_p=sigma_p, cond=base.cond, y=y, sigma_y=sigma_y).spread()
    assert filled(base, y, hole, noise).spread() == pytest.approx(whole, rel=1e-5)


def test_large_arrays_are_mapped_and_hold_what_is_put_in(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(host_arrays, "MAPPED_FROM", 1000)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    large = host_arrays.empty_array((20, 30, 3), np.float32)
    assert not isinstance(large.base, type(None))
    assert not large.flags.owndata
    large[:] = np.arange(1800).reshape(20, 30, 3)
    np.testing.assert_array_equal(host_arrays.copied(large), large)
    assert list(tmp_path.iterdir()) == [], "the file has no name, so nothing can be left behind"
    assert host_arrays.empty_array((20, 12), np.float32).flags.owndata


def test_without_room_for_a_file_it_is_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host_arrays, "MAPPED_FROM", 1000)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    assert host_arrays.empty_array((100, 100), np.float32).flags.owndata


def test_blocks_of_rows_cover_an_array(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host_arrays, "_BLOCK_NUMBERS", 100)
    array = np.zeros((37, 11, 3))
    blocks = list(host_arrays.row_blocks(array))
    assert np.concatenate([np.arange(37)[rows] for rows in blocks]).tolist() == list(range(37))
    assert len(blocks) == 13
