"""A tiled denoiser is a denoiser: every pixel comes from its own place, within 1/255 with the real weights."""

from collections.abc import Callable, Sequence
from functools import partial
from itertools import product

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from diffuse_cli.degradation.operators import Degradation
from diffuse_cli.diffusion import settings
from diffuse_cli.diffusion.inference import Run, infer
from diffuse_cli.diffusion.model import Model
from diffuse_cli.diffusion.settings import Settings
from diffuse_cli.diffusion.tiling import MARGIN, Window, batched, plan_tiles, tiled
from diffuse_cli.images.image_io import read_picture
from diffuse_cli.images.tensors import to_tensor
from diffuse_cli.restoration.observe import observe
from diffuse_cli.restoration.problem import GuidePicture, NoisyPicture, Problem
from tests.conftest import EXAMPLES


class Windowed:
    """A stand-in for a posterior whose result says which pixel of the picture it is."""

    def __init__(self, plane: Tensor) -> None:
        self.plane = plane

    def windows(self, windows: Sequence[Window]) -> "Windowed":
        assert all(span.start % 16 == 0 for window in windows for span in window)
        return Windowed(torch.cat([self.plane[..., rows, columns] for rows, columns in windows]))

    def begin(self, x: Tensor, sigma: Tensor) -> Callable[[], Tensor]:
        assert x.shape == self.plane.shape
        return lambda: self.plane + x * sigma


@pytest.mark.parametrize("size", [(1, 1), (3, 500), (130, 257), (96, 96)])
def test_every_pixel_comes_from_its_own_place(size: tuple[int, int]) -> None:
    plane = torch.arange(3.0 * size[0] * size[1]).reshape(1, 3, *size)
    x = torch.rand(1, 3, *size)
    for tile, batch_pixels in product((64, 100, None), (0, 100_000)):
        ticks: list[None] = []
        tiles = plan_tiles(size, tile)
        denoise = tiled(Windowed(plane), tiles, batch_pixels=batch_pixels, on_tile=partial(ticks.append, None))
        assert torch.equal(denoise(x, torch.tensor(0.5)), plane + x * 0.5)
        assert len(ticks) == len(tiles)


def test_the_margin_keeps_the_grid() -> None:
    assert MARGIN % 16 == 0
    assert 2 * MARGIN == settings._MARGINS


def test_tiles_are_of_about_equal_size_and_never_longer_than_asked_for() -> None:
    sides = {t.rows.stop - t.rows.start for t in plan_tiles((1040, 1040), 1024)}
    assert max(sides) - min(sides) <= 16
    assert max(t.columns.stop - t.columns.start for t in plan_tiles((700, 3001), 500)) <= 512


HOLES: dict[str, Callable[[NDArray[np.bool_]], None]] = {
    "a box": lambda hole: hole.__setitem__((slice(300, 420), slice(500, 700)), True),
    "two corners": lambda hole: hole.__setitem__(([0, -1], [0, -1]), True),
    "dust": lambda hole: hole.__setitem__(np.random.default_rng(0).random(hole.shape) < 0.001, True),
    "all": lambda hole: hole.fill(True),
    "nothing": lambda hole: None,
}


@pytest.mark.parametrize("kind", HOLES)
def test_tiles_hold_all_that_is_needed_once_and_little_else(kind: str) -> None:
    hole = np.zeros((1100, 1300), bool)
    HOLES[kind](hole)
    times = np.zeros(hole.shape, int)
    work = 0
    for tile in plan_tiles((1100, 1300), 512, hole):
        times[tile.rows, tile.columns] += 1
        assert tile.rows.start % 16 == tile.columns.start % 16 == 0
        rows, columns = tile.window((1100, 1300))
        work += (rows.stop - rows.start) * (columns.stop - columns.start)
    assert times.max(initial=0) <= 1
    assert (times[hole] == 1).all()
    whole = sum(
        (r.stop - r.start) * (c.stop - c.start)
        for r, c in (t.window((1100, 1300)) for t in plan_tiles((1100, 1300), 512))
    )
    most = {"a box": 0.08, "two corners": 0.02, "nothing": 0.0}.get(kind, 1.0)
    assert work <= most * whole


def test_batches_hold_windows_of_one_size_and_no_more_pixels_than_they_may() -> None:
    size, most = (1100, 1300), 100_000
    hole = np.zeros(size, bool)
    HOLES["dust"](hole)
    tiles = plan_tiles(size, 512, hole)
    batches = batched(tiles, size, most)
    assert sorted(map(id, tiles)) == sorted(id(tile) for batch in batches for tile in batch)
    assert any(len(batch) > 1 for batch in batched(plan_tiles(size, 64), size, most))
    for batch in batches:
        windows = [tile.window(size) for tile in batch]
        assert len({(rows.stop - rows.start, columns.stop - columns.start) for rows, columns in windows}) == 1
        rows, columns = windows[0]
        assert len(batch) == 1 or len(batch) * (rows.stop - rows.start) * (columns.stop - columns.start) <= most


@pytest.mark.slow
@pytest.mark.parametrize("what", ["noise", "strokes", "x4", "sample"])
def test_tiled_and_whole_agree_within_one_level(model: Model, what: str) -> None:
    """On a photograph of a smooth sky and fine texture; rounding aside, far less than 1/255."""
    y = to_tensor(read_picture(EXAMPLES / "rocket_noisy.jpg").pixels)[..., 150:400, 200:420].contiguous()
    hole = np.zeros(y.shape[-2:], bool)
    hole[60:72, 20:200] = hole[90:130, 90:120] = True
    task = {
        "noise": Problem(observation=NoisyPicture(noise=15 / 127.5)),
        "sample": Problem(observation=NoisyPicture(noise=15 / 127.5)),
        "strokes": Problem(hole=hole),
        "x4": Problem(observation=GuidePicture(degradation=Degradation(scale=4), size=(248, 220))),
    }[what]
    if what == "x4":
        y = y[..., ::4, ::4][..., :62, :55]
    steps = 3 if what == "sample" else 1
    known = observe(y, task, model.nothing_known(1, y.device), gray=False, sampling=steps > 1)
    whole = infer(known, Run(model=model, settings=Settings(tile="off", steps=steps)))
    for tile in (64, 112):
        difference = (infer(known, Run(model=model, settings=Settings(tile=tile, steps=steps))) - whole).abs().max()
        assert 0 < difference < 0.1 * 2 / 255
