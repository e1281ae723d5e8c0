"""Text-conditioned pipelines of diffusers, on one of random weights that is made here."""

import logging
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from diffuse_cli.diffusion import checkpoint
from diffuse_cli.diffusion.foreign import text
from diffuse_cli.diffusion.foreign.model import load_any
from diffuse_cli.diffusion.foreign.text import Prompt, TextModel
from diffuse_cli.diffusion.settings import Settings
from diffuse_cli.errors import CheckpointError, PictureError
from diffuse_cli.images.source_type import EDITED, GENERATED, VOCABULARY
from diffuse_cli.provenance import recipe
from tests.conftest import pixels
from tests.helpers.folders import text_folder
from tests.helpers.program import Program

pytest.importorskip("diffusers")
pytest.importorskip("transformers")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with pytest.warns(FutureWarning):
        return text_folder(tmp_path_factory.mktemp("pipelines") / "toy")


@pytest.fixture
def toy(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "toy"))


@pytest.fixture
def drawer(made: Path) -> TextModel:
    model = load_any(made, device="cpu")
    assert isinstance(model, TextModel)
    return model.told(Prompt(text="a cat"))


def test_a_picture_is_that_of_diffusers(drawer: TextModel, made: Path) -> None:
    from diffusers import StableDiffusionPipeline

    pipeline = StableDiffusionPipeline.from_pretrained(made, local_files_only=True)
    generator = torch.Generator().manual_seed(7)
    wanted = pipeline("a cat", num_inference_steps=3, generator=generator, output_type="pt").images
    ours = drawer.drawn((32, 32), Settings(steps=3, seed=7))
    torch.testing.assert_close(ours, 2 * wanted - 1)
    assert (drawer.natural_size, drawer.header.multiple, drawer.scheduler) == ((32, 32), 2, "DDIMScheduler")


def test_prompt_seed_and_sample_decide(drawer: TextModel) -> None:
    how = Settings(steps=2)
    one = drawer.drawn((32, 32), how)
    others = [
        drawer.told(Prompt(text="a dog")).drawn((32, 32), how),
        drawer.told(Prompt(text="a cat", negative="dogs")).drawn((32, 32), how),
        drawer.told(Prompt(text="a cat", guidance=1.0)).drawn((32, 32), how),
        drawer.drawn((32, 32), Settings(steps=2, seed=1)), drawer.drawn((32, 32), Settings(steps=2, sample=1)),
    ]  # fmt: skip
    assert all((one - other).abs().max() > 1e-4 for other in others)
    torch.testing.assert_close(drawer.drawn((32, 32), how), one)


def test_sizes_are_those_of_the_training(drawer: TextModel) -> None:
    assert drawer.fitting((32, 32)) == (32, 32)
    assert drawer.fitting((300, 150)) == (46, 22)
    assert drawer.fitting((8, 8)) == (32, 32)


COMMANDS: dict[str, tuple[list[str], str]] = {
    "drawn.png": (["generate", "--size", "32x16"], GENERATED),
    "filled.png": (["inpaint", "in.png", "--box", "20,20,10,8", "--feather", "3", "--negative-prompt", "dog"], EDITED),
    "larger.png": (["extend", "in.png", "--pad", "6"], EDITED),
    "again.png": (["stylize", "in.png", "--strength", "0.6", "--guidance", "3", "--mask", "mask.png"], EDITED),
}


def test_every_command_keeps_what_is_known_and_can_be_repeated(
    run: Program, toy: Path, cat: Path, tmp_path: Path
) -> None:
    mask = np.zeros((64, 96), np.uint8)
    mask[10:40, 10:50] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    digest = checkpoint.file_sha256(toy)
    for name, (line, kind) in COMMANDS.items():
        done = run(*line, "--model", "toy", "--prompt", "a cat", "--steps", "2", "-o", name)
        assert done.exit_code == 0, done.stderr
        assert "licence: openrail; it has no safety checker" in done.stderr
        told = recipe.read(tmp_path / name)
        assert told is not None
        assert (told["prompt"], told["seed"], told["checkpoint"]) == ("a cat", 0, digest)
        assert told["foreign"]["scheduler"] == "DDIMScheduler"
        assert VOCABULARY.encode() + kind.encode() + b'"' in (tmp_path / name).read_bytes()
        given = ["--input", "in.png"] if "in.png" in line else []
        given += ["--mask", "mask.png"] if "mask.png" in line else []
        again = run("replay", name, *given, "--model", "toy")
        assert again.exit_code == 0, again.stdout + again.stderr
        assert "the same bytes" in again.stdout
    before, hole = pixels(cat), np.zeros((64, 96), bool)
    hole[20:28, 20:30] = True
    filled = pixels(tmp_path / "filled.png")
    assert (filled[~hole] == before[~hole]).all()
    assert np.abs(filled[hole].astype(int) - before[hole]).mean() > 3
    larger = pixels(tmp_path / "larger.png")
    assert larger.shape == (76, 108, 3)
    assert (larger[6:70, 6:102] == before).all()
    again_drawn = pixels(tmp_path / "again.png")
    assert (again_drawn[mask == 0] == before[mask == 0]).all()
    assert (again_drawn[mask > 0] != before[mask > 0]).mean() > 0.8
    assert pixels(tmp_path / "drawn.png").shape == (16, 32, 3)


def test_small_holes_are_drawn_in_the_picture_s_own_size(
    run: Program, toy: Path, cat: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    sizes: list[tuple[int, ...]] = []

    def filled(self: TextModel, x: Tensor, mask: Tensor, settings: Settings, progress: Any = None) -> Tensor:  # noqa: ANN401
        sizes.append((*x.shape[-2:], int(mask.sum())))
        return torch.zeros_like(x)

    monkeypatch.setattr(TextModel, "filled", filled)
    done = run("inpaint", "in.png", "--box", "4,4,10,8", "--box", "70,40,20,12", "--model", "toy", "--prompt", "x",
               "-o", "out.png")  # fmt: skip
    assert done.exit_code == 0, done.stderr
    assert sizes == [(32, 32, 80), (32, 32, 240)]
    assert "softer" not in caplog.text
    sizes.clear()
    done = run("inpaint", "in.png", "--box", "10,4,60,56", "--model", "toy", "--prompt", "x", "-o", "wide.png")
    assert [size[:2] for size in sizes] == [(26, 38)]
    assert "enlarged 2.4 times: softer than the picture" in caplog.text


def test_it_says_how_long_it_takes_without_a_gpu(
    drawer: TextModel, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text, "_LONG", 0.0)
    monkeypatch.setattr(text._Clock, "told", set())
    seen: list[tuple[int, int]] = []
    with caplog.at_level(logging.WARNING, "diffuse_cli"):
        for _ in range(2):
            drawer.drawn((32, 32), Settings(steps=3), lambda done, total: seen.append((done, total)))
    assert seen == [(1, 3), (2, 3), (3, 3)] * 2
    assert [record.message for record in caplog.records if "a picture of 3 steps takes about" in record.message] != []
    assert len(caplog.records) == 1


def test_a_safety_checker_is_obeyed(drawer: TextModel, monkeypatch: pytest.MonkeyPatch) -> None:
    class Held:
        images, nsfw_content_detected = torch.zeros(1, 3, 32, 32), [True]

    kind = type(drawer.pipeline)
    monkeypatch.setattr(kind, "__call__", lambda self, prompt, height, width: Held())
    with pytest.raises(PictureError, match="safety checker"):
        drawer.drawn((32, 32), Settings(steps=2))


@pytest.mark.parametrize(
    "line",
    [
        "generate", "generate --prompt x --size 31x32", "generate --prompt x --label 3",
        "inpaint in.png --box 3,3,4,4", "inpaint in.png --box 3,3,4,4 --prompt x --steps 1",
        "inpaint in.png --box 3,3,4,4 --prompt x --tile 64", "inpaint in.png --box 3,3,4,4 --prompt x --solver heun",
        "denoise in.png", "super-resolve in.png", "stylize in.png --prompt x --style in.png",
        "generate --prompt x --backend ncnn",
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_in_one_line(
    run: Program, toy: Path, cat: Path, tmp_path: Path, line: str
) -> None:
    refused = run(*line.split(), "--model", "toy", "-o", "out.png")
    assert refused.exit_code in (2, 3), refused.stderr
    assert len(refused.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "out.png").exists()


def test_our_checkpoints_are_told_no_text(run: Program, cat: Path, toy_file: Path) -> None:
    for line in (["generate"], ["inpaint", "in.png", "--box", "3,3,4,4"]):
        refused = run(*line, "--prompt", "x", "--model", toy_file)
        assert refused.exit_code == 2
        assert "is told no text" in refused.stderr


def test_folders_that_would_run_code_are_refused(toy: Path) -> None:
    index = toy / "model_index.json"
    kept = index.read_text()
    index.write_text(kept.replace('"diffusers",\n    "UNet2DConditionModel"', '"my_code",\n    "UNet2DConditionModel"'))
    assert index.read_text() != kept
    with pytest.raises(CheckpointError, match=r"my_code.UNet2DConditionModel, a program"):
        load_any(toy)
    index.write_text(kept)
    (toy / "unet" / "extra.py").write_text("print('run')")
    with pytest.raises(CheckpointError, match="is a program"):
        load_any(toy)
    (toy / "unet" / "extra.py").unlink()
    weights = next((toy / "unet").glob("*.safetensors"))
    weights.rename(weights.with_suffix(".bin"))
    with pytest.raises(CheckpointError, match="has no safetensors"):
        load_any(toy)
    weights.with_suffix(".bin").rename(weights)
    weights.write_bytes(weights.read_bytes()[:500])
    with pytest.raises(CheckpointError, match="cannot be loaded"):
        load_any(toy)


def test_a_folder_tells_of_itself(run: Program, toy: Path) -> None:
    told = run("models", "info", "toy").stdout
    for line in ("architecture: StableDiffusionPipeline", "commands: generate, inpaint, extend, stylize", "side: 32"):
        assert line in told
    assert f"loads; sha256 of its files: {checkpoint.file_sha256(toy)}" in run("models", "verify", "toy").stdout


def test_the_hash_is_that_of_the_files_that_count(toy: Path) -> None:
    before = checkpoint.file_sha256(toy)
    (toy / "README.md").write_text("another")
    assert checkpoint.file_sha256(toy) == before
    (toy / "scheduler" / "scheduler_config.json").write_text("{}")
    assert checkpoint.file_sha256(toy) != before
