"""diffuse repair."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from diffuse_cli.provenance import recipe
from tests.conftest import pixels
from tests.helpers.program import Program


@pytest.fixture
def old(cat: Path) -> Path:
    """A faded print: its darkest tone is a brown."""
    with Image.open(cat) as image:
        v = np.asarray(image.convert("RGB"), np.float32)
    lo, hi = np.array([90, 76, 60]), np.array([235, 222, 195])
    Image.fromarray((lo + (hi - lo) * v / 255).round().astype(np.uint8)).save(cat)
    return cat


def test_it_says_what_it_found_and_can_be_repeated(run: Program, old: Path, toy_file: Path) -> None:
    line = ["repair", old, "--model", toy_file, "--mask-limit", "100"]
    result = run(*line, "-o", "new.png")
    assert result.exit_code == 0, result.stderr
    assert "looks like dust, scratches or tears" in result.stderr
    assert "fading: a veil of " in result.stderr
    told = recipe.read(old.with_name("new.png"))
    assert told is not None
    assert (told["operation"], told["mask"], told["rounds"]) == ("repair", "auto", 3)
    assert told["tone"]["black"] > 0.02
    assert pixels(old.with_name("new.png")).min() < pixels(old).min() - 40
    again = run("replay", "new.png", "--input", old, "--model", toy_file, "-o", "again.png")
    assert again.exit_code == 0, again.stderr
    assert (pixels(old.with_name("again.png")) == pixels(old.with_name("new.png"))).all()


def test_only_what_is_named_is_repaired(run: Program, old: Path, toy_file: Path) -> None:
    result = run("repair", old, "--only", "fading", "--saturation", "1", "--model", toy_file, "-o", "new.png")
    assert result.exit_code == 0, result.stderr
    assert result.stderr.count("in.png: ") == 1
    assert run("repair", old, "--only", "fading", "--mask", "auto", "-o", "x.png").exit_code == 2
    wrong = run("repair", old, "--only", "dust", "-o", "x.png")
    assert (wrong.exit_code, "--only takes marks, noise" in wrong.stderr) == (2, True)
