"""Evidence that is made window by window is the whole picture's."""

import math

import pytest
import torch

from diffuse_cli.degradation.operators import Degradation
from diffuse_cli.diffusion import fill as fill_module
from diffuse_cli.diffusion.conditioning import guided
from diffuse_cli.diffusion.denoiser import Observation, nothing_known
from diffuse_cli.diffusion.fill import fill_guide, pull_push
from diffuse_cli.diffusion.network import NetworkConfig
from diffuse_cli.diffusion.windowed_observation import filled


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fill_module, "_BLOCK_PIXELS", 2000)


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
