"""Holes wider than the network's reach: what is known stays, and no seam and no gray is left."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from diffuse_cli.diffusion.model import Model
from diffuse_cli.diffusion.settings import Settings
from diffuse_cli.images.image_io import Picture, to_unit
from diffuse_cli.images.picture import integers
from diffuse_cli.restoration.restore import restore
from diffuse_cli.restoration.wide_holes.widths import eroded
from diffuse_cli.tasks.inpaint import Inpaint
from diffuse_cli.tasks.restore import Restore
from tests.conftest import EXAMPLES

from .conftest import Mask, box


@pytest.mark.parametrize("how", [Settings(textured=True), Settings(), Settings(steps=3)])
@pytest.mark.parametrize("depth", [8, 16])
def test_known_pixels_stay_bit_for_bit(toy: Model, how: Settings, depth: int) -> None:
    rng = np.random.default_rng(0)
    levels = integers(rng.integers(0, 2**depth, (150, 170, 3)), depth)
    picture = Picture(pixels=to_unit(levels, depth), depth=depth)
    hole = box((150, 170), slice(30, 130), slice(25, 120)) | box((150, 170), slice(5, 9), slice(0, 170))
    made = restore(picture, Inpaint(mask=hole).problem(picture), how, toy).pixels
    assert np.array_equal(made[~hole], picture.pixels[~hole])
    assert np.isfinite(made).all()
    assert (made[hole] != picture.pixels[hole]).any(1).all()


@pytest.mark.slow
def test_seeds_differ_and_the_mean_does_not(toy: Model) -> None:
    picture = Picture(pixels=np.random.default_rng(0).normal(0, 0.3, (140, 140, 3)).astype(np.float32), depth=16)
    task = Inpaint(boxes=[(20, 20, 100, 100)]).problem(picture)
    assert "100 pixels wide" in task.findings.notes[0]

    def made(seed: int, *, textured: bool) -> NDArray[np.float32]:
        return restore(picture, task, Settings(seed=seed, textured=textured), toy).pixels

    assert np.array_equal(made(1, textured=True), made(1, textured=True))
    assert not np.array_equal(made(1, textured=True), made(2, textured=True))
    assert np.array_equal(made(1, textured=False), made(2, textured=False))


def test_narrow_holes_are_as_ever(toy: Model) -> None:
    picture = Picture(pixels=np.random.default_rng(0).normal(0, 0.3, (90, 90, 3)).astype(np.float32), depth=16)
    task = Inpaint(boxes=[(20, 20, 8, 40)], smooth_fill=True).problem(picture)
    assert task.findings.notes == ()
    one, other = (restore(picture, task, Settings(textured=k), toy).pixels for k in (False, True))
    assert np.array_equal(one, other)


def test_gray_stays_gray(toy: Model) -> None:
    plane = np.random.default_rng(0).normal(0, 0.3, (120, 130, 1)).astype(np.float32)
    picture = Picture(pixels=np.repeat(plane, 3, 2), depth=16)
    made = restore(picture, Inpaint(boxes=[(20, 20, 80, 90)]).problem(picture), Settings(textured=True), toy).pixels
    np.testing.assert_allclose(made, made[..., :1].repeat(3, 2), atol=1e-6)


@pytest.mark.parametrize(("textured", "most", "at_rim"), [(True, 16, 3.5), (False, 30, 6)])
def test_no_gray_and_no_seam_with_the_real_weights(model: Model, textured: bool, most: float, at_rim: float) -> None:
    """In a smooth gradient a hole of 96 pixels comes back as the gradient, nearly, at its rim above all."""
    v, u = np.mgrid[-0.6:0.6:160j, -0.4:0.4:160j]
    pixels = np.stack([v, u, 0.3 * v + u], 2).astype(np.float32)
    picture = Picture(pixels=pixels, depth=16)
    task = Inpaint(boxes=[(32, 32, 96, 96)]).problem(picture)
    error = np.abs(restore(picture, task, Settings(textured=textured), model).pixels - pixels) * 127.5
    assert error.max() < most
    assert error[32:36, 40:120].max() < at_rim


def steepness(pixels: NDArray[np.float32], inside: Mask) -> float:
    """Mean absolute difference of neighbours in a region, away from its rim."""
    region = eroded(inside, 6)
    return float(np.mean([np.abs(np.diff(pixels, axis=axis, append=0))[region].mean() for axis in (0, 1)]))


@pytest.mark.slow
@pytest.mark.parametrize("scale", [1, 2])
def test_beside_noise_a_wide_hole_has_texture_too(model: Model, scale: int) -> None:
    """What is around it is restored as ever, and it is not the blur that it would be if it were filled at once."""
    with Image.open(EXAMPLES / "cat_noisy.png") as image:
        given = np.asarray(image.crop((40, 120, 200, 280)))
    holes = Inpaint(boxes=[(30, 40, 80, 80)])
    task = Restore(noise=25, jpeg=100, blur=0, scale=scale, holes=holes).problem(Picture(pixels=to_unit(given, 8)))
    picture, how = Picture(pixels=to_unit(given, 8)), Settings(textured=True)
    made = restore(picture, task, how, model).pixels
    at_once = restore(picture, replace(task, at_once=None), how, model).pixels
    hole = box(made.shape[:2], slice(40 * scale, 120 * scale), slice(30 * scale, 110 * scale))
    assert np.array_equal(made[~hole], at_once[~hole])
    around = steepness(made, ~hole)
    assert steepness(made, hole) > 0.6 * around
    assert steepness(at_once, hole) < 0.4 * around
    assert any("80 pixels wide" in note for note in task.findings.notes)
