"""Every command line and every line of Python in the README and in examples/README.md works as it stands there."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch

from diffuse_cli.diffusion import checkpoint
from diffuse_cli.diffusion.model import prepare
from diffuse_cli.errors import PictureError
from diffuse_cli.images.image_io import read_picture
from diffuse_cli.system.files import file_sha256
from diffuse_cli.tasks.style.fine_tuning import StyleTraining
from diffuse_cli.tasks.style.studio import LESSON, StyleTrainer, cached, sitter
from tests.conftest import EXAMPLES, PROGRAM, ROOT

README = (ROOT / "README.md").read_text()


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


COMMANDS = [line for block in blocks(README, "sh") for line in block.splitlines() if line.startswith("diffuse ")]

TELLING = {"doctor"}
"""Commands that write no file."""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder with the examples, as beside the README, and restored/ and out/ still to be made."""
    shutil.copytree(EXAMPLES, tmp_path / "examples")
    return tmp_path


def shell(command: str, folder: Path) -> subprocess.CompletedProcess[bytes]:
    path = f"{PROGRAM.parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        ["bash", "-c", command], cwd=folder, env={**os.environ, "PATH": path}, capture_output=True, check=False
    )


def learned_already(path: Path) -> None:
    """A style in the cache, as the command looks for it, learned in one step: what minutes of it give is measured."""
    model = prepare()
    weights = checkpoint.find()
    known = sitter(read_picture(path), file_sha256(path, PictureError))
    place = StyleTrainer(path=weights, sha256=checkpoint.file_sha256(weights), lesson=StyleTraining(steps=1, batch=3))
    style = place.style_of(known, str(path), model)
    kept = cached(known.sha256, place.sha256, LESSON, model.network.dtype)
    kept.parent.mkdir(parents=True, exist_ok=True)
    style.save(kept)


@pytest.mark.parametrize("command", [command for command in COMMANDS if "--paint" not in command])
def test_recipes_run(checkout: Path, command: str) -> None:
    if "stylize" in command:
        learned_already(checkout / "examples" / "auvers.jpg")
    before = {p: p.read_bytes() for p in checkout.rglob("*") if p.is_file()}
    result = shell(command, checkout)
    assert result.returncode == 0, result.stderr.decode()
    assert {p: p.read_bytes() for p in before} == before
    if command.split()[1] not in TELLING:
        assert len([p for p in checkout.rglob("*") if p.is_file()]) > len(before)


def test_the_painting_recipe_waits_for_a_mask(checkout: Path) -> None:
    """As far as one gets without a browser; test_paint and test_pages go on from there."""
    (command,) = [command for command in COMMANDS if "--paint" in command]
    result = shell(f"timeout --signal INT 15 {command}", checkout)
    assert b"paint the mask at http://127.0.0.1:" in result.stderr
    assert not (checkout / "painted.png").exists()


def test_the_first_command_restores_the_picture_it_names() -> None:
    first = blocks(README, "sh")[0]
    assert "pip install . && diffuse denoise examples/" in first
    assert all(Path(ROOT / name).exists() for name in re.findall(r"examples/\S+", first))


def test_the_pipeline_of_the_examples(checkout: Path) -> None:
    scans = checkout / "scans" / "1950"
    scans.mkdir(parents=True)
    shutil.copy(EXAMPLES / "rocket_noisy.jpg", scans / "a picture.jpg")
    (scans / "broken.jpg").write_text("no picture")
    pipeline = blocks((EXAMPLES / "README.md").read_text(), "sh")[1]
    shell(pipeline, checkout)
    assert (scans / "a picture.denoise.jpg").exists()
    assert "broken.jpg" in (checkout / "failed.log").read_text()


def test_the_python_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    rng = np.random.default_rng(0)
    mask = np.zeros((20, 24), bool)
    mask[5:9, 5:9] = True
    values: dict[str, object] = {
        "array": rng.integers(0, 256, (20, 24, 3), np.uint8),
        "mask": mask,
        "tensor": torch.rand(3, 16, 16),
    }
    for block in blocks(README, "python"):
        exec(block, values)
    tensor = values["tensor"]
    assert isinstance(tensor, torch.Tensor)
    assert tensor.shape == (3, 40, 40)
