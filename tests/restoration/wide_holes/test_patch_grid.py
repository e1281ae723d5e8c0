"""Patches on a grid."""

import pytest
import torch

from diffuse_cli.restoration.wide_holes.patch_grid import RADIUS, near_missing, patch_grid, whole_patches

from .conftest import holed


@pytest.mark.parametrize("step", [1, 2, 5])
def test_every_missing_pixel_is_covered_by_known_numbers_of_patches(step: int) -> None:
    """Counted by hand; to the picture's very corners, which are missing here."""
    known = holed((40, 53), slice(0, 21), slice(30, 53))
    grid = patch_grid(near_missing(known), step)
    rows, columns = torch.nonzero(~known, as_tuple=True)
    count = torch.zeros(len(rows), dtype=torch.long)
    for which, down, across in grid.covering(rows, columns):
        there = which[which >= 0].long()
        assert torch.equal(grid.rows[there] + down[which >= 0], rows[which >= 0])
        assert torch.equal(grid.columns[there] + across[which >= 0], columns[which >= 0])
        assert int(max(down[which >= 0].abs().max(), across[which >= 0].abs().max())) <= RADIUS
        count += which >= 0
    apart = (rows[:, None] - grid.rows).abs().maximum((columns[:, None] - grid.columns).abs())
    assert torch.equal(count, (apart <= RADIUS).sum(1))
    assert int(count.min()) >= 1


def test_patches_are_whole_and_known() -> None:
    known = holed((30, 40), slice(10, 20), slice(10, 20))
    whole = whole_patches(near_missing(known))
    for row, column in ((3, 3), (26, 36), (6, 15), (15, 6), (23, 15)):
        assert whole[row, column]
    for row, column in ((2, 3), (3, 37), (7, 15), (22, 15), (15, 15)):
        assert not whole[row, column]
