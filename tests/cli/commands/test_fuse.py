"""diffuse fuse, and super-resolve --from-burst."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.conftest import pixels
from tests.helpers.copies import moved, scene
from tests.helpers.program import Program

pytest.importorskip("cv2")

SIDE = 80


@pytest.fixture
def copies(tmp_path: Path) -> Path:
    """Three copies of one picture, and one of another."""
    rng = np.random.default_rng(0)
    for k, (name, noise) in enumerate((("a.png", 8), ("b.jpg", 8), ("c.png", 40), ("other.png", 8))):
        clean = scene(int(name == "other.png"), SIDE)
        shown = (moved(clean, (0.7 * k, -0.4 * k)) + 1) * 127.5 + rng.normal(0, noise, clean.shape)
        Image.fromarray(np.clip(shown.round(), 0, 255).astype(np.uint8)).save(tmp_path / name, quality=92)
    return tmp_path


def test_copies_become_one_picture(run: Program, copies: Path, toy_file: Path) -> None:
    line = ("fuse", "a.png", "b.jpg", "c.png", "--model", toy_file, "-o", "best.png", "--weights", "w.png")
    done = run(*line, "--json")
    assert done.exit_code == 0, done.stderr
    assert "fused 3 copies: a.png" in done.stderr
    told = json.loads(done.stdout.splitlines()[0])
    assert told["copies"] == ["a.png", "b.jpg", "c.png"]
    shares = told["recipe"]["shares"]
    assert sum(shares) == pytest.approx(1, abs=0.001)
    assert shares[2] < 0.1
    with Image.open(copies / "w.png") as maps:
        weights = np.asarray(maps, np.float64).reshape(3, SIDE, SIDE) / 65535
    assert weights.sum(0) == pytest.approx(1, abs=1e-3)
    assert weights.mean((1, 2)) == pytest.approx(shares, abs=1e-3)
    again = run(*line, "--resume", "--json")
    assert json.loads(again.stdout.splitlines()[0])["status"] == "skipped"
    given = ("--input", "a.png", "--copy", "c.png", "--copy", "b.jpg", "--model", toy_file)
    assert "same bytes" in run("replay", "best.png", *given).stdout
    assert run("replay", "best.png", *given[:4], *given[6:], "-o", "none.png").exit_code == 2


def test_another_picture_is_refused_by_name_or_left_out(run: Program, copies: Path, toy_file: Path) -> None:
    line = ("fuse", "a.png", "b.jpg", "other.png", "--model", toy_file, "-o", "best.png")
    refused = run(*line)
    assert refused.exit_code == 1
    assert "other.png: does not show what a.png shows" in refused.stderr
    assert not (copies / "best.png").exists()
    left = run(*line, "--unlike", "leave-out", "--json")
    assert left.exit_code == 0
    assert "other.png: shows something else, and is left out" in left.stderr
    assert json.loads(left.stdout.splitlines()[0])["recipe"]["shares"][2] == 0


def test_what_makes_no_sense_is_refused(run: Program, copies: Path, toy_file: Path) -> None:
    for words, why in (
        (("a.png", "-o", "x.png"), "two or more"),
        (("a.png", "b.jpg", "--to", "c.png", "-o", "x.png"), "none of the pictures"),
        (("a.png", "b.jpg", "-o", "b.jpg", "-f"), "is an input"),
        (("a.png", "b.jpg", "--scale", "9", "-o", "x.png"), "--scale"),
        (("a.png", "b.jpg", "--group-by", "size", "-o", "x.png"), "--group-by"),
    ):
        result = run("fuse", *words, "--model", toy_file)
        assert result.exit_code == 2, result.stderr
        assert why in result.stderr
    assert run("super-resolve", "a.png", "b.jpg", "--from-burst", "--plain", "--model", toy_file).exit_code == 2


def test_a_burst_is_enlarged_on_the_pixels_of_its_reference(run: Program, copies: Path, toy_file: Path) -> None:
    line = ("super-resolve", "--from-burst", "a.png", "b.jpg", "--scale", "1.5", "--model", toy_file, "-o", "large.png")
    assert run(*line).exit_code == 0
    assert pixels(copies / "large.png").shape == (120, 120, 3)
    assert run("fuse", "a.png", "b.jpg", "--to", "b.jpg", "--model", toy_file).exit_code == 0
    assert (copies / "b.fuse.jpg").exists()


def test_folders_are_grouped(run: Program, copies: Path, toy_file: Path) -> None:
    (copies / "shots").mkdir()
    for name, second in (("a.png", 1), ("c.png", 2), ("other.png", 50)):
        exif = Image.Exif()
        exif[0x8769] = {0x9003: f"2026:03:02 14:59:{second:02d}"}
        with Image.open(copies / name) as image:
            image.save(copies / "shots" / name, exif=exif)
    done = run("fuse", "shots", "-o", "fused/", "--model", toy_file)
    assert done.exit_code == 0, done.stderr
    assert [path.name for path in (copies / "fused").iterdir()] == ["a.png"]
    assert "1 picture without another copy (other.png)" in done.stderr
