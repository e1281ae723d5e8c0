"""What patches make of a pixel."""

import torch

from diffuse_cli.degradation.mask_shapes import steps_inside
from diffuse_cli.restoration.wide_holes.patch_grid import near_missing, patch_grid
from diffuse_cli.restoration.wide_holes.patch_vote import depths

from .conftest import holed


def test_depths_in_blocks_of_rows_are_those_of_the_whole() -> None:
    known = holed((600, 90), slice(40, 560), slice(20, 70))
    known[300:302] = True
    grid = patch_grid(near_missing(known), 2)
    whole = steps_inside(~known[None, None], 24)[0, 0]
    assert torch.equal(depths(grid, known), whole[grid.rows, grid.columns])
