"""diffuse restore, deblur and dejpeg."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from diffuse_cli.provenance import recipe
from tests.conftest import pixels
from tests.helpers.program import Program


def test_a_rerun_skips_and_a_changed_option_does_not(run: Program, cat: Path, toy_file: Path) -> None:
    line = ["restore", cat, "--model", toy_file, "-o", "out.png", "-f", "--resume", "--json"]

    def status(*more: str) -> str:
        result = run(*line, *more)
        assert result.exit_code == 0, result.stderr
        return str(json.loads(result.stdout.splitlines()[0])["status"])

    assert [status(), status(), status("--only", "noise"), status("--only", "noise")] == [
        "done", "skipped", "done", "skipped",
    ]  # fmt: skip
    found = recipe.read(cat.with_name("out.png"))
    assert found is not None
    assert (found["operation"], found["estimated"], found["jpeg"]) == ("restore", {"noise": "auto"}, 100)
    assert found["noise"] == pytest.approx(25, abs=3)


def test_a_jpeg_that_was_repaired_is_not_damaged_again(run: Program, cat: Path, toy_file: Path) -> None:
    with Image.open(cat) as image:
        image.save(cat.with_suffix(".jpg"), quality=20)
    assert run("dejpeg", cat.with_suffix(".jpg"), "--model", toy_file, "-q").exit_code == 0
    with Image.open(cat.with_name("in.dejpeg.jpg")) as result, Image.open(cat.with_suffix(".jpg")) as before:
        assert max(result.quantization[0]) <= 12 <= min(before.quantization[0])  # type: ignore[attr-defined]


def test_restore_with_a_mask_keeps_clean_pixels_exact(run: Program, cat: Path, toy_file: Path) -> None:
    line = ["restore", cat, "--model", toy_file, "--noise", "0", "--only", "noise", "--box", "20,20,9,9"]
    assert run(*line, "-o", "out.png").exit_code == 0
    before, after = pixels(cat).copy(), pixels(cat.with_name("out.png")).copy()
    assert not np.array_equal(before[20:29, 20:29], after[20:29, 20:29])
    before[20:29, 20:29] = after[20:29, 20:29] = 0
    assert np.array_equal(before, after)


@pytest.mark.parametrize(
    "line",
    [
        "restore in.png --only dust", "restore in.png --only jpeg --noise 5", "restore in.png --noise loud",
        "restore in.png --jpeg 0", "restore in.png --blur nan", "restore in.png --scale 9",
        "restore in.png --mask nosuch.png", "restore in.png --box 1,2,3", "deblur in.png --blur -1",
        "dejpeg in.png --jpeg 101", "estimate", "estimate nosuch.png", "estimate in.png --shard 0/2",
    ],
)  # fmt: skip
def test_usage(run: Program, cat: Path, line: str) -> None:
    result = run(*line.split())
    assert result.exit_code == 2, result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert list(cat.parent.iterdir()) == [cat]


def test_the_layer_is_what_was_filled_and_nothing_else(run: Program, cat: Path, toy_file: Path, tmp_path: Path) -> None:
    line = ["restore", cat, "--box", "20,10,30,20", "--noise", "20", "--model", toy_file]
    assert run(*line, "-o", "out.png", "--show-fill", "fill.png").exit_code == 0
    layer, after = pixels(tmp_path / "fill.png"), pixels(tmp_path / "out.png")
    hole = np.zeros((64, 96), bool)
    hole[10:30, 20:50] = True
    assert np.array_equal(layer[..., 3] == 255, hole)
    assert np.array_equal(layer[hole][:, :3], after[hole])
    assert not layer[~hole].any()
    enlarged = run(*line, "--scale", "2", "-o", "large.png", "--show-fill", "large_fill.png")
    assert enlarged.exit_code == 0, enlarged.stderr
    assert pixels(tmp_path / "large_fill.png").shape == (128, 192, 4)
