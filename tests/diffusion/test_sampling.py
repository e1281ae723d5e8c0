"""Solvers against closed forms: a Gaussian prior and a mixture of two."""

import math
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor

from diffuse_cli.degradation.noise_field import noise_field
from diffuse_cli.diffusion.denoiser import Denoiser, nothing_known, sigma_start
from diffuse_cli.diffusion.model import Model
from diffuse_cli.diffusion.sampling import karras_sigmas, sample_dpmpp_2m, sample_euler, sample_heun
from diffuse_cli.errors import UsageError
from tests.conftest import SHARED, needs_shared

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


@pytest.mark.slow
@needs_shared
@pytest.mark.parametrize("case", ["varying", "inpaint", "guided"])
def test_the_default_is_the_nearest_to_the_converged_solution_on_the_golden_cases(model: Model, case: str) -> None:
    golden = load_file(SHARED / "reference" / "golden.safetensors")
    seen = nothing_known(1, model.network.config, torch.device("cpu"))
    if case == "varying":
        seen = replace(seen, y=golden["varying.y"], sigma_y=golden["varying.sigma_y"])
    elif case == "inpaint":
        parts = {name: golden[f"inpaint.{name}"] for name in ("mu", "sigma_p", "y", "sigma_y")}
        seen = replace(seen, **parts)  # type: ignore[arg-type]
    else:
        sigma_p = golden["guided.sigma_p"].reshape(1, 1, 1, 1)
        seen = replace(
            seen,
            mu=golden["guided.mu"],
            sigma_p=sigma_p,
            cond=F.pad(golden["guided.cond"], (0, model.network.config.described - 4)),
        )
    posterior, start = Denoiser(model.network, seen), sigma_start(seen)
    mean = posterior(torch.zeros(1, 3, 64, 80), torch.tensor(math.inf))
    x = mean + start * torch.from_numpy(noise_field((64, 80), seed=0))[None]
    converged = sample_dpmpp_2m(posterior, x, karras_sigmas(24, start))[0]

    def distance(sampler: Sampler, steps: int) -> float:
        sample, nfe = sampler(posterior, x, karras_sigmas(steps, start))
        assert nfe == 9
        return float((sample - converged).pow(2).mean().sqrt())

    ours = distance(sample_dpmpp_2m, 9)
    assert 2 * ours < distance(sample_euler, 9)
    assert 2 * ours < distance(sample_heun, 5)


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
