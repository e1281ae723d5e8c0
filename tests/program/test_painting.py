"""--paint as its user has it: the program waits for a page, and goes on with its mask."""

import hashlib
import io
import json
import os
import re
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from diffuse_cli.cli.paint.session import encoded_mask
from diffuse_cli.provenance import recipe
from tests.cli.paint.test_server import Client, hole_of
from tests.conftest import EXAMPLES, PROGRAM, pixels

pytestmark = pytest.mark.program


@contextmanager
def painting(folder: Path, *arguments: str | Path) -> Iterator[tuple["subprocess.Popen[str]", Client]]:
    """The installed program with its page open, and a client for it."""
    environment = {**os.environ, "NO_COLOR": "1", "OMP_NUM_THREADS": "1"}
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"):
        environment.pop(name, None)
    command = [str(PROGRAM), *map(str, arguments)]
    with subprocess.Popen(command, cwd=folder, env=environment, stderr=subprocess.PIPE, text=True) as process:
        watch = threading.Timer(60, process.kill)
        watch.start()
        try:
            assert process.stderr is not None
            found = re.search(r"http://\S+", line := process.stderr.readline())
            assert found is not None, line
            yield process, Client(found.group())
        finally:
            watch.cancel()
            process.kill()


def test_a_painted_mask_is_filled_and_told(cat: Path, toy_file: Path, tmp_path: Path) -> None:
    before = pixels(cat)
    hole = hole_of((96, 64), (20, 10, 40, 30))
    options: list[str | Path] = ["--model", toy_file, "-o", "out.png", "--save-mask", "mask.png", "--box", "1,2,3,4"]
    with painting(tmp_path, "inpaint", cat, "--paint", *options) as (process, page):
        assert json.loads(page.ask("GET", page.root + "facts")[1])["size"] == [96, 64]
        initial = np.asarray(Image.open(io.BytesIO(page.ask("GET", page.root + "initial")[1])))
        assert np.array_equal(initial == 255, hole_of((96, 64), (1, 2, 4, 6)))
        shown = Image.open(io.BytesIO(page.ask("POST", page.root + "preview", encoded_mask(hole))[1]))
        assert shown.size == (96, 64)
        assert page.ask("POST", page.root + "done", encoded_mask(hole))[0] == 200
        process.wait(60)
        assert process.returncode == 0
    after = pixels(tmp_path / "out.png")
    assert np.array_equal(after[~hole], before[~hole])
    assert not np.array_equal(after[hole], before[hole])
    assert np.array_equal(pixels(tmp_path / "mask.png") == 255, hole)
    made = recipe.read(tmp_path / "out.png")
    assert made is not None
    assert made["mask"] == hashlib.sha256((tmp_path / "mask.png").read_bytes()).hexdigest()


def test_scratches_are_suggested(tmp_path: Path, toy_file: Path) -> None:
    for name in ("camera_scratched.png", "camera_mask.png"):
        with Image.open(EXAMPLES / name) as image:
            image.crop((100, 0, 340, 240)).save(tmp_path / name)
    with painting(tmp_path, "inpaint", "camera_scratched.png", "--paint", "--model", toy_file) as (process, page):
        status, data = page.ask("POST", page.root + "suggest")
        assert status == 200
        page.ask("POST", page.root + "cancel")
        process.wait(60)
    found = np.asarray(Image.open(io.BytesIO(data))) == 255
    true = pixels(tmp_path / "camera_mask.png") > 0
    assert (found & true).sum() > 0.5 * true.sum()
    assert (found & ~true).sum() < 2 * true.sum()


def test_giving_up_does_nothing(cat: Path, toy_file: Path, tmp_path: Path) -> None:
    with painting(tmp_path, "inpaint", cat, "--paint", "--model", toy_file, "-o", "out.png") as (process, page):
        page.ask("POST", page.root + "cancel")
        process.wait(60)
        assert process.returncode == 1
    assert not (tmp_path / "out.png").exists()


def test_restore_fills_what_was_painted_as_the_guess_that_was_kept(cat: Path, toy_file: Path, tmp_path: Path) -> None:
    hole = hole_of((96, 64), (20, 10, 60, 50))
    line: list[str | Path] = [
        "restore",
        cat,
        "--noise",
        "20",
        "--seed",
        "5",
        "--model",
        toy_file,
        "--save-mask",
        "mask.png",
    ]
    with painting(tmp_path, *line, "--paint", "-o", "out.png", "--show-fill", "fill.png") as (process, page):
        first = page.ask("POST", page.root + "preview?guess=0", encoded_mask(hole))[1]
        other = page.ask("POST", page.root + "preview?guess=3", encoded_mask(hole))[1]
        assert first != other
        assert page.ask("POST", page.root + "done?guess=3", encoded_mask(hole))[0] == 200
        process.wait(60)
        assert process.returncode == 0
    made, layer = recipe.read(tmp_path / "out.png"), recipe.read(tmp_path / "fill.png")
    assert made is not None
    assert layer is not None
    assert (made["operation"], made["seed"], made["noise"]) == ("restore", 8, 20)
    assert layer["seed"] == 8
    again = [str(PROGRAM), "restore", str(cat), "--noise", "20", "--seed", "8", "--model", str(toy_file)]
    command = [*again, "--mask", "mask.png", "-o", "again.png"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    assert np.array_equal(pixels(tmp_path / "again.png"), pixels(tmp_path / "out.png"))
