"""A tiled denoiser is a denoiser: exact where a pixel's reach is short, within 1/255 with the real weights."""

import numpy as np
import pytest
import torch
from torch import Tensor

from diffuse_cli.degradation import Description
from diffuse_cli.device import Model
from diffuse_cli.image_file.image_io import read_picture
from diffuse_cli.restoration import estimate, observe, to_tensor
from diffuse_cli.settings import Settings
from diffuse_cli.task import Task
from diffuse_cli.tiling import MARGIN, count_tiles, tiled

from .conftest import EXAMPLES


class Windowed:
    """A stand-in for a posterior whose result says which pixel of the picture it is."""

    def __init__(self, plane: Tensor) -> None:
        self.plane = plane

    def crop(self, rows: slice, columns: slice) -> "Windowed":
        assert rows.start % 16 == 0
        assert columns.start % 16 == 0
        return Windowed(self.plane[..., rows, columns])

    def __call__(self, x: Tensor, sigma: Tensor) -> Tensor:
        assert x.shape == self.plane.shape
        return self.plane + x * sigma


@pytest.mark.parametrize("size", [(1, 1), (3, 500), (130, 257), (96, 96)])
@pytest.mark.parametrize("tile", [64, 100, None])
def test_every_pixel_comes_from_its_own_place(size: tuple[int, int], tile: int | None) -> None:
    plane = torch.arange(3.0 * size[0] * size[1]).reshape(1, 3, *size)
    x = torch.rand(1, 3, *size)
    ticks: list[None] = []
    denoise = tiled(Windowed(plane), tile, on_tile=lambda: ticks.append(None))
    assert torch.equal(denoise(x, torch.tensor(0.5)), plane + x * 0.5)
    assert len(ticks) == count_tiles(size, tile)


def test_the_margin_keeps_the_grid() -> None:
    assert MARGIN % 16 == 0


@pytest.mark.parametrize("what", ["noise", "strokes", "x4", "sample"])
def test_tiled_and_whole_agree_within_one_level(model: Model, what: str) -> None:
    """On a photograph of a smooth sky and fine texture; rounding aside, far less than 1/255."""
    y = to_tensor(read_picture(EXAMPLES / "rocket_noisy.jpg").pixels)[..., 150:400, 200:420].contiguous()
    hole = np.zeros(y.shape[-2:], bool)
    hole[60:72, 20:200] = hole[90:130, 90:120] = True
    task = {
        "noise": Task(noise=15 / 127.5),
        "sample": Task(noise=15 / 127.5),
        "strokes": Task(hole=hole),
        "x4": Task(guide=Description(scale=4), size=(248, 220)),
    }[what]
    if what == "x4":
        y = y[..., ::4, ::4][..., :62, :55]
    steps = 3 if what == "sample" else 1
    known = observe(y, task, 4, gray=False, sampling=steps > 1)
    whole = estimate(known, Settings(tile="off", steps=steps), model)
    for tile in (64, 112):
        difference = (estimate(known, Settings(tile=tile, steps=steps), model) - whole).abs().max()
        assert 0 < difference < 0.1 * 2 / 255


def test_out_of_memory_halves_the_tile_and_starts_afresh(toy: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    from diffuse_cli import restoration

    known = observe(torch.rand(1, 3, 200, 300), Task(noise=0.2), 4, gray=False, sampling=False)
    expected = estimate(known, Settings(tile=128), toy)
    sides: list[int | None] = []
    real = tiled

    def greedy(denoise: object, side: int | None, **options: object) -> object:
        sides.append(side)
        wrapped = real(denoise, side, **options)  # type: ignore[arg-type]

        def run(x: Tensor, sigma: Tensor) -> Tensor:
            out = wrapped(x, sigma)
            if side is None or side > 128:
                raise torch.OutOfMemoryError("CUDA out of memory.")
            return out

        return run

    monkeypatch.setattr(restoration, "tiled", greedy)
    assert torch.equal(estimate(known, Settings(tile=256), toy), expected)
    assert sides == [256, 128]


def test_out_of_memory_for_good_is_its_own_error(toy: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    from diffuse_cli import restoration
    from diffuse_cli.errors import OutOfMemoryError

    def hungry(*_: object, **__: object) -> object:
        raise MemoryError

    monkeypatch.setattr(restoration, "tiled", hungry)
    known = observe(torch.rand(1, 3, 64, 64), Task(noise=0.2), 4, gray=False, sampling=False)
    with pytest.raises(OutOfMemoryError):
        estimate(known, Settings(), toy)


def test_settings_refuse_tiles_that_are_all_margin() -> None:
    from diffuse_cli.errors import UsageError

    with pytest.raises(UsageError):
        Settings(tile=8)
