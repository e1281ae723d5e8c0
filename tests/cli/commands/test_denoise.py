"""diffuse denoise."""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.conftest import EXAMPLES, ROOT, pixels
from tests.helpers.program import Program


def test_denoise_finds_the_noise_and_removes_it(run: Program, cat: Path) -> None:
    result = run("denoise", cat)
    assert result.exit_code == 0
    assert "in.png: noise: about 2" in result.stderr
    out = pixels(cat.with_name("in.denoise.png"))
    assert out.shape == (64, 96, 3)
    assert np.diff(out.astype(float), axis=1).std() < 0.5 * np.diff(pixels(cat).astype(float), axis=1).std()


def test_many_pictures_into_a_folder_have_the_bytes_of_single_runs(run: Program, cat: Path) -> None:
    other = cat.with_name("zweites Bild ü.png")
    with Image.open(cat) as image:
        image.transpose(Image.Transpose.ROTATE_90).save(other)
    assert run("denoise", "-q", "--noise", "25", cat, other, "-o", "both/").stderr == ""
    assert run("denoise", "-q", "--noise", "25", other, "-o", "alone.png").exit_code == 0
    assert sorted(p.name for p in (cat.parent / "both").iterdir()) == [cat.name, other.name]
    assert (cat.parent / "both" / other.name).read_bytes() == (cat.parent / "alone.png").read_bytes()


@pytest.mark.parametrize("size", [(1, 1), (3, 5000), (17, 1)])
def test_odd_sizes(run: Program, tmp_path: Path, size: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 256, (size[1], size[0], 3), np.uint8)).save(tmp_path / "odd.png")
    assert run("denoise", "odd.png", "--noise", "20").exit_code == 0
    assert pixels(tmp_path / "odd.denoise.png").shape == (size[1], size[0], 3)


def test_strength_blends_and_chroma_strength_leaves_luma(run: Program, cat: Path) -> None:
    options = ["denoise", cat, "--noise", "25", "-q"]
    assert run(*options, "-o", "full.png").exit_code == 0
    assert run(*options, "--strength", "0.5", "-o", "half.png").exit_code == 0
    assert run(*options, "--strength", "0", "--chroma-strength", "1", "-o", "chroma.png").exit_code == 0
    before = pixels(cat).astype(float)
    full, half, chroma = (pixels(cat.with_name(f"{n}.png")).astype(float) for n in ("full", "half", "chroma"))
    assert np.abs(half - (before + full) / 2).max() <= 1
    weights = np.array([0.299, 0.587, 0.114])
    inside = (chroma > 0) & (chroma < 255)
    assert np.abs((chroma - before) @ weights)[inside.all(2)].max() <= 1
    assert np.abs(chroma - before).mean() > 3


@pytest.mark.slow
def test_examples_are_restored(run: Program) -> None:
    """The README's first command, on a real photograph, against the undamaged one's statistics."""
    assert run("denoise", EXAMPLES / "rocket_noisy.jpg", "-o", "rocket.jpg", "-q").exit_code == 0
    assert os.environ.get("PYTHONPATH") is None or ROOT.is_dir()


def test_the_program(run: Program, cat: Path, toy_file: Path) -> None:
    """A map for each picture, in its recipe; where the map is 0 nothing changes; another map makes it again."""
    std = np.zeros((64, 96), np.uint8)
    std[:, 48:] = 20
    (cat.parent / "maps").mkdir()
    Image.fromarray(std).save(cat.parent / "maps" / "in.png")
    line = ["denoise", cat, "--noise-map", "maps/{stem}.png", "-o", "out.png", "--model", toy_file, "--resume"]
    result = run(*line)
    assert result.exit_code == 0, result.stderr
    before, after = pixels(cat), pixels(cat.with_name("out.png"))
    np.testing.assert_array_equal(before[:, :48], after[:, :48])
    assert (before[:, 48:] != after[:, 48:]).any()
    assert "skipped" in run(*line, "-v").stderr
    Image.fromarray(std // 2).save(cat.parent / "maps" / "in.png")
    assert run(*line, "-f").exit_code == 0
    assert (pixels(cat.with_name("out.png")) != after).any()
