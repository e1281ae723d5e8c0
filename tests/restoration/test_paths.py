"""However it is computed - in one piece, in tiles, in batches of tiles, compiled - a picture is the same, in fp32."""

import mmap
import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from diffuse_cli.diffusion import inference, tiling
from diffuse_cli.diffusion.conditioning import Conditioning
from diffuse_cli.diffusion.denoiser import Denoiser, Observation, together
from diffuse_cli.diffusion.engines import compilation
from diffuse_cli.diffusion.inference import infer
from diffuse_cli.diffusion.model import Model, prepare
from diffuse_cli.diffusion.settings import Settings
from diffuse_cli.errors import UsageError
from diffuse_cli.images.image_io import Picture
from diffuse_cli.restoration.observe import observe
from diffuse_cli.restoration.problem import NoisyPicture, Problem
from diffuse_cli.restoration.samples import Samples
from diffuse_cli.system import arrays as host_arrays
from tests.conftest import Run, pixels

LEVEL = 2 / 255
needs_compiler = pytest.mark.skipif(
    shutil.which(os.environ.get("CXX") or "g++") is None, reason="torch.compile needs a C++ compiler"
)


def dusty(*, noise: float, steps: int, gray: bool = False) -> Conditioning:
    """Nine specks of one size among noise, or a picture of noise alone where there is none."""
    rng = np.random.default_rng(0)
    y = torch.from_numpy(rng.uniform(-1, 1, (1, 1 if gray else 3, 720, 900)).astype(np.float32)).expand(1, 3, -1, -1)
    hole = np.zeros((720, 900), bool)
    for top in (100, 340, 580):
        for left in (100, 420, 740):
            hole[top : top + 5, left : left + 7] = True
    task = Problem(hole=hole) if noise == 0 else Problem(observation=NoisyPicture(noise=noise))
    return observe(y, task, 4, gray=gray, sampling=steps > 1)


@pytest.mark.parametrize("steps", [1, 3])
@pytest.mark.parametrize("noise", [0.0, 0.2])
def test_batches_are_what_single_tiles_are(
    toy: Model, monkeypatch: pytest.MonkeyPatch, noise: float, steps: int
) -> None:
    known, settings = dusty(noise=noise, steps=steps), Settings(tile=160, steps=steps)
    sizes: list[int] = []
    real = Denoiser.begin

    def counted(self: Denoiser, x: Tensor, sigma: Tensor) -> object:
        sizes.append(len(x))
        return real(self, x, sigma)

    monkeypatch.setattr(Denoiser, "begin", counted)
    together = infer(known, inference.Run(model=toy, settings=settings))
    assert max(sizes) > 1
    monkeypatch.setattr(inference, "BATCH_PIXELS", 0)
    sizes.clear()
    alone = infer(known, inference.Run(model=toy, settings=settings))
    assert set(sizes) == {1}
    assert (together - alone).abs().max() < 1e-4
    whole = infer(known, inference.Run(model=toy, settings=Settings(tile="off", steps=steps)))
    assert (together - whole).abs().max() < LEVEL


def test_a_batch_has_every_windows_own_evidence() -> None:
    def part(k: float) -> Observation:
        flat, plane = torch.full((1, 1, 1, 1), k), torch.full((1, 3, 4, 5), k)
        wide = flat if k == 1 else flat.expand(1, 1, 4, 5)  # a constant beside a map
        return Observation(mu=plane, sigma_p=wide, cond=torch.full((1, 4), k), y=plane, sigma_y=flat, gray=True)

    one, both = part(1.0), together([part(1.0), part(2.0)])
    assert together([one]) is one
    assert both.gray
    assert both.sigma_p.shape == (2, 1, 4, 5)
    for value in (both.mu, both.sigma_p, both.cond, both.y, both.sigma_y):
        assert value is not None
        assert [float(half.mean()) for half in value] == [1, 2]
    without = together([replace(part(k), y=None, sigma_y=None) for k in (1.0, 2.0)])
    assert without.y is None


@needs_compiler
@pytest.mark.filterwarnings("ignore")  # torch's own, of what it is built of
def test_compiled_is_what_plain_is(toy: Model, toy_file: Path) -> None:
    compiled = prepare(toy_file, device="cpu", dtype="fp32", compiled=True)
    assert compiled.compiled
    assert not toy.compiled
    known = dusty(noise=0.0, steps=1)
    for tile in (160, "off"):
        plain = infer(known, inference.Run(model=toy, settings=Settings(tile=tile)))
        made = infer(known, inference.Run(model=compiled, settings=Settings(tile=tile)))
        assert 0 < (made - plain).abs().max() < LEVEL / 10, "and not the very same code"


@needs_compiler
def test_a_compiled_result_tells_it_and_is_replayed(diffuse: Run, cat: Path, toy_file: Path, tmp_path: Path) -> None:
    from diffuse_cli.provenance import recipe

    how = ["--noise", "20", "--model", str(toy_file), "--dtype", "fp32"]
    ended = diffuse("denoise", cat, *how, "--compile", "-o", "compiled.png")
    assert (ended.returncode, ended.stderr.count(b"\n")) == (0, 1), ended.stderr
    assert diffuse("denoise", cat, *how, "-o", "plain.png").returncode == 0
    told = [recipe.read(tmp_path / name) or {} for name in ("compiled.png", "plain.png")]
    assert [one["compile"] for one in told] == [True, False]
    both = [pixels(tmp_path / name).astype(int) for name in ("compiled.png", "plain.png")]
    assert abs(both[0] - both[1]).max() <= 1
    again = diffuse("replay", "compiled.png", "--input", cat, "--model", toy_file)
    assert again.returncode == 0, again.stderr
    assert (recipe.read(tmp_path / "compiled.replay.png") or {})["compile"] is True


def test_nothing_to_compile_with_is_told_in_a_line(diffuse: Run, cat: Path, toy_file: Path, tmp_path: Path) -> None:
    ended = diffuse("denoise", cat, "--noise", "20", "--model", toy_file, "--compile", "-o", "a.png", CXX="nosuch")
    assert ended.returncode == 2
    assert ended.stderr.count(b"\n") == 1
    assert b"--compile: there is no C++ compiler nosuch" in ended.stderr
    assert not (tmp_path / "a.png").exists()


def test_a_compiler_that_fails_is_told_in_a_line(diffuse: Run, cat: Path, toy_file: Path, tmp_path: Path) -> None:
    environment = {"CXX": shutil.which("false") or "false", "TORCHINDUCTOR_CACHE_DIR": str(tmp_path / "cache")}
    ended = diffuse("denoise", cat, "--noise", "20", "--model", toy_file, "--compile", "-o", "a.png", **environment)
    assert ended.returncode == 2
    assert ended.stderr.count(b"\n") == 1
    assert b"--compile: torch.compile failed here" in ended.stderr
    assert not (tmp_path / "a.png").exists()


def test_a_gpu_needs_triton(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UsageError, match="Triton"):
        compilation.check_compiler(torch.device("cuda"))


def test_samples_of_large_pictures_lie_in_files_and_are_the_same(toy: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    picture = Picture(pixels=rng.uniform(-1, 1, (150, 200, 3)).astype(np.float32))
    settings = Settings(steps=3, fidelity=0.3)

    def answers() -> list[NDArray[np.float32]]:
        samples = Samples(picture, Problem(observation=NoisyPicture(noise=0.2)), toy, moments=True)
        return [samples.restored(settings).pixels, samples.average(settings, 3).pixels, samples.std(settings, 3)]

    in_memory = answers()
    mapped: list[int] = []
    real = host_arrays._mapped

    def counted(size: int) -> mmap.mmap:
        mapped.append(size)
        return real(size)

    monkeypatch.setattr(host_arrays, "_mapped", counted)
    monkeypatch.setattr(host_arrays, "MAPPED_FROM", 10_000)
    monkeypatch.setattr(tiling, "BY_ROWS_FROM", 0)
    in_files = answers()
    assert len(mapped) > 20
    for one, other in zip(in_memory, in_files, strict=True):
        np.testing.assert_array_equal(one, other)
