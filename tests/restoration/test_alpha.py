"""The alpha of enlarged cut-outs is as sharp as the core makes it, and exact where nothing is to be known."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from diffuse_cli.diffusion.inference import Run
from diffuse_cli.diffusion.model import Model
from diffuse_cli.diffusion.settings import Settings
from diffuse_cli.images.picture import ExtraChannels, Picture, Source, to_unit
from diffuse_cli.restoration.alpha import enlarged_alpha
from diffuse_cli.restoration.restore import restore
from diffuse_cli.restoration.samples import Samples
from diffuse_cli.tasks.super_resolve import SuperResolve


def shapes() -> Image.Image:
    drawn = Image.new("L", (512, 384))
    pen = ImageDraw.Draw(drawn)
    pen.ellipse((40, 40, 260, 300), fill=255)
    pen.polygon([(300, 20), (490, 160), (350, 360)], fill=255)
    return drawn.resize((256, 192), Image.Resampling.BOX)


def cut_out(alpha: np.ndarray) -> Picture:
    return Picture(pixels=to_unit(np.full((*alpha.shape, 3), 90, np.uint8), 8), alpha=alpha)


def error(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.square(a.astype(float) - b).mean())


def test_edges_are_nearer_to_the_truth_than_interpolated_ones(model: Model) -> None:
    whole = shapes()
    small = whole.resize((128, 96), Image.Resampling.BICUBIC)
    run = Run(model=model, settings=Settings(steps=1), progress=None)
    found = enlarged_alpha(cut_out(np.asarray(small)), (192, 256), run)
    assert found is not None
    truth, plain = np.asarray(whole), np.asarray(small.resize((256, 192), Image.Resampling.BICUBIC))
    assert error(found, truth) < 0.7 * error(plain, truth)
    assert set(np.unique(found[:4])) == {0}
    assert set(np.unique(found[60:100, 60:100])) == {255}


@pytest.mark.parametrize("depth", [8, 16])
def test_an_even_alpha_stays_even_without_the_network(depth: int, toy: Model) -> None:
    alpha = np.full((20, 30), 77, np.uint8) if depth == 8 else np.full((20, 30), 77, np.uint16)
    before = Picture(pixels=np.zeros((20, 30, 3), np.float32), alpha=alpha, depth=depth)
    after = restore(before, SuperResolve().problem(before), Settings(steps=1), toy)
    assert after.alpha is not None
    assert after.alpha.dtype == alpha.dtype
    assert set(np.unique(after.alpha)) == {77}


def test_samples_have_the_same_alpha(toy: Model) -> None:
    before = cut_out(np.asarray(shapes().resize((64, 48))))
    problem = SuperResolve(scale=1.5).problem(before)
    one = restore(before, problem, Settings(steps=1), toy).alpha
    samples = Samples(before, problem, toy)
    for settings in (Settings(steps=1), Settings(steps=2), Settings(steps=2, sample=1)):
        np.testing.assert_array_equal(samples.restored(settings).alpha, one)


@pytest.mark.parametrize("kind", ["u1", "u2", "f4"])
def test_extra_channels_are_enlarged_with_the_picture(kind: str, toy: Model) -> None:
    full = 1 if kind == "f4" else np.iinfo(kind).max
    steps = np.linspace(0, full, 24)[:, None, None]
    levels = np.broadcast_to(steps, (24, 32, 2)).astype(kind)
    before = Picture(
        pixels=np.zeros((24, 32, 3), np.float32), source=Source(extra=ExtraChannels(levels=levels, kinds=(0, 0)))
    )
    after = restore(before, SuperResolve().problem(before), Settings(steps=1), toy).source.extra
    assert after is not None
    assert (after.levels.shape, after.levels.dtype, after.kinds) == ((48, 64, 2), levels.dtype, (0, 0))
    expected = np.interp((np.arange(48) + 0.5) / 2 - 0.5, np.arange(24), levels[:, 0, 0])
    np.testing.assert_allclose(after.levels[4:-4, 5, 1], expected[4:-4], atol=full * 0.01)
