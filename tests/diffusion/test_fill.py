"""Pull-push: what it keeps, that it is smooth and sane, and that windows of it are the whole one's."""

import math

import pytest
import torch

from diffuse_cli.diffusion import fill as fill_module
from diffuse_cli.diffusion.fill import WindowedFill, pull_push
from diffuse_cli.diffusion.windowed_observation import filled_picture
from tests.degradation.test_resampling import windows


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (37, 19), (64, 64)])
def test_constant_pictures_are_filled_with_the_constant(size: tuple[int, int]) -> None:
    hole = torch.zeros(1, 1, *size, dtype=torch.bool)
    hole[..., : size[1] // 2] = True
    mu, sigma_p = pull_push(torch.full((1, 3, *size), 0.25), torch.where(hole, math.inf, 0.0))
    torch.testing.assert_close(mu, torch.full_like(mu, 0.25))
    assert (sigma_p[~hole] == torch.tensor(0.01**2).sqrt()).all()


def test_known_pixels_and_their_noise_are_kept() -> None:
    y, hole = torch.rand(1, 3, 23, 31), torch.rand(1, 1, 23, 31) < 0.5
    mu, sigma_p = pull_push(y, torch.where(hole, math.inf, 0.2))
    assert torch.equal(mu[~hole.expand_as(mu)], y[~hole.expand_as(y)])
    torch.testing.assert_close(sigma_p[~hole], torch.full_like(sigma_p[~hole], math.hypot(0.2, 0.01)))


def test_the_prior_widens_with_the_distance_to_known_pixels() -> None:
    hole = torch.zeros(1, 1, 64, 64, dtype=torch.bool)
    hole[..., 8:56, 8:56] = True
    _, sigma_p = pull_push(torch.rand(1, 3, 64, 64), torch.where(hole, math.inf, 0.0))
    assert sigma_p[0, 0, 32, 32] > sigma_p[0, 0, 12, 32] > sigma_p[0, 0, 8, 32] > sigma_p[0, 0, 0, 0]


SIZES = [(1, 1), (1, 9), (3, 2), (37, 19), (64, 64), (101, 230), (257, 515)]


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fill_module, "_BLOCK_PIXELS", 2000)


@pytest.mark.parametrize("size", SIZES)
def test_the_fill_of_windows_is_the_whole_pictures(size: tuple[int, int]) -> None:
    for missing in (0.02, 0.5, 0.99):
        compare_windows_of_fill(size, missing)


def compare_windows_of_fill(size: tuple[int, int], missing: float) -> None:
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
