"""A tiled denoiser is a denoiser: exact where a pixel's reach is short, within 1/255 with the real weights."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from diffuse_cli.degradation.operators import Degradation
from diffuse_cli.diffusion import settings
from diffuse_cli.diffusion.denoiser import Denoiser
from diffuse_cli.diffusion.inference import Run, infer
from diffuse_cli.diffusion.model import Model
from diffuse_cli.diffusion.settings import Settings, tile_side
from diffuse_cli.diffusion.tiling import MARGIN, Window, batched, plan_tiles, tiled
from diffuse_cli.images.image_io import read_picture
from diffuse_cli.images.tensors import to_tensor
from diffuse_cli.restoration.observe import observe
from diffuse_cli.restoration.problem import GuidePicture, NoisyPicture, Problem
from tests.conftest import EXAMPLES

NOISY = Problem(observation=NoisyPicture(noise=0.2))


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
@pytest.mark.parametrize("tile", [64, 100, None])
@pytest.mark.parametrize("batch_pixels", [0, 100_000])
def test_every_pixel_comes_from_its_own_place(size: tuple[int, int], tile: int | None, batch_pixels: int) -> None:
    plane = torch.arange(3.0 * size[0] * size[1]).reshape(1, 3, *size)
    x = torch.rand(1, 3, *size)
    ticks: list[None] = []
    tiles = plan_tiles(size, tile)
    denoise = tiled(Windowed(plane), tiles, batch_pixels=batch_pixels, on_tile=lambda: ticks.append(None))
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


@pytest.mark.parametrize("steps", [1, 3])
def test_only_the_neighbourhood_of_a_hole_is_computed_and_the_rest_is_the_input(toy: Model, steps: int) -> None:
    y = torch.rand(1, 3, 500, 700) * 2 - 1
    hole = np.zeros((500, 700), bool)
    hole[210:230, 300:340] = True
    known = observe(y, Problem(hole=hole), 4, gray=False, sampling=steps > 1)
    everything = replace(known, given=None, needed=None)
    ticks: list[int] = []
    run = Run(model=toy, settings=Settings(steps=steps), progress=lambda done, total: ticks.append(total))
    some = infer(known, run)
    whole = infer(everything, Run(model=toy, settings=Settings(steps=steps, tile="off")))
    assert ticks == [1 if steps == 1 else 4] * len(ticks)
    assert torch.equal(some[..., ~torch.from_numpy(hole)], y[..., ~torch.from_numpy(hole)])
    assert (some - whole).abs().max() < 2 / 255


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
    known = observe(y, task, 4, gray=False, sampling=steps > 1)
    whole = infer(known, Run(model=model, settings=Settings(tile="off", steps=steps)))
    for tile in (64, 112):
        difference = (infer(known, Run(model=model, settings=Settings(tile=tile, steps=steps))) - whole).abs().max()
        assert 0 < difference < 0.1 * 2 / 255


def test_out_of_memory_halves_the_tile_is_told_and_leaves_nothing_of_the_tile_before(
    toy: Model, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The third tile fails in mid-picture; the result is that of small tiles from the beginning."""
    known = observe(torch.rand(1, 3, 200, 300), NOISY, 4, gray=False, sampling=False)
    expected = infer(known, Run(model=toy, settings=Settings(tile=64)))
    real, windows = Denoiser.begin, []

    def greedy(self: Denoiser, x: Tensor, sigma: Tensor) -> Callable[[], Tensor]:
        windows.append(x.shape[-1])
        if len(windows) == 3:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return real(self, x, sigma)

    monkeypatch.setattr(Denoiser, "begin", greedy)
    result = infer(known, Run(model=toy, settings=Settings(tile=128)))
    assert caplog.messages == ["out of memory; begun again with tiles of 64 pixels"]
    assert len(windows) == 3 + len(batched(plan_tiles((200, 300), 64), (200, 300), (64 + 2 * MARGIN) ** 2))
    assert torch.equal(result, expected)


def test_out_of_memory_later_than_the_call_is_noticed_too(toy: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    """A GPU computes what was begun later, so its errors come when the result is waited for."""
    known = observe(torch.rand(1, 3, 200, 300), NOISY, 4, gray=False, sampling=False)
    expected = infer(known, Run(model=toy, settings=Settings(tile=64)))
    real, calls = Denoiser.begin, []

    def lazy(self: Denoiser, x: Tensor, sigma: Tensor) -> Callable[[], Tensor]:
        calls.append(x.shape)
        if len(calls) == 2:

            def fail() -> Tensor:
                raise torch.OutOfMemoryError("CUDA out of memory.")

            return fail
        return real(self, x, sigma)

    monkeypatch.setattr(Denoiser, "begin", lazy)
    assert torch.equal(infer(known, Run(model=toy, settings=Settings(tile=128))), expected)


def test_out_of_memory_for_good_is_its_own_error(toy: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    from diffuse_cli.errors import OutOfMemoryError

    def hungry(*_: object, **__: object) -> object:
        raise MemoryError

    monkeypatch.setattr(Denoiser, "begin", hungry)
    known = observe(torch.rand(1, 3, 64, 64), NOISY, 4, gray=False, sampling=False)
    with pytest.raises(OutOfMemoryError):
        infer(known, Run(model=toy))


def test_settings_refuse_tiles_that_are_all_margin() -> None:
    from diffuse_cli.errors import UsageError

    with pytest.raises(UsageError):
        Settings(tile=8)
    with pytest.raises(UsageError, match="768M"):
        Settings(memory=100 << 20)
    with pytest.raises(UsageError, match="--memory is for --tile auto"):
        Settings(memory=2 << 30, tile=256)


def test_more_memory_means_larger_tiles() -> None:
    sides = [tile_side(Settings(memory=megabytes << 20)) for megabytes in (768, 1024, 2048, 100_000)]
    assert sides == sorted(sides, key=lambda side: side or 0)
    assert sides[0] is not None
    assert 64 <= sides[0] < 512
    assert sides[-1] == settings.MAX_AUTO_TILE
    usual, little = Settings(engine="ncnn"), Settings(engine="ncnn", memory=768 << 20)
    assert settings.MIN_TILE <= (tile_side(little) or 0) < (tile_side(usual) or 0) < settings.AUTO_TILE
