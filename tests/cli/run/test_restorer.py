"""Samples, their mean and their maps through the command, with the tiny network, on in.png."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from diffuse_cli.provenance import recipe
from tests.conftest import pixels
from tests.helpers.program import Program


@pytest.fixture
def denoise(run: Program, toy_file: Path, cat: Path) -> Program:
    options = ["--noise", "20", "--model", toy_file, "--dtype", "fp32", "--threads", "1", "-q"]
    return lambda *more, **how: run("denoise", *more, *options, **how)


def test_every_output_is_named_made_once_and_tells_its_own_recipe(denoise: Program, tmp_path: Path) -> None:
    line = [
        "in.png", "--samples", "3", "--steps", "2", "--uncertainty", "maps/", "--uncertainty-view",
        "{stem}.view{ext}", "--trace", "{stem}.trace.png",
    ]  # fmt: skip
    result = denoise(*line)
    assert result.exit_code == 0, result.stderr
    names = [*(f"in.denoise.{k}.png" for k in range(3)), "maps/in.png", "in.view.png", "in.trace.png"]
    made = {name: (tmp_path / name).read_bytes() for name in names}
    assert len(set(made.values())) == len(names)
    told = [recipe.read(tmp_path / name) or {} for name in names]
    assert [one.get("sample") for one in told] == [0, 1, 2, None, None, 0]
    assert [one.get("part") for one in told] == [None, None, None, "uncertainty", "uncertainty-view", "trace"]
    assert told[3]["samples"] == 3
    assert denoise(*line).exit_code == 2, "they exist"
    (tmp_path / names[1]).unlink()
    (tmp_path / names[3]).unlink()
    assert denoise(*line, "--resume").exit_code == 0
    assert {name: (tmp_path / name).read_bytes() for name in names} == made
    other = denoise(*line, "--resume", "--seed", "1", "--dry-run").stdout
    assert other == "", "another recipe, so nothing is skipped, and what is there is not replaced"
    samples = np.stack([pixels(tmp_path / name).astype(float) for name in names[:3]])
    std = pixels(tmp_path / "maps/in.png") / 256
    expected = np.sqrt(samples.var(0, ddof=1).mean(2))
    assert np.abs(std - expected)[(samples.min(0) > 0).all(2) & (samples.max(0) < 255).all(2)].max() < 0.8


def test_one_more_sample_changes_none_before_it(denoise: Program, tmp_path: Path) -> None:
    for count in (2, 3):
        line = ["in.png", "--samples", str(count), "--steps", "2", "-o", f"out{count}/"]
        assert denoise(*line).exit_code == 0
    for k in range(2):
        assert (tmp_path / f"out2/in.{k}.png").read_bytes() == (tmp_path / f"out3/in.{k}.png").read_bytes()
    assert denoise("in.png", "--steps", "2", "-o", "one.png").exit_code == 0
    assert np.array_equal(pixels(tmp_path / "one.png"), pixels(tmp_path / "out3/in.0.png"))


def test_the_average_is_the_samples_mean_in_one_file(denoise: Program, tmp_path: Path) -> None:
    np.save(tmp_path / "in.npy", np.asarray(Image.open(tmp_path / "in.png"), np.float32) / 255)
    line = ["in.npy", "--samples", "3", "--steps", "2"]
    assert denoise(*line).exit_code == 0
    assert denoise(*line, "--average", "-o", "average.npy").exit_code == 0
    samples = [np.load(tmp_path / f"in.denoise.{k}.npy") for k in range(3)]
    assert np.allclose(np.load(tmp_path / "average.npy"), np.mean(samples, 0), atol=1e-6)


def test_every_result_can_be_replayed(run: Program, denoise: Program, toy_file: Path) -> None:
    """A sample, their mean and their std are made again, byte for byte, from what they say of themselves."""
    line = ["in.png", "--samples", "3", "--steps", "2", "--fidelity", "0.5"]
    assert denoise(*line, "--uncertainty", "u.png", "--trace", "t.png").exit_code == 0
    assert denoise(*line, "--average", "-o", "average.png").exit_code == 0
    for made in ("in.denoise.2.png", "u.png", "t.png", "average.png"):
        result = run("replay", made, "--input", "in.png", "--model", toy_file, "--threads", "1")
        assert result.exit_code == 0, result.output
        assert "the same bytes" in result.output


def test_stdin_is_read_once(denoise: Program, tmp_path: Path) -> None:
    """A picture through the pipe, and its map beside it."""
    line = ["-", "--uncertainty", "u.png", "--samples", "2", "--average", "--steps", "2"]
    result = denoise(*line, stdin=(tmp_path / "in.png").read_bytes())
    assert result.exit_code == 0, result.stderr
    with Image.open(io.BytesIO(result.stdout_bytes)) as image:
        assert image.size == (96, 64)
    assert pixels(tmp_path / "u.png").shape == (64, 96)
    two = denoise("in.png", "-o", "-", "--samples", "2")
    assert two.exit_code == 2
    assert "--average" in two.stderr


def test_pages_depth_and_alpha(denoise: Program, tmp_path: Path) -> None:
    levels = np.random.default_rng(0).integers(0, 65536, (20, 24, 4), np.uint16)
    levels[:5, ..., 3] = 0
    import tifffile

    with tifffile.TiffWriter(tmp_path / "deep.tif") as file:
        for _ in range(2):
            file.write(levels[..., :3], photometric="rgb")
    wrong = denoise("deep.tif", "--samples", "2", "--uncertainty", "u.png")
    assert wrong.exit_code == 1
    assert "2 pages" in wrong.stderr
    line = ["deep.tif", "-f", "--samples", "2", "--steps", "2", "--uncertainty", "u.tif"]
    result = denoise(*line)
    assert result.exit_code == 0, result.stderr
    with tifffile.TiffFile(tmp_path / "u.tif") as file:
        assert [page.asarray().dtype for page in file.pages] == [np.uint16] * 2
    with tifffile.TiffFile(tmp_path / "deep.denoise.1.tif") as file:
        assert [page.asarray().shape for page in file.pages] == [(20, 24, 3)] * 2
    Image.fromarray((levels >> 8).astype(np.uint8), "RGBA").save(tmp_path / "alpha.png")
    assert denoise("alpha.png", "--uncertainty", "a.png", "--steps", "2", "--samples", "2").exit_code == 0
    assert (pixels(tmp_path / "a.png")[:5] == 0).all(), "what nobody sees is not changed"


@pytest.mark.parametrize(
    "line",
    [
        ["--steps", "1", "--fidelity", "0.5"],
        ["--steps", "1", "--samples", "2"],
        ["--average"],
        ["--trace", "t.png"],
        ["--uncertainty", "u.jpg"],
        ["--uncertainty", "-"],
        ["--uncertainty", "in.png"],
        ["--uncertainty", "u.png", "--uncertainty-view", "u.png"],
        ["--uncertainty", "{nosuch}.png"],
        ["--samples", "2", "-o", "one.png"],
        ["--uncertainty", "in.png/u.png"],
    ],
    ids=" ".join,
)
def test_usage_errors_come_first(denoise: Program, line: list[str], tmp_path: Path) -> None:
    result = denoise("in.png", *line)
    assert result.exit_code == 2
    assert len(result.stderr.splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["in.png"]
