"""What is halved, and what each scale is given."""

import torch

from diffuse_cli.diffusion.denoiser import Observation, nothing_known
from diffuse_cli.diffusion.network import NetworkConfig
from diffuse_cli.restoration.wide_holes.scales import coarse_to_fine, halved, pyramid

from .conftest import box


def test_halving_averages_what_is_known() -> None:
    y = torch.arange(12.0).reshape(1, 1, 3, 4).repeat(1, 3, 1, 1)
    known = torch.tensor([[1, 1, 0, 0], [1, 0, 1, 0], [1, 1, 0, 0]]).bool()[None, None]
    small, which = halved(torch.where(known, y, torch.nan), known)
    assert which[0, 0].tolist() == [[True, False], [True, False]]
    torch.testing.assert_close(small[0, 0, :, 0], torch.tensor([(0 + 1 + 4) / 3, (8 + 9) / 2]))
    assert len(pyramid(y, known, 9)) <= 4


def test_every_scale_is_given_what_is_known_exactly() -> None:
    """And the enlarged result of the one before as its guide; the answer is the finest."""
    torch.manual_seed(0)
    y = torch.randn(1, 3, 90, 131)
    hole = torch.from_numpy(box((90, 131), slice(10, 70), slice(20, 101)))
    seen: list[tuple[int, Observation]] = []

    def solve(observation: Observation, halvings: int) -> torch.Tensor:
        seen.append((halvings, observation))
        assert observation.y is not None
        assert observation.sigma_y is not None
        return torch.where(observation.sigma_y == 0, observation.y, 0.1 * halvings)

    filled = coarse_to_fine(nothing_known(1, NetworkConfig(), y.device), y, hole, 2, solve)
    assert [k for k, _ in seen] == [2, 1, 0]
    torch.testing.assert_close(filled, torch.where(hole, 0.0, y))
    middle = seen[1][1]
    assert middle.mu.shape == (1, 3, 45, 66)
    torch.testing.assert_close(middle.mu[0, :, 20, 30], torch.full((3,), 0.2))
    assert middle.cond[0, 0] == 1  # one octave, as of any picture enlarged twice
    assert float(seen[0][1].cond.abs().max()) == 0
