"""diffuse evaluate as a user has it: reports, comparisons, plots, what cannot be measured."""

import json
import shutil
from pathlib import Path

import pytest
from PIL import Image

from diffuse_cli.diffusion import checkpoint
from tests.conftest import EXAMPLES
from tests.helpers.program import Program


@pytest.mark.slow
def test_a_report_and_what_failed(run: Program, data: Path) -> None:
    (data / "broken.png").write_bytes(b"no picture")
    Image.new("RGBA", (40, 40)).save(data / "alpha.png")
    Image.new("L", (9, 9)).save(data / "tiny.png")
    out = data.parent / "r.json"
    arguments = ["evaluate", "--task", "super-resolve", "--level", "2", "--data", data, "--json", out]
    result = run(*arguments, "--dtype", "fp32")
    assert result.exit_code == 1
    said = result.stderr.splitlines()
    assert "diffuse: 3 of 6 pictures failed:" in said
    assert [any(name in line for line in said[-3:]) for name in ("alpha", "broken", "tiny")] == [True] * 3
    lines = result.stdout.splitlines()
    assert lines[0].split()[:3] == ["set", "condition", "method"]
    assert lines[1].split()[:3] == ["set", "x2", "diffuse"]
    report = json.loads(out.read_text())
    assert {f["file"] for f in report["failed"]} == {"alpha.png", "broken.png", "tiny.png"}
    assert report["rows"][0]["pictures"] == 3
    assert report["checkpoint"]["sha256"] == checkpoint.verify(checkpoint.find())[0]
    assert run(*arguments).exit_code == 2, "an existing file stays"
    compared = run("evaluate", "--compare", out, out)
    assert compared.exit_code == 0
    assert compared.stdout.count("within noise") >= 2


def test_pairs_of_two_folders(run: Program, data: Path, toy_file: Path) -> None:
    shutil.copytree(data, data.parent / "clean")
    arguments = ["evaluate", "--pairs", data, "--data", "clean", "--model", toy_file, "--json", "r.json", "-q"]
    result = run(*arguments)
    assert result.exit_code == 0, result.stderr
    report = json.loads((data.parent / "r.json").read_text())
    of = {row["method"]: row for row in report["rows"]}
    assert of["the input"]["mean"]["psnr"] == 100
    assert of["the input"]["pictures"] == 3
    assert "worse than the input" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ([], 2, "--task and --data"),
        (["--task", "denoise", "--data", "empty"], 2, "no pictures"),
        (["--task", "denoise", "--data", "missing"], 2, "no such folder"),
        (["--task", "dejpeg", "--data", "set", "--level", "101"], 2, "--level of jpeg"),
        (["--task", "denoise", "--data", "set", "--level", "nan"], 2, "--level"),
        (["--task", "denoise", "--data", "set", "--samples", "2", "--steps", "1"], 2, "--steps"),
        (["--task", "generate", "--data", "set", "--gray"], 2, "--gray"),
        (["--task", "jpeg", "--data", "set", "--as-files"], 2, "--as-files"),
        (["--task", "inpaint", "--data", "set", "--jpeg", "90"], 2, "--jpeg is for denoise, camera, film"),
        (["--task", "camera", "--data", "set", "--level", "1"], 2, "--level of camera"),
        (["--pairs", "missing"], 2, "no such folder"),
        (["--pairs", "set"], 2, "neither NAME_real nor NAME_mean"),
        (["--pairs", "set", "--data", "empty"], 2, "no pictures"),
        (["--pairs", "set", "--task", "camera"], 2, "--task means nothing for --pairs"),
        (["--pairs", "set", "--jpeg", "90"], 2, "--jpeg means nothing for --pairs"),
        (["--pairs", "set", "--crop", "64"], 2, "--crop means nothing for --pairs"),
        (["--task", "denoise", "--data", "set", "--model", "nothing"], 3, "nothing"),
        (["--task", "denoise", "--data", "set", "--json", "set/gray.png/r.json"], 2, "is a file"),
        (["--compare", "set/gray.png", "set/gray.png"], 2, "not JSON"),
        (["--compare", "a.json", "a.json"], 2, "a.json"),
    ],
    ids=lambda v: " ".join(v) if isinstance(v, list) else "",
)
def test_usage(run: Program, data: Path, arguments: list[str], code: int, message: str) -> None:
    (data.parent / "empty").mkdir()
    result = run("evaluate", *arguments)
    assert result.exit_code == code
    (line,) = result.stderr.splitlines()
    assert message in line
    assert result.stdout == ""


@pytest.mark.slow
def test_the_command_draws(run: Program, toy_file: Path, tmp_path: Path) -> None:
    with Image.open(EXAMPLES / "coffee_small.png") as image:
        (tmp_path / "set").mkdir()
        image.crop((0, 0, 32, 32)).save(tmp_path / "set" / "a.png")
    options = ["--task", "denoise", "--data", "set", "--model", toy_file, "--level", "25", "--level", "50", "-q"]
    result = run("evaluate", *options, "--plot", "p.png")
    assert result.exit_code == 0, result.stderr
    with Image.open(tmp_path / "p.png") as image:
        assert image.width > 600
    again = run("evaluate", *options, "--plot", "p.png")
    assert again.exit_code == 2
    assert "p.png: exists" in again.stderr
