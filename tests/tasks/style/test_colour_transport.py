"""Colours by the closed form."""

import pytest
import torch

from diffuse_cli.tasks.style.colour_transport import Colours, colours_of, transport, transported


def random_colours(seed: int) -> Colours:
    random = torch.Generator().manual_seed(seed)
    factor = torch.randn((3, 3), generator=random, dtype=torch.float64) * 0.3
    return Colours(mean=0.3 * torch.randn(3, generator=random, dtype=torch.float64), covariance=factor @ factor.T)


@pytest.mark.parametrize("seed", range(4))
def test_transport_gives_mean_and_covariance_and_moves_least(seed: int) -> None:
    source, target = random_colours(seed), random_colours(seed + 100)
    matrix = transport(source, target)
    floor = 1e-4 * torch.eye(3, dtype=torch.float64)
    assert torch.allclose(matrix @ (source.covariance + floor) @ matrix.T, target.covariance + floor, atol=1e-9)
    # Of all maps that do so, Monge's is the symmetric one without negative eigenvalues (Brenier 1991).
    assert torch.allclose(matrix, matrix.T, atol=1e-9)
    assert float(torch.linalg.eigvalsh(matrix).min()) > 0


def test_transport_between_diagonal_gaussians_is_the_ratio_of_their_stds() -> None:
    source = Colours(mean=torch.zeros(3).double(), covariance=torch.diag(torch.tensor([0.04, 0.09, 0.01])).double())
    target = Colours(mean=torch.ones(3).double(), covariance=torch.diag(torch.tensor([0.16, 0.01, 0.01])).double())
    wanted = torch.diag(torch.tensor([2.0, 1 / 3, 1.0])).double()
    assert torch.allclose(transport(source, target), wanted, atol=0.02)


def test_colours_arrive_and_a_share_of_the_way_is_between() -> None:
    x, target = torch.randn(1, 3, 40, 50) * 0.2, random_colours(3)
    own = colours_of(x)
    there = colours_of(transported(x, own, target, 1.0))
    assert torch.allclose(there.mean, target.mean, atol=1e-5)
    assert torch.allclose(there.covariance, target.covariance, rtol=0.005, atol=1e-4)  # but for the floor
    assert torch.allclose(transported(x, own, target, 0.0), x, atol=1e-5)
    half = transported(x, own, target, 0.5)
    assert torch.allclose(half, (x + transported(x, own, target, 1.0)) / 2, atol=1e-5)


@pytest.mark.parametrize("x", [torch.rand(1, 1, 20, 20).expand(1, 3, -1, -1), torch.full((1, 3, 20, 20), 0.2)])
def test_gray_and_constant_pictures_get_colours_too(x: torch.Tensor) -> None:
    target = random_colours(5)
    moved = transported(x, colours_of(x), target, 1.0)
    assert bool(moved.isfinite().all())
    assert torch.allclose(colours_of(moved).mean, target.mean, atol=1e-4)
