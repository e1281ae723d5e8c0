"""Texture of wide holes: patches that are found, what they make of a pixel, and that no seam is left."""

import numpy as np
import pytest
import torch
from torch import Tensor

from diffuse_cli.degradation.mask_shapes import steps_inside
from diffuse_cli.diffusion.model import Model
from diffuse_cli.diffusion.settings import Settings
from diffuse_cli.images.image_io import Picture
from diffuse_cli.restoration.restore import restore
from diffuse_cli.restoration.wide_holes import texture
from diffuse_cli.restoration.wide_holes.patch_grid import RADIUS, near_missing, patch_grid, whole_patches
from diffuse_cli.restoration.wide_holes.patch_search import anywhere, best_matches, uniform
from diffuse_cli.restoration.wide_holes.patch_vote import depths
from diffuse_cli.restoration.wide_holes.seams import without_seams
from diffuse_cli.restoration.wide_holes.texture import textured
from diffuse_cli.tasks.extend import Extend
from diffuse_cli.tasks.inpaint import Inpaint


def holed(size: tuple[int, int], rows: slice, columns: slice) -> Tensor:
    known = torch.ones(size, dtype=torch.bool)
    known[rows, columns] = False
    return known


def checks(size: tuple[int, int], period: int) -> Tensor:
    """(H, W, 3), a pattern that repeats."""
    tile = torch.from_numpy(np.random.default_rng(3).normal(0, 0.4, (period, period, 3)).astype(np.float32))
    return tile.repeat(-(-size[0] // period), -(-size[1] // period), 1)[: size[0], : size[1]].contiguous()


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


def test_depths_in_blocks_of_rows_are_those_of_the_whole() -> None:
    known = holed((600, 90), slice(40, 560), slice(20, 70))
    known[300:302] = True
    grid = patch_grid(near_missing(known), 2)
    whole = steps_inside(~known[None, None], 24)[0, 0]
    assert torch.equal(depths(grid, known), whole[grid.rows, grid.columns])


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


def test_a_pattern_is_continued() -> None:
    """Over a hole four periods wide, from an estimate that says nothing; known pixels stay."""
    x, known = checks((96, 96), 10), holed((96, 96), slice(28, 68), slice(28, 68))
    small = x.permute(2, 0, 1)[None]
    start = torch.where(known, small, 0.0)
    made, found = textured(start.clone(), known, None, uniform(0, 0, 0))
    assert found is not None
    assert torch.equal(made[..., known], small[..., known])
    error = (made - small)[..., ~known].abs()
    assert float((error < 0.02).float().mean()) > 0.9


def test_pixels_of_one_place_lie_without_seams_at_another_brightness() -> None:
    """What is shown by a darker copy of itself takes the brightness of its surroundings, whatever its own."""
    ramp = torch.linspace(-0.5, 0.5, 120)[None, :, None].expand(60, 120, 3).clone()
    bumps = 0.1 * torch.sin(torch.arange(60.0))[:, None, None]
    x = ramp + bumps
    known = holed((60, 120), slice(20, 40), slice(80, 100))
    rows, columns = torch.nonzero(~known, as_tuple=True)
    made = without_seams(x, known, (rows, columns), (rows, columns - 60))
    assert float((made - x[rows, columns]).abs().max()) < 0.02


def test_beyond_the_picture_nothing_pulls() -> None:
    """At the frame a hole has no neighbour, and keeps its differences to its very end."""
    x = torch.linspace(-0.5, 0.5, 90)[None, :, None].expand(40, 90, 3).clone()
    known = holed((40, 90), slice(0, 40), slice(70, 90))
    rows, columns = torch.nonzero(~known, as_tuple=True)
    made = without_seams(x, known, (rows, columns), (rows, columns - 40))
    assert (
        float((made - x[rows, columns]).abs().max()) < 0.1
    )  # the copy is half a range darker, and weakly holds to that


@pytest.mark.parametrize(
    "known", [torch.zeros(30, 30, dtype=torch.bool), torch.ones(30, 30, dtype=torch.bool), torch.eye(30) > 0]
)
def test_without_known_patches_nothing_is_done(known: Tensor) -> None:
    x = torch.randn(1, 3, 30, 30)
    made, found = textured(x.clone(), known, None, uniform(0, 0, 0))
    assert torch.equal(made, x)
    assert found is None


def test_a_small_island_in_a_large_hole_is_soon_given_up(toy: Model) -> None:
    """Whose patches are whole at the finest scale alone, where searching from nothing would take minutes."""
    picture = Picture(pixels=np.random.default_rng(0).normal(0, 0.3, (300, 300, 3)).astype(np.float32), depth=16)
    task = Inpaint(boxes=[(100, 100, 10, 10)], invert_mask=True).problem(picture)
    textured = restore(picture, task, Settings(textured=True), toy).pixels
    assert np.isfinite(textured).all()


def test_too_much_is_left_to_the_scales_before(toy: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    picture = Picture(pixels=np.random.default_rng(0).normal(0, 0.3, (90, 90, 3)).astype(np.float32), depth=16)
    task = Inpaint(boxes=[(20, 20, 50, 50)]).problem(picture)
    whole = restore(picture, task, Settings(textured=True), toy).pixels
    monkeypatch.setattr(texture, "MOST_PIXELS", 2000)
    halved = restore(picture, task, Settings(textured=True), toy).pixels
    assert np.isfinite(halved).all()
    assert (halved != whole).any()


def test_a_frame_is_not_to_be_seen(model: Model) -> None:
    """With the real weights: of a picture's own stripes, cut off and painted again, hardly anything is lost."""
    rows, columns = np.mgrid[0:120, 0:160]
    wave = 0.4 * np.sin(columns / 3.0) + 0.2 * np.sin(rows / 2.0)
    pixels = np.repeat(wave[..., None], 3, 2).astype(np.float32)
    picture = Picture(pixels=pixels[16:-16, 20:-20].copy(), depth=16)
    made = restore(picture, Extend(pad=(20, 16, 20, 16)).problem(picture), Settings(textured=True), model).pixels
    assert np.array_equal(made[16:-16, 20:-20], picture.pixels)
    outside = np.ones((120, 160), bool)
    outside[16:-16, 20:-20] = False
    mean = restore(picture, Extend(pad=(20, 16, 20, 16)).problem(picture), Settings(), model).pixels
    error, blurred = (np.sqrt(((x - pixels)[outside] ** 2).mean()) for x in (made, mean))
    assert error < 0.5 * blurred
