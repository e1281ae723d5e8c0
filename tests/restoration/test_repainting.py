"""Repainting, coarse to fine."""

import torch

from diffuse_cli.restoration.problem import Repainting
from diffuse_cli.restoration.repainting import pyramid, repainted


def test_scales_are_painted_coarse_to_fine_each_over_the_one_before() -> None:
    x = torch.rand(1, 3, 130, 140)
    assert [tuple(s.shape[-2:]) for s in pyramid(x, 2)] == [(130, 140), (65, 70), (33, 35)]
    assert len(pyramid(x, 9)) == 3  # what is small is not halved
    seen: list[tuple[int, tuple[int, ...], tuple[int, ...]]] = []

    def draw(start: torch.Tensor, guide: torch.Tensor, halvings: int) -> torch.Tensor:
        seen.append((halvings, tuple(start.shape[-2:]), tuple(guide.shape[-2:])))
        return start + (halvings == 2)

    made = repainted(x, Repainting(sigma=0.4, scale=4, levels=2), draw)
    assert seen == [(2, (33, 35), (8, 9)), (1, (65, 70), (16, 18)), (0, (130, 140), (32, 35))]
    assert torch.allclose(made, x + 1, atol=1e-4)  # what a coarse scale changed is in the fine ones
