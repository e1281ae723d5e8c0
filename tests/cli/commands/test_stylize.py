"""diffuse stylize."""

import json
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load, load_file

from diffuse_cli.diffusion import checkpoint
from diffuse_cli.images.image_io import to_levels
from diffuse_cli.provenance.recipe import read as read_recipe
from diffuse_cli.tasks.style import studio
from diffuse_cli.tasks.style.studio import sitter
from tests.conftest import pixels
from tests.helpers.program import Program
from tests.tasks.test_stylize import SHORT, learned, picture_of


def test_command(run: Program, cat: Path, toy_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(studio, "LESSON", SHORT)
    Image.fromarray(to_levels(picture_of((56, 72), 7).pixels, 8)).save(tmp_path / "painting.png")
    (tmp_path / "s.safetensors").symlink_to("far.safetensors")
    model = ("--model", toy_file, "--device", "cpu", "--steps", "2")
    line = ("stylize", cat, "--style", "painting.png", *model, "-o", "out.png", "--save-style", "s.safetensors")
    first = run(*line)
    assert first.exit_code == 0
    assert "painting.png: learning the style in 3 steps" in first.stderr
    told = read_recipe(tmp_path / "out.png")
    assert told is not None
    assert told["style"] == checkpoint.file_sha256(tmp_path / "painting.png")
    assert (told["strength"], told["seed"], told["steps"]) == (0.5, 0, 2)
    made = (tmp_path / "out.png").read_bytes()
    kept = run("stylize", cat, "--style", "painting.png", *model, "-o", "again.png")
    assert "learning" not in kept.stderr
    assert (tmp_path / "again.png").read_bytes() == made
    saved = run("stylize", cat, "--style", "s.safetensors", *model, "-o", "saved.png")
    assert saved.exit_code == 0
    assert np.array_equal(pixels(tmp_path / "saved.png"), pixels(tmp_path / "out.png"))
    assert load_file(tmp_path / "far.safetensors")
    assert (tmp_path / "s.safetensors").is_symlink()
    os.mkfifo(tmp_path / "pipe")
    with ThreadPoolExecutor(1) as pool:
        read = pool.submit((tmp_path / "pipe").read_bytes)
        piped = run("stylize", cat, "--style", "painting.png", *model, "-o", "piped.png", "--save-style", "pipe")
        assert piped.exit_code == 0
        through = load(read.result(60))
    whole = load_file(tmp_path / "far.safetensors")
    assert through.keys() == whole.keys()
    assert all(torch.equal(through[name], whole[name]) for name in whole)
    resumed = run(*line[:-2], "--resume", "--json")
    assert json.loads(resumed.stdout.splitlines()[0])["status"] == "skipped"
    replayed = run("replay", "out.png", "--input", cat, "--style", "painting.png", "--model", toy_file)
    assert (replayed.exit_code, "the same bytes" in replayed.stdout) == (0, True)
    assert run("replay", "out.png", "--input", cat, "--style", "s.safetensors", "--model", toy_file).exit_code == 2


def test_wrong_commands(run: Program, cat: Path, toy_file: Path, tmp_path: Path) -> None:
    shutil.copy(cat, tmp_path / "painting.png")
    (tmp_path / "bad.safetensors").write_bytes(b"no")
    style = ("--style", "painting.png", "--model", toy_file)
    assert run("stylize", cat).exit_code == 2
    assert run("stylize", cat, "--style", "nothing.png").exit_code == 2
    assert run("stylize", cat, "--style", "bad.safetensors").exit_code == 3
    os.mkfifo(tmp_path / "pipe.safetensors")
    assert "a learned style is read from a file" in run("stylize", cat, "--style", "pipe.safetensors").stderr
    assert run("stylize", cat, *style, "--strength", "2").exit_code == 2
    assert run("stylize", cat, *style, "--save-style", "s.png").exit_code == 2
    assert run("stylize", cat, *style, "--save-style", "bad.safetensors").exit_code == 2
    assert run("stylize", cat, *style, "-o", "painting.png", "-f").exit_code == 2
    assert run("stylize", cat, *style, "--mask", "nothing.png").exit_code == 2


def test_installed_program(run: Program, cat: Path, toy_file: Path, tmp_path: Path) -> None:
    shutil.copy(cat, tmp_path / "painting.png")
    learned(toy_file, sitter(picture_of((56, 72), 7), "")).save(tmp_path / "s.safetensors")
    mask = np.zeros((64, 96), np.uint8)
    mask[20:40, 30:60] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    line = ("stylize", cat, "--style", "s.safetensors", "--mask", "mask.png", "--model", toy_file, "-o", "out.png")
    done = run(*line)
    assert done.exit_code == 0, done.stderr
    changed = (pixels(tmp_path / "out.png") != pixels(cat)).any(2)
    assert not changed[mask == 0].any()
    assert changed[mask > 0].mean() > 0.9
    alone = run("stylize", cat, "--style", "painting.png", "--steps", "1", "--model", toy_file, "-o", "colours.png")
    assert alone.exit_code == 0
    assert "learning" not in alone.stderr
