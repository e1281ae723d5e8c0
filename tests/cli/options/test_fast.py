"""--fast: which model it means, and what overrides it."""

from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from diffuse_cli.cli.app import app
from diffuse_cli.diffusion import checkpoint
from diffuse_cli.errors import UsageError
from tests.conftest import pixels
from tests.helpers.program import Program, json_lines

COMMANDS: dict[str, Any] = get_command(app).commands  # type: ignore[attr-defined]
WITHOUT = {"replay"}
"""Commands whose --model is no choice: a recipe names the checkpoint."""


@pytest.fixture
def named(tmp_path: Path, toy_file: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of checkpoints where photo-fast is tiny, and photo is missing."""
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    (folder / "photo-fast.safetensors").write_bytes(toy_file.read_bytes())
    monkeypatch.setattr(checkpoint, "folders", lambda: [folder])
    return folder


def model_of(command: str, *words: str, **settings: object) -> object:
    """The model that a command is told by words and by settings."""
    arguments = ["in.png", *words] if command == "denoise" else list(words)
    return COMMANDS[command].make_context(command, arguments, default_map=settings).params["model"]


def test_every_command_with_a_model_has_it() -> None:
    for name, command in COMMANDS.items():
        options = {parameter.name for parameter in command.params}
        assert ("fast" in options) == ("model" in options and name not in WITHOUT), name


def test_it_is_the_model_of_that_name(run: Program, cat: Path, named: Path) -> None:
    fast = run("denoise", cat, "--noise", "20", "--fast", "-o", "fast.png", "--json")
    assert fast.exit_code == 0, fast.stderr
    assert (pixels(Path("fast.png")) != pixels(cat)).any()
    recipe = json_lines(fast.stdout)[0]["recipe"]
    assert recipe["checkpoint"] == checkpoint.file_sha256(named / "photo-fast.safetensors")
    assert "fast" not in recipe
    assert run("replay", "fast.png", "--input", cat).exit_code == 0


def test_flags_override_settings() -> None:
    assert model_of("denoise") == "photo"
    assert model_of("denoise", "--fast") == "photo-fast"
    assert model_of("denoise", fast=True) == "photo-fast"
    assert model_of("denoise", "--fast", model="x") == "photo-fast"
    assert model_of("denoise", "--model", "photo", fast=True) == "photo"
    assert model_of("denoise", fast=False, model="x") == "x"
    assert model_of("bench", "--fast") == "photo-fast"
    assert model_of("evaluate", "--fast", model=["x", "y"]) == ["photo-fast"]
    assert model_of("evaluate", "--model", "x", "--model", "y", fast=True) == ["x", "y"]


def test_two_models_in_one_place_are_one_too_many(run: Program) -> None:
    for model in ("photo", "x"):
        with pytest.raises(UsageError, match="give one of them"):
            model_of("denoise", "--fast", "--model", model)
    with pytest.raises(UsageError, match="x and y"):
        model_of("evaluate", "--fast", "--model", "x", "--model", "y")
    with pytest.raises(UsageError):
        model_of("denoise", fast=True, model="x")
    assert model_of("denoise", "--fast", "--model", "photo-fast") == "photo-fast"
    wrong = run("generate", "--fast", "--model", "fashion")
    assert (wrong.exit_code, len(wrong.stderr.splitlines())) == (2, 1)


def test_a_missing_checkpoint_is_one_clear_line(run: Program, cat: Path, named: Path) -> None:
    (named / "photo-fast.safetensors").unlink()
    missing = run("denoise", cat, "--fast", "-o", "out.png")
    assert missing.exit_code == 3
    assert missing.stderr == (
        "diffuse: photo-fast: comes with diffuse, but is not among the checkpoints; install diffuse again\n"
    )
    assert not Path("out.png").exists()
