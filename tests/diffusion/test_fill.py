"""Pull-push: what it keeps, and that it is smooth and sane."""

import math

import pytest
import torch

from diffuse_cli.diffusion.fill import pull_push


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
