"""diffuse models, and models of other programs in the commands."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from diffuse_cli.diffusion import checkpoint
from diffuse_cli.evaluation.report import between_models
from diffuse_cli.provenance import recipe
from tests.conftest import pixels
from tests.helpers.foreign import denoiser, enlarger, prior
from tests.helpers.program import Program


def test_models_list_info_verify(run: Program) -> None:
    listed = [line.split("\t")[0] for line in run("models", "list").stdout.splitlines()]
    assert listed == ["fashion", "photo", "photo-fast"]
    assert "sha256: " in run("models", "info").stdout
    assert run("models", "verify", "photo").exit_code == 0


@pytest.fixture
def given(run: Program, tmp_path: Path) -> Program:
    """The program, with models that were imported by it."""
    pytest.importorskip("spandrel")
    for name, weights, more in (
        ("prior", prior(told=0.0), ()), ("twice", enlarger(), ()), ("minus", denoiser(3), ("--noise", "25")),
    ):  # fmt: skip
        torch.save(weights, tmp_path / f"{name}.pth")
        done = run("models", "import", f"{name}.pth", *more)
        assert done.exit_code == 0, done.stderr
        assert f"--model {name}" in done.stdout
    return run


def test_imported_models_are_listed_checked_and_removed(given: Program, tmp_path: Path) -> None:
    listed = dict(line.split("\t")[::2] for line in given("models", "list").stdout.splitlines())
    assert listed["photo"] == "checkpoint of diffuse"
    assert listed["twice"] == "imported: Compact, super-resolve x2, colour"
    told = given("models", "info", "minus").stdout
    for line in ("architecture: DnCNN", "noise: 25.0", "commands: denoise, restore", "margin: 16"):
        assert line in told
    assert "as stated" in given("models", "verify", "twice").stdout
    assert given("models", "remove", "twice").exit_code == 0
    gone = given("models", "verify", "twice")
    assert gone.exit_code == 3
    assert "no such model" in gone.stderr


def test_a_file_that_is_damaged_later_is_found(given: Program) -> None:
    path = checkpoint.find("twice")
    data = bytearray(path.read_bytes())
    data[-3] ^= 0x10
    path.write_bytes(data)
    found = given("models", "verify", "twice")
    assert found.exit_code == 3
    assert len(found.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    "line",
    [
        "denoise in.png --model twice", "super-resolve in.png --model prior", "enhance in.png --model prior",
        "inpaint in.png --box 1,1,5,5 --model minus", "generate --model twice",
        "denoise in.png --model minus --noise 9",
        "denoise in.png --model minus --samples 3", "restore in.png --model minus --box 1,1,5,5",
        "super-resolve in.png --model twice --backend ncnn", "denoise in.png --model prior.pth",
        "evaluate --task denoise --data . --model twice", "super-resolve in.png --model twice --damaged inpaint",
        "evaluate --task denoise --data . --model prior --model prior",
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_in_one_line(given: Program, cat: Path, tmp_path: Path, line: str) -> None:
    before = set(tmp_path.iterdir())
    refused = given(*line.split())
    assert refused.exit_code in (2, 3), refused.stderr
    assert len(refused.stderr.splitlines()) == 1
    assert set(tmp_path.iterdir()) == before


def test_results_name_their_model_and_are_made_again(given: Program, cat: Path, tmp_path: Path) -> None:
    lines = {
        "large.png": ["super-resolve", "--model", "twice", "--scale", "3", "--consistent"],
        "clean.png": ["denoise", "--model", "prior", "--noise", "20", "--fidelity", "0", "--steps", "2"],
        "minus.png": ["restore", "--model", "minus"],
    }
    for name, (op, *options) in lines.items():
        done = given(op, "in.png", "-o", name, *options)
        assert done.exit_code == 0, done.stderr
        told = recipe.read(tmp_path / name)
        assert told is not None
        assert told["foreign"]["name"] == options[1]
        assert told["checkpoint"] == checkpoint.file_sha256(checkpoint.find(options[1]))
        assert told["foreign"]["source"] == checkpoint.file_sha256(tmp_path / f"{options[1]}.pth")
        again = given("replay", name, "--input", "in.png", "-f")
        assert again.exit_code == 0, again.stdout + again.stderr
        assert "the same bytes" in again.stdout
    assert pixels(tmp_path / "large.png").shape == (192, 288, 3)
    expected = np.maximum(pixels(cat).astype(float) - 25.5, 0)
    assert abs(pixels(tmp_path / "minus.png") - expected).max() <= 0.51


def test_replay_asks_for_a_model_that_is_gone(given: Program, cat: Path) -> None:
    given("restore", "in.png", "-o", "out.png", "--model", "minus")
    given("models", "remove", "minus")
    again = given("replay", "out.png", "--input", "in.png")
    assert again.exit_code == 3
    assert "not installed" in again.stderr


def test_models_are_compared_on_the_same_pictures(given: Program, cat: Path, tmp_path: Path, toy_file: Path) -> None:
    (tmp_path / "set").mkdir()
    with Image.open(cat) as image:
        image.save(tmp_path / "set" / "a.png")
    line = ["evaluate", "--task", "denoise", "--data", "set", "--level", "25", "--json", "-", "-q"]
    done = given(*line, "--model", str(toy_file), "--model", "prior", "--model", "minus")
    assert done.exit_code == 0, done.stderr
    report = json.loads(done.stdout)
    methods = [row["method"] for row in report["rows"]]
    assert {"toy", "prior", "minus"} <= set(methods)
    assert [model["name"] for model in report["models"]] == ["toy", "prior", "minus"]
    by_name = {row["method"]: row["mean"]["psnr"] for row in report["rows"]}
    assert by_name["prior"] == pytest.approx(20.17, abs=0.6)  # it leaves the noise as it is
    paired = between_models(report)
    changes = {one.row.split(", ")[-1]: one.mean for one in paired if one.measure == "psnr"}
    assert changes == {name: pytest.approx(by_name[name] - by_name["toy"]) for name in ("prior", "minus")}


def test_a_batch_says_what_was_found_and_goes_on_after_a_bad_file(given: Program, cat: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.png").write_bytes(b"no picture")
    done = given("super-resolve", "in.png", "bad.png", "--model", "twice", "-o", "out/")
    assert done.exit_code == 1
    assert "bad.png" in done.stderr
    assert pixels(tmp_path / "out" / "in.png").shape == (128, 192, 3)


def test_without_arguments_it_lists_them(run: Program) -> None:
    alone = run("models")
    assert alone.exit_code == 0
    assert alone.stdout == run("models", "list").stdout
    assert "photo\t" in alone.stdout
