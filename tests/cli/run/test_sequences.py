"""Numbered pictures are restored as the frames of a clip."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from diffuse_cli.images.image_io import read_picture
from tests.helpers.program import Program

pytest.importorskip("cv2")

FIXED = ("--dtype", "fp32", "--threads", "1")


def frames(folder: Path, names: list[str]) -> None:
    folder.mkdir()
    for k, name in enumerate(names):
        levels = 120 + np.random.default_rng(k).normal(0, 15, (64, 64, 3))
        Image.fromarray(levels.clip(0, 255).astype(np.uint8)).save(folder / name)


def test_earlier_frames_tell_of_the_next_also_after_a_stop(run: Program, toy_file: Path, tmp_path: Path) -> None:
    frames(tmp_path / "in", [f"f{k}.png" for k in range(7, 13)])
    call = ("denoise", "in", "--noise", "15", "--model", toy_file, *FIXED, "--sequence")
    result = run(*call, "-o", "out/")
    assert result.exit_code == 0, result.stderr
    assert run(*call, "--temporal", "off", "-o", "alone/").exit_code == 0

    def change(folder: str) -> float:
        last, before = (read_picture(tmp_path / folder / f"f{k}.png").pixels for k in (12, 11))
        return float(np.std(last - before))

    assert change("out") < 0.8 * change("alone")
    whole = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    for k in (9, 12):
        (tmp_path / "out" / f"f{k}.png").unlink()
    again = run(*call, "-o", "out/", "--resume")
    assert again.exit_code == 0, again.stderr
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == whole


def test_what_is_no_sequence_is_refused(run: Program, toy_file: Path, tmp_path: Path) -> None:
    frames(tmp_path / "in", ["f1.png", "f2.png", "cover.png"])
    call = ("--noise", "15", "--model", toy_file, *FIXED, "--sequence", "-o", "out/")
    for names, message in (
        (["in"], "cover.png has no number in its name"),
        (["in/f1.png"], "f#.png has one frame"),
    ):
        result = run("denoise", *names, *call)
        assert (result.exit_code, message in result.stderr) == (2, True)
    assert not (tmp_path / "out").exists()
