"""Patches that are found."""

import torch

from diffuse_cli.restoration.wide_holes.patch_grid import near_missing, patch_grid, whole_patches
from diffuse_cli.restoration.wide_holes.patch_search import anywhere, best_matches, uniform

from .conftest import holed


def test_the_best_match_is_found() -> None:
    """Among a thousand patches of noise each has one twin, and nothing is known of where."""
    torch.manual_seed(0)
    x = torch.randn(40, 80, 3)
    x[:, 40:] = x[:, :40]
    known = holed((40, 80), slice(12, 28), slice(52, 68))
    near, draw = near_missing(known), uniform(0, 0, 0)
    grid, whole = patch_grid(near, 1), whole_patches(near)
    found = best_matches(x, known, 1.0, whole, grid, anywhere(len(grid.rows), whole, draw), 12, 80, draw)
    assert float((found.cost == 0).float().mean()) > 0.95
    twins = found.cost == 0
    assert torch.equal(found.rows[twins], grid.rows[twins])
    assert torch.equal(found.columns[twins], grid.columns[twins] - 40)
    assert bool(whole[found.rows, found.columns].all())
