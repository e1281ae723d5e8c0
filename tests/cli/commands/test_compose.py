"""diffuse compose and extend."""

import json
from pathlib import Path

import numpy as np
from PIL import Image

from tests.conftest import pixels
from tests.helpers.program import Program


def test_commands(run: Program, cat: Path, toy_file: Path, tmp_path: Path) -> None:
    with Image.open(cat) as image:
        image.crop((0, 0, 20, 16)).save(tmp_path / "cut.png")
        Image.new("L", image.size, 255).save(tmp_path / "mask.png")
    model = ("--model", toy_file)
    line = ("compose", cat, "--insert", "cut.png", "--at", "30,20", "--band", "6", *model, "-o", "out.png")
    assert run(*line).exit_code == 0
    changed = (pixels(tmp_path / "out.png") != pixels(cat)).any(2)
    rows, columns = np.nonzero(changed)
    assert (rows.min(), columns.min()) >= (17, 27)
    assert rows.max() < 39
    assert columns.max() < 53
    again = run(*line, "--resume", "--json")
    assert json.loads(again.stdout.splitlines()[0])["status"] == "skipped"
    other = run(*line[:5], "31,20", *line[6:], "--resume", "-f", "--json")
    assert json.loads(other.stdout.splitlines()[0])["status"] == "done"
    joined = run("compose", cat, "--join", cat, "--mask", "mask.png", *model, "-o", "joined.png")
    assert joined.exit_code == 0
    assert run("compose", cat, *model, "-o", "none.png").exit_code == 2
    assert run("compose", cat, "--insert", "nothing.png", *model).exit_code == 2
    assert run("compose", cat, "--insert", "cut.png", *model, "-o", "cut.png", "-f").exit_code == 2  # an input
    wide = run("extend", cat, "--pad", "4,0,8,2", "--steps", "1", *model, "-o", "wide.png")
    assert wide.exit_code == 0
    assert np.array_equal(pixels(tmp_path / "wide.png")[:64, 4:100], pixels(cat))
    assert run("extend", cat, "--to-size", "10x10", *model).exit_code == 1


def test_extend_takes_one_number_or_an_aspect(run: Program, cat: Path, toy_file: Path, tmp_path: Path) -> None:
    line = ("extend", cat, "--steps", "1", "--model", toy_file)
    for options, size, corner in (
        (("--pad", "6"), (76, 108), (6, 6)),
        (("--aspect", "16:9"), (64, 114), (0, 9)),
        (("--aspect", "1:1", "--anchor", "bottom"), (96, 96), (32, 0)),
    ):
        result = run(*line, *options, "-o", "wide.png", "-f")
        assert result.exit_code == 0, result.stderr
        made, (top, left) = pixels(tmp_path / "wide.png"), corner
        assert made.shape[:2] == size
        assert np.array_equal(made[top : top + 64, left : left + 96], pixels(cat))
        again = run("replay", "wide.png", "--input", cat, "--model", toy_file, "-o", "again.png", "-f")
        assert again.exit_code == 0, again.output
    for bad in (("--pad", "6,6"), ("--aspect", "16"), ("--aspect", "0:9"), ("--aspect", "1:1", "--pad", "3"), ()):
        assert run(*line, *bad, "-o", "wide.png", "-f").exit_code == 2
    assert run(*line, "--aspect", "3:2", "-o", "none.png").exit_code == 1
