"""The network computed by ncnn is the network."""

from pathlib import Path

import numpy as np
import pytest
import torch

from diffuse_cli import Denoise, restore
from diffuse_cli.diffusion import inference
from diffuse_cli.diffusion.devices import chosen_dtype
from diffuse_cli.diffusion.model import Model
from diffuse_cli.diffusion.settings import Settings
from diffuse_cli.errors import UsageError
from diffuse_cli.provenance import recipe
from tests.conftest import pixels
from tests.diffusion.test_inference import LEVEL, dusty
from tests.helpers.program import Program

pytest.importorskip("ncnn")


@pytest.fixture(scope="module")
def by_ncnn() -> Model:
    """The shipped weights."""
    return Model.load("photo", device="cpu", backend="ncnn")


@pytest.mark.parametrize("size", [(64, 64), (96, 208), (16, 16)])
def test_it_gives_what_torch_gives(by_ncnn: Model, model: Model, size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    x, noise, cond = torch.randn(2, 8, *size), torch.tensor([1.25, -0.6]), torch.rand(2, model.network.config.cond)
    with torch.no_grad():
        torch.testing.assert_close(by_ncnn.network(x, noise, cond), model.network(x, noise, cond), atol=1e-4, rtol=0)


def test_it_is_near_in_bf16(model: Model) -> None:
    half = Model.load("photo", device="cpu", backend="ncnn", dtype="bf16")
    assert half.network.dtype == torch.bfloat16
    torch.manual_seed(0)
    x, noise, cond = torch.randn(1, 8, 64, 96), torch.tensor([0.1]), torch.zeros(1, model.network.config.cond)
    with torch.no_grad():
        apart = (half.network(x, noise, cond) - model.network(x, noise, cond)).abs().max()
    assert 1e-4 < apart < 0.2


@pytest.mark.parametrize("noise", [0.0, 0.2])
def test_pictures_agree_within_one_level(toy: Model, toy_file: Path, noise: float) -> None:
    other = Model.load(toy_file, device="cpu", backend="ncnn")
    assert (other.backend, other.network.dtype) == ("ncnn", torch.float32)
    known = dusty(noise=noise, steps=1)
    runs = [inference.Run(model=model, settings=Settings(tile=160)) for model in (other, toy)]
    made, plain = (inference.infer(known, run) for run in runs)
    difference = (made - plain).abs().max()
    assert 0 < difference < LEVEL / 10


def test_a_result_tells_it_and_is_replayed(run: Program, cat: Path, toy_file: Path, tmp_path: Path) -> None:
    how = ["--noise", "20", "--model", str(toy_file)]
    ended = run("denoise", cat, *how, "--backend", "ncnn", "-o", "a.png")
    assert ended.exit_code == 0, ended.stderr
    assert run("denoise", cat, *how, "--dtype", "fp32", "-o", "plain.png").exit_code == 0
    told = recipe.read(tmp_path / "a.png") or {}
    assert (told["backend"], told["dtype"]) == ("ncnn", "fp32")
    assert abs(pixels(tmp_path / "a.png").astype(int) - pixels(tmp_path / "plain.png")).max() <= 1
    again = run("replay", "a.png", "--input", cat, "--model", toy_file)
    assert again.exit_code == 0, again.stderr


def test_python_has_the_backend_too(toy_file: Path) -> None:
    noisy = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    by_torch = restore(noisy, Denoise(noise=20), model=toy_file, dtype="fp32")
    by_ncnn = restore(noisy, Denoise(noise=20), model=toy_file, backend="ncnn")
    assert np.abs(by_ncnn.astype(int) - by_torch).max() <= 1
    with pytest.raises(UsageError, match="computes on the CPU"):
        restore(noisy, Denoise(noise=20), model=toy_file, backend="ncnn", device="cuda")


def test_what_does_not_go_together_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="--compile is for --backend torch"):
        Model.load("photo", backend="ncnn", compiled=True)
    with pytest.raises(UsageError, match="computes on the CPU"):
        Model.load("photo", device="cuda", backend="ncnn")
    assert chosen_dtype("auto", "auto", "ncnn") == "fp32"
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"pip install 'diffuse-cli\[ncnn\]'"):
        Model.load("photo", backend="ncnn")
