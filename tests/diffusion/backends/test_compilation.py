"""Compiled networks give what plain ones give; compilers that are missing or fail are told in a line."""

import os
import shutil
from pathlib import Path

import pytest
import torch

from diffuse_cli.diffusion import inference
from diffuse_cli.diffusion.backends import compilation
from diffuse_cli.diffusion.model import Model
from diffuse_cli.diffusion.settings import Settings
from diffuse_cli.errors import UsageError
from diffuse_cli.provenance import recipe
from tests.conftest import Run, pixels
from tests.diffusion.test_inference import LEVEL, dusty
from tests.helpers.program import Program

needs_compiler = pytest.mark.skipif(
    shutil.which(os.environ.get("CXX") or "g++") is None, reason="torch.compile needs a C++ compiler"
)


@needs_compiler
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # torch's own, of what it is built of
def test_compiled_is_what_plain_is(toy: Model, toy_file: Path) -> None:
    compiled = Model.load(toy_file, device="cpu", dtype="fp32", compiled=True)
    assert compiled.compiled
    assert not toy.compiled
    known = dusty(noise=0.0, steps=1)
    for tile in (160, "off"):
        plain = inference.infer(known, inference.Run(model=toy, settings=Settings(tile=tile)))
        made = inference.infer(known, inference.Run(model=compiled, settings=Settings(tile=tile)))
        assert 0 < (made - plain).abs().max() < LEVEL / 10, "and not the very same code"


@needs_compiler
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_compiled_result_tells_it_and_is_replayed(run: Program, cat: Path, toy_file: Path, tmp_path: Path) -> None:
    how = ["--noise", "20", "--model", str(toy_file), "--dtype", "fp32"]
    ended = run("denoise", cat, *how, "--compile", "-o", "compiled.png")
    assert (ended.exit_code, ended.stderr.count("\n")) == (0, 1), ended.stderr
    assert run("denoise", cat, *how, "-o", "plain.png").exit_code == 0
    told = [recipe.read(tmp_path / name) or {} for name in ("compiled.png", "plain.png")]
    assert [one["compile"] for one in told] == [True, False]
    both = [pixels(tmp_path / name).astype(int) for name in ("compiled.png", "plain.png")]
    assert abs(both[0] - both[1]).max() <= 1
    again = run("replay", "compiled.png", "--input", cat, "--model", toy_file)
    assert again.exit_code == 0, again.stderr
    assert (recipe.read(tmp_path / "compiled.replay.png") or {})["compile"] is True


def test_nothing_to_compile_with_is_told_in_a_line(run: Program, cat: Path, toy_file: Path, tmp_path: Path) -> None:
    ended = run("denoise", cat, "--noise", "20", "--model", toy_file, "--compile", "-o", "a.png", CXX="nosuch")
    assert ended.exit_code == 2
    assert ended.stderr.count("\n") == 1
    assert "--compile: there is no C++ compiler nosuch" in ended.stderr
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
