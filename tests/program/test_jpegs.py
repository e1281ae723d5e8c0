"""JPEGs through the installed program: what needs nothing is copied, and what is damaged is told."""

import random
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from diffuse_cli.images.jpeg_data import coded_picture
from tests.conftest import EXAMPLES, Run, pixels
from tests.helpers.program import json_lines

pytestmark = pytest.mark.program


@pytest.mark.parametrize("command", ["denoise", "restore"])
def test_a_jpeg_that_needs_nothing_is_copied(command: str, diffuse: Run, tmp_path: Path) -> None:
    with Image.open(EXAMPLES / "coffee_small.png") as image:
        image.convert("RGB").crop((0, 0, 150, 90)).save(tmp_path / "a.jpg", quality=95, comment=b"mine")
    done = diffuse(command, "a.jpg", "-o", "b.jpg")
    assert done.returncode == 0, done.stderr
    assert b"b.jpg: nothing was changed, so the coded picture was copied" in done.stderr
    before, after = ((tmp_path / name).read_bytes() for name in ("a.jpg", "b.jpg"))
    assert coded_picture(before) == coded_picture(after)
    assert b"mine" in after
    assert b"diffuse" in after
    np.testing.assert_array_equal(pixels(tmp_path / "a.jpg"), pixels(tmp_path / "b.jpg"))


@pytest.fixture
def cut(tmp_path: Path) -> Path:
    """A JPEG whose lower half is missing."""
    with Image.open(EXAMPLES / "coffee_small.png") as image:
        image.convert("RGB").crop((0, 0, 150, 90)).save(tmp_path / "cut.jpg", quality=90)
    data = (tmp_path / "cut.jpg").read_bytes()
    (tmp_path / "cut.jpg").write_bytes(data[: len(data) * 6 // 10])
    return tmp_path / "cut.jpg"


def test_damaged_jpegs_are_kept_refused_or_filled(diffuse: Run, cut: Path, tmp_path: Path) -> None:
    kept = diffuse("denoise", cut, "-o", "kept.png", "-q")
    assert kept.returncode == 0, kept.stderr
    assert b"rows are missing" in kept.stderr
    assert b"--damaged inpaint fills them" in kept.stderr
    refused = diffuse("denoise", cut, "-o", "refused.png", "--damaged", "refuse")
    assert refused.returncode == 1
    assert b"cut.jpg: damaged: " in refused.stderr
    assert not (tmp_path / "refused.png").exists()
    filled = diffuse("denoise", cut, "-o", "filled.png", "--damaged", "inpaint")
    assert b"are missing (" in filled.stderr
    assert b") and filled" in filled.stderr
    a, b = pixels(tmp_path / "kept.png"), pixels(tmp_path / "filled.png")
    np.testing.assert_array_equal(a[:32], b[:32])
    assert a[-8:].std() < 1
    assert b[-8:].std() > 3
    again = diffuse("replay", "filled.png", "--input", cut)
    assert again.returncode == 0, again.stdout


def test_destroyed_rows_between_restart_markers_are_filled(diffuse: Run, tmp_path: Path) -> None:
    with Image.open(EXAMPLES / "rocket_noisy.jpg") as image:
        image.crop((100, 60, 340, 300)).save(tmp_path / "whole.jpg", quality=85, restart_marker_rows=1)
    data = (tmp_path / "whole.jpg").read_bytes()
    at = len(data) // 2
    (tmp_path / "broken.jpg").write_bytes(data[:at] + random.Random(0).randbytes(40) + data[at + 40 :])
    kept = diffuse("denoise", "broken.jpg", "--noise", "0", "-o", "kept.png", "-q")
    assert b"doubtful" in kept.stderr
    assert b"--damaged inpaint fills them" in kept.stderr
    filled = diffuse("denoise", "broken.jpg", "--noise", "0", "-o", "filled.png", "--damaged", "inpaint")
    assert b") and filled" in filled.stderr
    whole, a, b = (pixels(tmp_path / name).astype(float) for name in ("whole.jpg", "kept.png", "filled.png"))
    wrong = (a != whole).any(axis=2)
    assert 0 < wrong.mean() < 0.2
    assert np.square(b - whole).mean() < 0.5 * np.square(a - whole).mean()


def test_a_batch_goes_on_behind_a_refused_file(diffuse: Run, cut: Path, cat: Path) -> None:
    done = diffuse("denoise", cut, cat, "-o", "out/", "--damaged", "refuse")
    assert done.returncode == 1
    assert (cat.parent / "out" / cat.name).exists()
    assert b"1 of 2 pictures failed" in done.stderr


def test_estimate_and_degrade_tell_damage(diffuse: Run, cut: Path) -> None:
    assert b"damaged: " in diffuse("estimate", cut).stdout
    (line, _) = json_lines(diffuse("estimate", cut, "--json").stdout)
    assert "rows are missing" in line["damage"]
    assert b"rows are missing" in diffuse("degrade", cut, "--noise", "9", "-o", "d.png").stderr
    assert diffuse("degrade", cut, "--noise", "9", "-o", "e.png", "--damaged", "refuse").returncode == 1
    assert diffuse("degrade", cut, "--noise", "9", "-o", "f.png", "--damaged", "inpaint").returncode == 2
