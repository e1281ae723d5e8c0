"""Every command line and every line of Python in the README works as it stands there, with the shipped weights."""

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import typer
from PIL import Image

from diffuse_cli.cli.app import app
from diffuse_cli.diffusion import checkpoint
from diffuse_cli.diffusion.model import Model
from diffuse_cli.errors import PictureError
from diffuse_cli.images.image_io import read_picture
from diffuse_cli.system.files import file_sha256
from diffuse_cli.tasks.style.fine_tuning import StyleTraining
from diffuse_cli.tasks.style.studio import LESSON, StyleTrainer, cached, sitter
from tests.conftest import EXAMPLES, ROOT
from tests.docs.pages import README, blocks, command, lines, run_line, snapshot
from tests.helpers.program import Program

TEXT = README.read_text()
INSTALLING, PICTURES = blocks(TEXT, "sh")
FIRST = INSTALLING.split("&&")[-1].strip()
SHOWN = lines(PICTURES)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder with the examples, as beside the README."""
    shutil.copytree(EXAMPLES, tmp_path / "examples")
    return tmp_path


def learned_already(path: Path) -> None:
    """A style in the cache, as the command looks for it, learned in one step: what minutes of it give is measured."""
    model = Model.load()
    weights = checkpoint.find()
    known = sitter(read_picture(path), file_sha256(path, PictureError))
    place = StyleTrainer(path=weights, sha256=checkpoint.file_sha256(weights), lesson=StyleTraining(steps=1, batch=3))
    style = place.style_of(known, str(path), model)
    kept = cached(known.sha256, place.sha256, LESSON, model.network.dtype)
    kept.parent.mkdir(parents=True, exist_ok=True)
    style.save(kept)


def test_the_first_command_installs_and_restores() -> None:
    assert "pip install . &&" in INSTALLING
    assert command(FIRST) == (["denoise", "examples/cat_noisy.png", "-o", "cat.png"], None)


def test_the_first_pictures_are_eight() -> None:
    assert len(SHOWN) == 8
    assert all(command(line) for line in SHOWN)


@pytest.mark.slow
@pytest.mark.parametrize("line", [FIRST, *SHOWN])
def test_commands_run(checkout: Path, run: Program, line: str) -> None:
    if "stylize" in line:
        learned_already(checkout / "examples" / "auvers.jpg")
    before = snapshot(checkout)
    run_line(line, run, checkout)
    assert {path: path.read_bytes() for path in before} == before


@pytest.mark.slow
def test_the_python_runs(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(checkout)
    values: dict[str, Any] = {}
    (block,) = blocks(TEXT, "python")
    assert len(block.splitlines()) == 8
    exec(block, values)
    with Image.open("cat.png") as saved, Image.open("mean.png") as mean:
        assert saved.size == values["image"].size == (451, 300)
        assert mean.size == (160, 120)
    assert values["several"].std.shape == (120, 160)


def test_every_command_is_in_the_table() -> None:
    group: Any = typer.main.get_command(app)
    table = TEXT.split("## All commands")[1].split("\n## ")[0]
    named = re.findall(r"`([a-z-]+)`", "".join(line.split("|")[1] for line in table.splitlines() if line[:1] == "|"))
    assert sorted(named) == sorted(group.commands)


def test_the_quick_page_is_short() -> None:
    assert len(README.read_bytes()) <= 9000
    assert len((ROOT / "checkpoints" / "README.md").read_bytes()) <= 12 << 10
