"""diffuse super-resolve."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from diffuse_cli import SuperResolve
from diffuse_cli import restore as restore_any
from tests.conftest import EXAMPLES, pixels
from tests.helpers.program import Program


@pytest.mark.parametrize(
    ("options", "size"),
    [
        (["--scale", "1.37"], (132, 88)),
        (["--to-size", "300x100"], (150, 100)),
        (["--long-edge", "120"], (120, 80)),
    ],
)
def test_super_resolve_sizes(run: Program, cat: Path, options: list[str], size: tuple[int, int]) -> None:
    assert run("super-resolve", cat, *options, "-o", "out.png").exit_code == 0
    with Image.open(cat.with_name("out.png")) as image:
        assert image.size == size


def test_gray_stays_gray(run: Program, cat: Path) -> None:
    gray, rgb = cat.with_name("gray.png"), cat.with_name("rgb.png")
    with Image.open(cat) as image:
        image.convert("L").save(gray)
        image.convert("L").convert("RGB").save(rgb)
    assert run("super-resolve", "--scale", "2", "--steps", "2", gray, rgb, "-o", "out/").exit_code == 0
    one, three = pixels(cat.parent / "out" / "gray.png"), pixels(cat.parent / "out" / "rgb.png")
    assert one.ndim == 2
    assert np.array_equal(three, np.repeat(one[..., None], 3, 2))


def test_python_and_the_program(run: Program, cat: Path, toy_file: Path) -> None:
    result = run("super-resolve", cat, "--scale", "1.7", "--consistent", "-o", "o.png", "--model", toy_file)
    assert result.exit_code == 0, result.stderr
    assert "--consistent enlarges its noise" in result.stderr
    made = restore_any(str(cat), SuperResolve(scale=1.7, consistent=True), model=toy_file)
    with Image.open(cat.with_name("o.png")) as image:
        np.testing.assert_array_equal(np.asarray(image), np.asarray(made))


def test_the_colour_under_transparent_pixels_makes_no_fringe(tmp_path: Path, run: Program) -> None:
    """A white disc on transparent black: enlarged, every pixel that is seen is white."""
    y, x = np.mgrid[0:40, 0:40] - 19.5
    disc = np.hypot(x, y) < 15
    rgba = np.dstack([disc * np.uint8(255)] * 4).astype(np.uint8)
    Image.fromarray(rgba).save(tmp_path / "in.png")
    assert run("super-resolve", "in.png", "--scale", "2", "-o", "large.png").exit_code == 0
    with Image.open(tmp_path / "large.png") as image:
        large = np.array(image)
    seen = large[..., 3] > 0
    assert 0.3 < seen.mean() < 0.6
    assert large[seen][:, :3].min() > 245
    assert run("denoise", "in.png", "--noise", "20", "-o", "calm.png").exit_code == 0
    with Image.open(tmp_path / "calm.png") as image:
        calm = np.array(image)
    assert np.array_equal(calm[~disc], rgba[~disc])
    assert calm[disc][:, :3].min() > 245


def test_a_noisy_jpeg_is_explained_and_made_again(run: Program, tmp_path: Path) -> None:
    """Its noise and its blocks are not enlarged; verify degrades the result with both, and replay finds them again."""
    with Image.open(EXAMPLES / "rocket_noisy.jpg") as image:
        image.crop((64, 64, 256, 256)).save(tmp_path / "in.jpg", quality=85)
    made = run("super-resolve", "in.jpg", "-o", "large.png")
    assert made.exit_code == 0, made.stderr
    assert "JPEG quality 85, noise of" in made.stderr
    assert run("verify", "large.png", "--against", "in.jpg").exit_code == 0
    again = run("replay", "large.png", "--input", "in.jpg", "-o", "again.png")
    assert again.exit_code == 0, again.stderr
    assert np.array_equal(pixels(tmp_path / "large.png"), pixels(tmp_path / "again.png"))
