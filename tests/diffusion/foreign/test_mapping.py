from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from diffuse_cli import Denoise, Inpaint, Restore, SuperResolve, restore
from diffuse_cli.degradation.operators import resize
from diffuse_cli.diffusion.foreign.mapping import Call, enlarged, filled, mapped
from diffuse_cli.diffusion.foreign.model import WHOLE_MEMORY, ForeignModel
from diffuse_cli.diffusion.settings import Settings
from diffuse_cli.errors import PictureError, UsageError
from diffuse_cli.images.image_io import Picture
from diffuse_cli.images.tensors import to_tensor
from tests.helpers.foreign import denoiser, enlarger, filler, imported, of_quality

pytest.importorskip("spandrel")


def photo(*size: int) -> torch.Tensor:
    torch.manual_seed(1)
    return torch.rand(1, 3, *size) * 1.6 - 0.8


def picture(*size: int) -> Picture:
    return Picture(pixels=photo(*size)[0].permute(1, 2, 0).numpy())


def test_tiles_make_what_the_whole_makes(tmp_path: Path) -> None:
    model, y = imported(enlarger(), tmp_path), photo(150, 133)
    whole, tiled = (mapped(model, y, Call(settings=Settings(tile=tile))) for tile in ("off", 64))
    assert whole.shape == (1, 3, 300, 266)
    assert float((whole - tiled).abs().max()) * 127.5 < 0.1


def test_an_enlarger_reaches_any_size(tmp_path: Path) -> None:
    model, y = imported(enlarger(seed=None), tmp_path), resize(photo(5, 6), (20, 24))
    call = Call(settings=Settings())
    assert torch.allclose(
        enlarged(model, y, (40, 48), call), y.repeat_interleave(2, 2).repeat_interleave(2, 3), atol=1e-6
    )
    for size in ((30, 36), (60, 72), (160, 192), (41, 47)):
        x = enlarged(model, y, size, call)
        assert x.shape[-2:] == size
        assert float((resize(x, (20, 24)) - y).abs().max()) < 0.1


def test_a_gray_network_takes_colours_one_by_one(tmp_path: Path) -> None:
    model, y = imported(denoiser(), tmp_path), photo(32, 40)
    assert torch.allclose(mapped(model, y, Call(settings=Settings())), y - 0.2, atol=1e-5)
    gray = y[:, :1].expand(-1, 3, -1, -1)
    assert torch.allclose(mapped(model, gray, Call(settings=Settings(), gray=True)), gray - 0.2, atol=1e-5)


def test_gray_pictures_stay_gray(tmp_path: Path) -> None:
    model, gray = imported(enlarger(), tmp_path), photo(32, 40)[:, :1].expand(-1, 3, -1, -1)
    x = mapped(model, gray, Call(settings=Settings(ensemble=True), gray=True))
    assert torch.equal(x[:, 0], x[:, 1])


def test_a_network_that_is_told_the_quality_is(tmp_path: Path) -> None:
    model, y = imported(of_quality(), tmp_path), photo(32, 40)
    ten, ninety, free = (mapped(model, y, Call(settings=Settings(), quality=q)) for q in (10, 90, None))
    assert not torch.equal(ten, ninety)
    assert not torch.equal(ten, free)


def test_results_that_are_not_finite_are_computed_in_fp32_again(tmp_path: Path) -> None:
    good, broken = (imported(enlarger(), tmp_path) for _ in range(2))
    next(broken.network.model.parameters()).data.fill_(torch.nan)
    both, y, call = replace(broken, exact=good.network), photo(16, 16), Call(settings=Settings())
    assert torch.equal(mapped(both, y, call), mapped(good, y, call))
    with pytest.raises(PictureError, match="not finite"):
        restore(picture(16, 16), SuperResolve(), model=broken)


def test_memory_decides_the_tiles(tmp_path: Path) -> None:
    model = imported(enlarger(), tmp_path)
    large, small = (model.tile_side(Settings(memory=m), (9999, 9999)) for m in (8 << 30, 1 << 30))
    assert large is not None
    assert small is not None
    assert large > small >= 64
    whole = replace(model, header=replace(model.header, whole=True, activation=400))
    assert whole.tile_side(Settings(), (300, 300)) is None
    side = whole.tile_side(Settings(), (9999, 9999))
    assert side is not None
    assert whole.grid.margin == 128


def test_consistency_alpha_and_depth_of_enlarged_pictures(tmp_path: Path) -> None:
    model = imported(enlarger(), tmp_path)
    small = replace(picture(30, 40), depth=16, alpha=np.full((30, 40), 30000, np.uint16))
    large = restore(small, SuperResolve(scale=3, consistent=True), model=model)
    assert large.pixels.shape == (90, 120, 3)
    assert large.alpha is not None
    assert (large.alpha == 30000).all()
    assert float((resize(to_tensor(large.pixels), (30, 40)) - to_tensor(small.pixels)).abs().max()) * 127.5 < 0.5


def test_a_fixed_denoiser_leaves_clean_pictures_alone_and_strength_counts(tmp_path: Path) -> None:
    model = imported(denoiser(), tmp_path, noise=25.0)
    flat = Picture(pixels=np.full((64, 64, 3), 0.1, np.float32))
    assert np.array_equal(restore(flat, Denoise(), model=model).pixels, flat.pixels)
    made = restore(picture(64, 64), Denoise(noise=25, strength=0.5), model=model)
    assert np.allclose(made.pixels, picture(64, 64).pixels - 0.1, atol=1e-5)
    for task in (
        Denoise(noise=15),
        Denoise(noise="poisson"),
        Restore(noise=10),
        Restore(only=("blur",)),
        SuperResolve(),
    ):
        with pytest.raises(UsageError):
            restore(picture(64, 64), task, model=model)
    with pytest.raises(UsageError, match="no samples"):
        restore(picture(64, 64), Denoise(noise=25), model=model, steps=4)


@pytest.fixture(scope="module")
def lama(tmp_path_factory: pytest.TempPathFactory) -> ForeignModel:
    """An inpainting network with random weights."""
    folder = tmp_path_factory.mktemp("lama")
    with pytest.MonkeyPatch.context() as patch:  # the folders of single tests are not there yet
        patch.setenv("XDG_DATA_HOME", str(folder / "data"))
        return imported(filler(), folder)


@pytest.mark.slow
def test_holes_are_filled_and_all_else_keeps_its_bits(lama: ForeignModel) -> None:
    before = picture(120, 350)
    after = restore(before, Inpaint(boxes=[(20, 20, 40, 30), (300, 60, 20, 20)]), model=lama)
    hole = np.zeros((120, 350), bool)
    hole[20:50, 20:60] = hole[60:80, 300:320] = True
    assert np.array_equal(after.pixels[~hole], before.pixels[~hole])
    assert (after.pixels[hole] != before.pixels[hole]).mean() > 0.9
    with pytest.raises(PictureError, match="nothing is left to fill it from"):
        restore(before, Inpaint(boxes=[(0, 0, 350, 120)]), model=lama)


def test_holes_are_filled_by_all_symmetries_of_the_square() -> None:
    def ramp(x: Tensor, mask: Tensor) -> Tensor:
        return torch.linspace(0, 1, x.shape[-1]).expand_as(x)

    model: Any = SimpleNamespace(computed=ramp, bytes_per_pixel=1)
    y, hole = torch.zeros(1, 3, 8, 8), torch.zeros(8, 8, dtype=torch.bool)
    hole[2:5, 1:4] = True
    once, every = (filled(model, y, hole, 1 << 20, gray=False, ensemble=ensemble)[0] for ensemble in (False, True))
    assert float(once[..., hole].std()) > 0.1
    assert torch.allclose(every, y, atol=1e-6)


@pytest.mark.slow
def test_a_hole_in_too_large_a_picture_is_filled_at_a_smaller_size(lama: ForeignModel) -> None:
    y, hole = photo(128, 128), torch.zeros(128, 128, dtype=torch.bool)
    hole[40:60, 40:60] = True
    (_, whole), (x, shrunk) = (
        filled(lama, y, hole, memory, gray=False) for memory in (WHOLE_MEMORY, 128 * 128 * lama.bytes_per_pixel // 3)
    )
    assert (whole, shrunk) == (1, 2)
    assert torch.equal(x[..., ~hole], y[..., ~hole])
