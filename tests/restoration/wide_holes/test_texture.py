"""Texture of wide holes: patterns go on, and what cannot be searched is given up."""

import numpy as np
import pytest
import torch
from torch import Tensor

from diffuse_cli.diffusion.model import Model
from diffuse_cli.diffusion.settings import Settings
from diffuse_cli.images.image_io import Picture
from diffuse_cli.restoration.restore import restore
from diffuse_cli.restoration.wide_holes import texture
from diffuse_cli.restoration.wide_holes.patch_search import uniform
from diffuse_cli.restoration.wide_holes.texture import textured
from diffuse_cli.tasks.extend import Extend
from diffuse_cli.tasks.inpaint import Inpaint

from .conftest import holed


def checks(size: tuple[int, int], period: int) -> Tensor:
    """(H, W, 3), a pattern that repeats."""
    tile = torch.from_numpy(np.random.default_rng(3).normal(0, 0.4, (period, period, 3)).astype(np.float32))
    return tile.repeat(-(-size[0] // period), -(-size[1] // period), 1)[: size[0], : size[1]].contiguous()


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


def test_many_pixels_get_texture_from_a_wider_grid(toy: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    """As detailed as that of a fine grid, at a bounded number of patches."""
    x, known = checks((150, 150), 10), holed((150, 150), slice(30, 120), slice(30, 120))
    small = x.permute(2, 0, 1)[None]
    half, known_half = checks((75, 75), 5), holed((75, 75), slice(15, 60), slice(15, 60))
    start = torch.where(known_half, half.permute(2, 0, 1)[None], 0.0)
    _, before = textured(start, known_half, None, uniform(0, 0, 1))
    fog = torch.where(known, small, 0.2 * small)
    found = {}
    for most in (1 << 20, 500):
        monkeypatch.setattr(texture, "_MOST_PATCHES", most)
        made, matches = textured(fog.clone(), known, before, uniform(0, 0, 0))
        assert matches is not None
        assert torch.equal(made[..., known], small[..., known])
        found[most] = len(matches.rows), float(made[..., ~known].std())
    assert found[500][0] < found[1 << 20][0] / 3
    assert found[500][1] > 0.9 * found[1 << 20][1]
    assert found[500][1] > 0.8 * float(small.std())
