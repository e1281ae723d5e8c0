"""--try: a sheet of results to choose from."""

import shlex
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.conftest import pixels
from tests.helpers import clips
from tests.helpers.program import Program


def test_a_sheet_shows_each_value_and_its_command(run: Program, cat: Path, toy_file: Path) -> None:
    before = cat.read_bytes()
    result = run("denoise", cat, "--try", "5,20,40", "--strength", "0.5", "--model", toy_file)
    assert result.exit_code == 0, result.stderr
    assert cat.read_bytes() == before
    sheet = pixels(cat.with_name("in.try.png"))
    h, w = pixels(cat).shape[:2]
    assert sheet.shape[0] > 2 * h  # three in a row, the input among them
    assert sheet.shape[1] > 3 * w
    lines = result.stdout.splitlines()
    assert [line.split("--noise ")[1] for line in lines] == ["5", "20", "40"]
    program, *arguments = shlex.split(lines[1])
    assert program == "diffuse"
    assert run(*arguments, "-o", "chosen.png").exit_code == 0
    chosen = pixels(cat.with_name("chosen.png"))
    third = sheet[32 : 32 + h, 8 + 2 * (w + 8) :][:, :w]
    assert np.abs(third.astype(int) - chosen).max() == 0


def test_an_option_can_be_named(run: Program, cat: Path, toy_file: Path) -> None:
    line = ["inpaint", cat, "--box", "4,4,20,20", "--model", toy_file, "-o", "sheet.png"]
    result = run(*line, "--try", "grow=0,4")
    assert result.exit_code == 0, result.stderr
    assert [line.rsplit(" ", 2)[1:] for line in result.stdout.splitlines()] == [["--grow", "0"], ["--grow", "4"]]
    again = run(*line, "--try", "grow=0,4")
    assert (again.exit_code, "exists; use -f" in again.stderr) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--try", "5"], "give 2 to 12 values"),
        (["--try", "nosuch=1,2"], "has no option --nosuch"),
        (["--try", "5,x"], "--noise x: not a level"),
        (["--try", "5,9", "--samples", "2"], "--samples has nothing to do"),
        (["--try", "5,9", "-o", "out/"], "--try writes one sheet"),
        (["--try", "5,9", "other.png"], "--try takes one picture"),
        (["--try", "5,9", "-o", "in.png", "-f"], "is an input"),
    ],
)
def test_what_cannot_be_tried_is_refused(run: Program, cat: Path, arguments: list[str], said: str) -> None:
    Image.open(cat).save(cat.with_name("other.png"))
    before = sorted(path.name for path in cat.parent.iterdir())
    result = run("denoise", cat, *arguments)
    assert result.exit_code == 2
    assert said in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert sorted(path.name for path in cat.parent.iterdir()) == before


def test_of_a_clip_the_frame_in_the_middle_is_tried(run: Program, toy_file: Path, tmp_path: Path) -> None:
    pytest.importorskip("av")
    clips.save(tmp_path / "a.mp4", noise=8)
    result = run("denoise", "a.mp4", "--try", "5,20", "--model", toy_file, "--end", "0.1", "--crf", "30")
    assert result.exit_code == 0, result.stderr
    assert f"a.mp4: the frame in the middle, computed with {toy_file}" in result.stderr
    assert pixels(tmp_path / "a.try.png").shape[1] > 3 * 48
    assert result.stdout.splitlines()[0].endswith("--end 0.1 --crf 30 --noise 5")
    refused = run("inpaint", "a.mp4", "--box", "4,4,9,9", "--try", "grow=0,4", "--model", toy_file)
    assert (refused.exit_code, "takes one picture" in refused.stderr) == (2, True)
