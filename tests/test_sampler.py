"""Solvers against closed forms: a Gaussian prior and a mixture of two."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from diffuse_cli.errors import UsageError
from diffuse_cli.sampler import karras_sigmas, sample_dpmpp_2m, sample_euler, sample_heun

Sampler = Callable[..., tuple[Tensor, int]]
STD = 0.5


def gaussian(x: Tensor, sigma: Tensor) -> Tensor:
    """The exact denoiser of N(0, STD^2)."""
    return x * STD**2 / (STD**2 + sigma**2)


def mixture(x: Tensor, sigma: Tensor) -> Tensor:
    """The exact denoiser of two Gaussians of std 0.1 at -1 and 1."""
    variance = 0.1**2 + sigma**2
    share = torch.sigmoid(2 * x / variance)
    return sum(p * (m + 0.1**2 / variance * (x - m)) for p, m in ((share, 1.0), (1 - share, -1.0)))  # type: ignore[return-value]


def exact(x: Tensor, sigma_max: float) -> Tensor:
    """Where the Gaussian's probability-flow ODE ends."""
    return x * STD / math.sqrt(STD**2 + sigma_max**2)


def error(sampler: Sampler, steps: int, sigma_max: float = 5.0) -> float:
    x = torch.linspace(-3, 3, 12, dtype=torch.float64).reshape(1, 1, 3, 4)
    # float64 sigmas, so that the order shows and not rounding
    sigmas = karras_sigmas(steps, sigma_max, sigma_min=1e-3).double()
    return float((sampler(gaussian, x, sigmas)[0] - exact(x, sigma_max)).abs().max())


@pytest.mark.parametrize(
    ("sampler", "factor"), [(sample_euler, 2), (sample_heun, 4), (sample_dpmpp_2m, 4)], ids=["euler", "heun", "2m"]
)
def test_order(sampler: Sampler, factor: int) -> None:
    """Doubling the steps divides the error by 2 (first order) or 4 (second order)."""
    assert error(sampler, 40) / error(sampler, 80) == pytest.approx(factor, rel=0.25)


def test_the_default_is_the_most_accurate_at_equal_calls() -> None:
    for calls in (5, 9, 17):
        ours = error(sample_dpmpp_2m, calls)
        assert ours < error(sample_euler, calls)
        assert ours < error(sample_heun, (calls + 1) // 2)


@pytest.mark.parametrize("sampler", [sample_euler, sample_heun, sample_dpmpp_2m])
def test_finds_both_modes_of_a_mixture(sampler: Sampler) -> None:
    x = 5 * torch.randn(1, 1, 40, 50, generator=torch.Generator().manual_seed(0))
    sample, _ = sampler(mixture, x, karras_sigmas(40, 5.0))
    assert (sample.abs() - 1).abs().max() < 0.5
    assert float((sample > 0).float().mean()) == pytest.approx(0.5, abs=0.05)
    near = sample[sample > 0]
    assert float(near.std()) == pytest.approx(0.1, rel=0.15)


@pytest.mark.parametrize(("sampler", "calls"), [(sample_euler, 7), (sample_heun, 13), (sample_dpmpp_2m, 7)])
def test_counts_its_calls_and_never_asks_at_zero(sampler: Sampler, calls: int) -> None:
    seen: list[float] = []

    def denoise(x: Tensor, sigma: Tensor) -> Tensor:
        seen.append(float(sigma))
        return gaussian(x, sigma)

    _, nfe = sampler(denoise, torch.ones(1, 3, 2, 2), karras_sigmas(7, 2.0))
    assert nfe == len(seen) == calls
    assert min(seen) > 0


@pytest.mark.parametrize("steps", [1, 2, 30])
def test_schedule(steps: int) -> None:
    sigmas = karras_sigmas(steps, 4.0)
    assert len(sigmas) == steps + 1
    assert sigmas[0] == pytest.approx(4.0)
    assert sigmas[-1] == 0
    assert (sigmas[:-1] > sigmas[1:]).all()


@pytest.mark.parametrize(("steps", "sigma"), [(0, 1.0), (3, math.inf), (3, math.nan), (3, 0.0)])
def test_schedule_refuses_nonsense(steps: int, sigma: float) -> None:
    with pytest.raises(UsageError):
        karras_sigmas(steps, sigma)


@pytest.mark.parametrize("sigmas", [[1.0, 2.0, 0.0], [1.0, 0.5], [0.0]])
def test_samplers_refuse_a_bad_schedule(sigmas: list[float]) -> None:
    for sampler in (sample_euler, sample_heun, sample_dpmpp_2m):
        with pytest.raises(UsageError):
            sampler(gaussian, torch.ones(1, 3, 2, 2), torch.tensor(sigmas))
