"""`diffuse batch status` on the journals of real runs."""

import shutil
from pathlib import Path

import pytest

from tests.helpers.program import Program, json_lines


@pytest.fixture
def photos(cat: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in "abcd":
        shutil.copy(cat, folder / f"{name}.png")
    (folder / "d.png").write_bytes(b"no picture")
    return folder


def test_parts_of_a_batch(run: Program, photos: Path, toy_file: Path) -> None:
    line = ["denoise", "photos", "-o", "out/", "--noise", "20", "--model", toy_file, "--dtype", "fp32", "-q"]
    for part in (1, 2):
        run(*line, "--shard", f"{part}/3", "--journal", f"{part}.jsonl")
    ended = run("batch", "status", "1.jsonl", "2.jsonl")
    assert ended.exit_code == 1
    assert "not begun: denoise to" in ended.stdout
    assert "part 3 of 3" in ended.stdout
    run(*line, "--shard", "3/3", "--journal", "3.jsonl")
    journals = [f"{part}.jsonl" for part in (3, 1, 2)]
    *rest, summary = json_lines(run("batch", "status", *journals, "--json").stdout)
    assert [(one["status"], one["input"]) for one in rest] == [("failed", "photos/d.png")]
    assert "not a picture" in rest[0]["error"]
    assert summary == {
        "type": "batch", "outputs": 4, "done": 3, "missing": 0, "failed": 1, "doubled": 0, "unread_lines": 0,
        "parts": [],
    }  # fmt: skip
    shutil.copy(photos / "a.png", photos / "d.png")
    left = run("batch", "status", *journals, "--list", "left", "-0")
    assert (left.exit_code, left.stdout) == (1, "photos/d.png\0")
    assert run(*line, "--resume", "--journal", "4.jsonl").exit_code == 0
    all_of_it = run("batch", "status", *journals, "4.jsonl")
    assert (all_of_it.exit_code, all_of_it.stdout) == (0, "4 outputs: 4 done, 0 missing, 0 failed, 0 doubled\n")
    alone = run("batch", "status", "4.jsonl")
    assert alone.stdout == all_of_it.stdout, "what was found to be made is noted where no line told it"


def test_what_a_stopped_run_left_is_missing(run: Program, photos: Path) -> None:
    """A model that cannot be loaded stops a run after its plan is written down."""
    line = ["denoise", "photos", "-o", "out/", "--noise", "20", "--journal", "j", "--model", "in.png"]
    assert run(*line).exit_code == 3
    ended = run("batch", "status", "j")
    assert ended.exit_code == 1
    assert ended.stdout.startswith("4 outputs: 0 done, 4 missing, 0 failed, 0 doubled\nmissing: ")
    assert run("batch", "status", "j", "--list", "missing").stdout.split() == [f"photos/{name}.png" for name in "abcd"]
