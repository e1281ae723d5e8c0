"""Fusion against the textbook formula, and at the ends of the range of sigma."""

import math

import torch
from hypothesis import given
from hypothesis import strategies as st

from diffuse_cli.diffusion.fusion import fuse, remainder

SIGMAS = st.floats(1e-3, 80)


@given(SIGMAS, SIGMAS, st.floats(-1, 1), st.floats(-1, 1))
def test_is_the_inverse_variance_mean(a: float, b: float, x: float, y: float) -> None:
    fused, sigma = fuse(*(torch.full((1, 1, 1, 1), v) for v in (x, a, y, b)))
    tau = a**-2 + b**-2
    assert math.isclose(sigma.item(), tau**-0.5, rel_tol=1e-5)
    assert math.isclose(fused.item(), (x / a**2 + y / b**2) / tau, rel_tol=1e-4, abs_tol=1e-5)


def test_ends_of_the_range() -> None:
    inf = math.inf
    sigma_t = torch.tensor([inf, inf, 0.5, 0.5, 0.0, 0.0, inf]).reshape(1, 1, 1, 7)
    sigma_y = torch.tensor([inf, 0.2, inf, 0.0, 0.3, 0.0, 0.0]).reshape(1, 1, 1, 7)
    x_t = torch.tensor([math.nan, math.nan, 0.1, math.nan, 0.2, 0.3, math.nan]).reshape(1, 1, 1, 7)
    y = torch.tensor([math.nan, 0.7, math.nan, 0.9, math.nan, 0.4, 1 / 3]).reshape(1, 1, 1, 7)
    x, sigma = fuse(x_t, sigma_t, y, sigma_y)
    assert sigma.flatten().tolist()[0] == inf
    torch.testing.assert_close(sigma.flatten()[1:], torch.tensor([0.2, 0.5, 0.0, 0.0, 0.0, 0.0]), rtol=0, atol=0)
    expected = torch.tensor([0.7, 0.1, 0.9, 0.2, 0.4, 1 / 3])
    assert torch.equal(x.flatten()[1:], expected)


def test_what_is_left_for_the_observation() -> None:
    sigma = torch.rand(1, 1, 9, 9) * 0.8
    sigma[0, 0, 0, 0], sigma[0, 0, 1, 1] = 0, 0.8
    x = torch.randn(1, 3, 9, 9)
    fused, std = fuse(x, torch.full((1, 1, 1, 1), 0.8), x, remainder(sigma, 0.8))
    torch.testing.assert_close(std, sigma, atol=1e-6, rtol=1e-5)
    assert torch.equal(fused, x)
