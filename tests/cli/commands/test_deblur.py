"""diffuse deblur of known kernels, and degrade, which makes them."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from diffuse_cli.degradation.kernels import motion
from diffuse_cli.provenance import recipe
from tests.conftest import pixels
from tests.helpers.program import Program


def psnr(a: Path, b: Path) -> float:
    return float(10 * np.log10(255**2 / np.square(pixels(a).astype(float) - pixels(b)).mean()))


@pytest.fixture
def clean(tmp_path: Path) -> Path:
    """Discs on a ramp: edges in all directions."""
    y, x = np.mgrid[:160, :200]
    picture = np.stack([x, y, x + y], 2) / 3.0
    for k in range(12):
        picture[np.hypot(y - 17 * (k % 9) - 9, x - 37 * (k % 5) - 20) < 11 - k % 5] = 25 * (k % 9)
    path = tmp_path / "clean.png"
    Image.fromarray(picture.astype(np.uint8)).save(path)
    return path


@pytest.mark.parametrize("blur", [["--motion", "9,30"], ["--defocus", "3"]])
def test_a_known_blur_is_undone_and_replayed(run: Program, clean: Path, blur: list[str]) -> None:
    assert run("degrade", clean, "-o", "soft.png", *blur, "--noise", "1").exit_code == 0
    assert json.loads(Path("soft.json").read_text())[blur[0][2:]] in (blur[1], float(blur[1].split(",")[0]))
    result = run("deblur", "soft.png", "-o", "sharp.png", *blur, "--dtype", "fp32")
    assert result.exit_code == 0, result.stderr
    assert psnr(Path("sharp.png"), clean) > psnr(Path("soft.png"), clean) + 6
    found = recipe.read(Path("sharp.png"))
    assert found is not None
    assert found["rounds"] == 3
    again = run("replay", "sharp.png", "--input", "soft.png")
    assert again.exit_code == 0, again.stdout + again.stderr
    refused = run("verify", "sharp.png", "--against", "soft.png")
    assert refused.exit_code == 2
    assert "replay" in refused.stderr


def test_a_kernel_may_be_a_picture(run: Program, clean: Path, toy_file: Path) -> None:
    weights = np.pad(motion(9, 30).weights, 3)
    Image.fromarray((weights / weights.max() * 255).astype(np.uint8)).save("k.png")
    assert run("degrade", clean, "-o", "soft.png", "--motion", "9,30").exit_code == 0
    line = ["deblur", "soft.png", "--model", toy_file, "--noise", "0", "--rounds", "0"]
    assert run(*line, "--kernel", "k.png", "-o", "a.png").exit_code == 0
    assert run(*line, "--motion", "9,30", "-o", "b.png").exit_code == 0
    assert psnr(Path("a.png"), Path("b.png")) > 30
    assert run("replay", "a.png", "--input", "soft.png", "--kernel", "k.png", "--model", toy_file).exit_code == 0
    missing = run("replay", "a.png", "--input", "soft.png", "--model", toy_file, "-f")
    assert missing.exit_code == 2
    assert "--kernel FILE" in missing.stderr


@pytest.mark.parametrize(
    "line",
    [
        "deblur in.png --motion 9", "deblur in.png --motion 9,30 --blur 2", "deblur in.png --defocus 0",
        "deblur in.png --defocus 2 --kernel in.png", "deblur in.png --kernel nosuch.png", "deblur in.png --rounds -1",
        "degrade in.png --motion a,b", "degrade in.png --motion 9,30 --defocus 3", "restore in.png --rounds 1000",
    ],
)  # fmt: skip
def test_usage(run: Program, cat: Path, line: str) -> None:
    result = run(*line.split())
    assert result.exit_code == 2, result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert list(cat.parent.iterdir()) == [cat]
