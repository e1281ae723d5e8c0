"""What was filled, as a layer: laid over the picture it gives the result."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from diffuse_cli.diffusion.model import Model
from diffuse_cli.diffusion.settings import Settings
from diffuse_cli.images.image_io import Picture, to_levels, to_unit
from diffuse_cli.images.picture import integers, levels_of
from diffuse_cli.restoration.fill_layer import fill_layer
from diffuse_cli.restoration.problem import Finish, Problem
from diffuse_cli.restoration.restore import restore
from diffuse_cli.tasks.inpaint import Inpaint

Mask = NDArray[np.bool_] | NDArray[np.float32]


def random_picture(depth: int = 8, channels: int = 3, seed: int = 0, white: int = 0) -> Picture:
    rng = np.random.default_rng(seed)
    top = white or 2**depth - 1
    drawn = rng.integers(-top // 2, top + top // 2, (48, 64, channels)).clip(0, top)  # with much black and white
    made = Picture(pixels=to_unit(integers(drawn, depth), depth, top), depth=depth)
    return replace(made, source=replace(made.source, white=white))


def laid_over(layer: Picture, before: Picture) -> NDArray[np.float64]:
    full = 2**layer.depth - 1
    over, beneath = (to_levels(one.pixels, one.depth, one.white).astype(float) for one in (layer, before))
    assert layer.alpha is not None
    share = layer.alpha[..., None] / full
    together = share * over + (1 - share) * beneath
    assert np.array_equal(np.floor(together + 1e-5), np.rint(together))  # whether it is rounded or cut off
    return np.asarray(np.rint(together))


SHARES = np.zeros((48, 64), np.float32)
SHARES[5:25, 8:40] = np.linspace(0.01, 1, 32)
SHARES[30:44, 4:60] = 1


@pytest.mark.parametrize(("depth", "white"), [(8, 0), (16, 0), (16, 4095)])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("mask", [SHARES > 0, SHARES])
def test_over_the_picture_it_is_the_result(toy: Model, depth: int, white: int, channels: int, mask: Mask) -> None:
    before = random_picture(depth, channels, white=white)
    problem = Inpaint(mask=mask).problem(before)
    after = restore(before, problem, Settings(), toy)
    layer = fill_layer(before, problem, after)
    assert layer.pixels.shape == (48, 64, 3)
    expected = to_levels(after.pixels, depth, before.white)
    assert np.array_equal(laid_over(layer, before), np.broadcast_to(expected, (48, 64, 3)))
    assert layer.alpha is not None
    assert not layer.alpha[SHARES == 0].any()
    assert not levels_of(layer)[SHARES == 0].any()
    assert (layer.alpha[SHARES == 1] == 2**depth - 1).all()
    assert (layer.alpha[SHARES > 0] > 0).all()


def test_soft_pixels_are_as_opaque_as_they_count_if_they_can_be() -> None:
    rng = np.random.default_rng(2)
    before = random_picture(seed=3)
    other = random_picture(seed=4)
    share = rng.random((48, 64)).astype(np.float32)
    mixed = before.pixels + share[..., None] * (other.pixels - before.pixels)
    after = replace(before, pixels=to_unit(to_levels(mixed.astype(np.float32), 8), 8))
    problem = Problem(hole=np.ones((48, 64), bool), finish=Finish(cover=share))
    layer = fill_layer(before, problem, after)
    assert layer.alpha is not None
    off = layer.alpha - np.rint(share * 255).clip(1)
    assert (off >= 0).all()
    assert (off <= 6).mean() > 0.85
    beneath, over = (Image.fromarray(levels_of(one)).convert("RGBA") for one in (before, layer))
    composed = np.asarray(Image.alpha_composite(beneath, over))
    assert np.array_equal(composed[..., :3], levels_of(after))


def test_what_becomes_opaque_is_opaque_in_the_layer(toy: Model) -> None:
    alpha = np.full((48, 64), 255, np.uint8)
    alpha[10:20, 10:30], alpha[30:40] = 0, 200
    before = replace(random_picture(), alpha=alpha)
    problem = Inpaint(mask="alpha", feather=3).problem(before)
    after = restore(before, problem, Settings(), toy)
    layer = fill_layer(before, problem, after)
    assert np.array_equal(layer.alpha == 255, alpha < 128)
    assert np.array_equal(laid_over(layer, before)[alpha == 0], to_levels(after.pixels, 8)[alpha == 0])


def test_floats_stay_floats_and_nothing_filled_is_an_empty_layer(toy: Model) -> None:
    before = replace(random_picture(16), floating=True, pixels=random_picture(16).pixels * np.float32(1.7))
    problem = Inpaint(mask=SHARES).problem(before)
    after = restore(before, problem, Settings(), toy)
    layer = fill_layer(before, problem, after)
    assert layer.floating
    assert np.array_equal(layer.pixels[SHARES > 0], after.pixels[SHARES > 0])
    empty = fill_layer(before, Problem(), before)
    assert empty.alpha is not None
    assert not empty.alpha.any()
