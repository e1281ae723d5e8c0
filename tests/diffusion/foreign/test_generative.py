"""UNet2DModel folders of diffusers as priors: what they draw is what diffusers draws, and what is known stays."""

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from diffuse_cli import Denoise, Inpaint, SuperResolve, generate, restore, sample
from diffuse_cli.degradation.operators import resize
from diffuse_cli.diffusion.foreign.generative import GenerativeModel, sigmas_of
from diffuse_cli.diffusion.foreign.importing import import_model
from diffuse_cli.diffusion.foreign.model import load_generative
from diffuse_cli.diffusion.sampling import sample_euler
from diffuse_cli.errors import CheckpointError, OutOfMemoryError, PictureError, UsageError
from diffuse_cli.images.picture import Picture
from diffuse_cli.images.tensors import to_tensor
from tests.helpers.folders import network_of, unet_folder
from tests.helpers.program import Program

pytest.importorskip("diffusers")
pytest.importorskip("transformers")


def imported(folder: Path, name: str = "drawer") -> GenerativeModel:
    path, _ = import_model(folder, name=name, force=True)
    return load_generative(path, device="cpu")


@pytest.fixture
def drawer(tmp_path: Path) -> GenerativeModel:
    model = imported(unet_folder(tmp_path / "toy", prediction="v_prediction"))
    model.network.conv_out.weight.data *= 0.1  # a random network's estimates are far from pictures
    return model


def picture(side: int = 40, seed: int = 0) -> Picture:
    rng = np.random.default_rng(seed)
    return Picture(pixels=rng.uniform(-1, 1, (side, side, 3)).astype(np.float32))


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction", "sample"])
def test_a_sample_is_that_of_ddim(tmp_path: Path, prediction: str) -> None:
    """Euler's method on the same noise levels is DDIM (Song et al. 2021, equation 14), of clipped estimates."""
    from diffusers import DDIMScheduler

    folder = unet_folder(tmp_path / "toy", prediction=prediction)
    model, network = imported(folder), network_of(folder)
    scheduler = DDIMScheduler(prediction_type=prediction, clip_sample=True, timestep_spacing="trailing")
    scheduler.set_timesteps(5)
    torch.manual_seed(1)
    noise = x = torch.randn(2, 3, 16, 16)
    with torch.no_grad():
        for step in scheduler.timesteps:
            x = scheduler.step(network(x, step).sample, step, x, use_clipped_model_output=True).prev_sample
    sigmas = torch.cat([model.sigmas[scheduler.timesteps], torch.zeros(1)])
    nothing = model.nothing_known(2, torch.device("cpu"))
    ours, _ = sample_euler(model.posterior(nothing), noise * math.hypot(1, float(sigmas[0])), sigmas)
    torch.testing.assert_close(ours, x, atol=2e-3, rtol=1e-3)


def test_levels_of_noise_between_the_steps_are_between_them(drawer: GenerativeModel) -> None:
    table = drawer.sigmas
    assert len(table) == 1000
    assert bool((table[1:] > table[:-1]).all())
    torch.testing.assert_close(sigmas_of(torch.tensor([0.5, 0.2])), torch.tensor([1.0, 2.0]))
    told: list[Tensor] = []
    drawer.network.register_forward_pre_hook(lambda module, given: told.append(given[1]))
    between = (table[10] * table[11]).sqrt().reshape(1, 1, 1, 1)
    drawer.predicted(torch.zeros(1, 3, 16, 16), between)
    assert float(told[0]) == pytest.approx(10.5, abs=1e-3)


def test_the_import_tells_what_it_is(run: Program, tmp_path: Path) -> None:
    unet_folder(tmp_path / "toy", classes=3, channels=1)
    done = run("models", "import", "toy")
    assert done.exit_code == 0, done.stderr
    assert "UNet2DModel, generate 16x16, gray" in done.stdout
    told = run("models", "info", "toy").stdout
    for line in ("classes: 3", "side: 16", "licence: apache-2.0", "commands: generate, inpaint, super-resolve"):
        assert line in told
    assert "as stated" in run("models", "verify", "toy").stdout
    assert run("generate", "--model", "toy", "-o", "a.png").exit_code == 2  # of which class?
    for k in range(2):
        drawn = run("generate", "--model", "toy", "--label", str(k), "--steps", "3", "-o", f"{k}.png")
        assert drawn.exit_code == 0, drawn.stderr
    assert (tmp_path / "0.png").read_bytes() != (tmp_path / "1.png").read_bytes()
    again = run("replay", "1.png")
    assert again.exit_code == 0, again.stdout + again.stderr
    for words in (["--label", "3"], ["--label", "1", "--size", "32x32"], ["--label", "1", "--guidance", "2"]):
        refused = run("generate", "--model", "toy", *words)
        assert refused.exit_code == 2
        assert len(refused.stderr.splitlines()) == 1


def test_known_pixels_stay_and_holes_are_drawn(drawer: GenerativeModel) -> None:
    before = picture()
    task = Inpaint(boxes=[(4, 4, 6, 5), (30, 28, 10, 12)])
    made = restore(before, task, model=drawer, steps=4, seed=1)
    hole = np.zeros((40, 40), bool)
    hole[4:9, 4:10] = hole[28:40, 30:40] = True
    assert (made.pixels[~hole] == before.pixels[~hole]).all()
    assert np.abs(made.pixels[hole] - before.pixels[hole]).mean() > 0.1
    other = restore(before, task, model=drawer, steps=4, seed=2)
    assert (other.pixels[hole] != made.pixels[hole]).any()
    drawn = sample(before, task, model=drawer, count=2, steps=3)
    assert drawn.std[~hole].max() == 0
    assert drawn.std[hole].min() > 0
    with pytest.raises(PictureError, match="a hole is 15 pixels wide"):
        restore(before, Inpaint(boxes=[(4, 4, 15, 3)]), model=drawer)


def test_a_picture_smaller_than_what_is_drawn(drawer: GenerativeModel) -> None:
    before = picture(11)
    made = restore(before, Inpaint(boxes=[(2, 3, 4, 4)]), model=drawer, steps=3)
    hole = np.zeros((11, 11), bool)
    hole[3:7, 2:6] = True
    assert (made.pixels[~hole] == before.pixels[~hole]).all()


@pytest.mark.parametrize("consistent", [False, True])
def test_a_larger_picture_explains_the_small_one(drawer: GenerativeModel, consistent: bool) -> None:
    small = Picture(pixels=picture(8).pixels * 0.3)
    made = restore(small, SuperResolve(scale=2, consistent=consistent), model=drawer, steps=8)
    back = resize(to_tensor(made.pixels), (8, 8))
    off = float((back - to_tensor(small.pixels)).abs().max()) * 127.5
    assert off < (0.51 if consistent else 10)  # of 38
    with pytest.raises(PictureError, match="16x16 alone, and this result is 24x24"):
        restore(small, SuperResolve(scale=3), model=drawer)


def test_a_prior_that_is_known_draws_its_distribution(drawer: GenerativeModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the denoiser of independent pixels N(0.2, 0.3^2), the samples have that mean and std, holes as well."""

    def predicted(self: GenerativeModel, x: Tensor, sigma: Tensor) -> Tensor:
        return 0.2 + 0.09 / (0.09 + sigma**2) * (x - 0.2)

    monkeypatch.setattr(GenerativeModel, "predicted", predicted)
    made = [np.asarray(generate(model=drawer, seed=k, steps=30), np.float64) / 127.5 - 1 for k in range(12)]
    assert np.mean(made) == pytest.approx(0.2, abs=0.02)
    assert np.std(made) == pytest.approx(0.3, rel=0.04)


def test_memory_that_runs_out_makes_no_tiles(drawer: GenerativeModel, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: GenerativeModel, x: Tensor, sigma: Tensor) -> Tensor:
        raise MemoryError

    monkeypatch.setattr(GenerativeModel, "predicted", full)
    with pytest.raises(OutOfMemoryError, match="out of memory"):
        generate(model=drawer)
    big = replace(drawer, header=replace(drawer.header, side=256))
    with pytest.raises(OutOfMemoryError, match="256x256 in one piece"):
        generate(model=big)


def test_what_does_not_fit_is_refused(run: Program, tmp_path: Path, cat: Path, drawer: GenerativeModel) -> None:
    with pytest.raises(UsageError):
        restore(picture(), Denoise(noise=20), model=drawer)
    box = "inpaint in.png --box 1,1,5,5"
    for line in ("denoise in.png", *(f"{box} {more}" for more in ("--fidelity 1", "--steps 1", "--dtype bf16"))):
        refused = run(*line.split(), "--model", "drawer", "-o", "out.png")
        assert refused.exit_code in (2, 3), line
        assert len(refused.stderr.splitlines()) == 1
        assert not (tmp_path / "out.png").exists()


def test_forged_folders_are_refused_in_one_line(tmp_path: Path) -> None:
    """1 in 40 of what benchmarks/forged_models.py tries."""
    folder = unet_folder(tmp_path / "toy")
    config, schedule = folder / "unet" / "config.json", folder / "scheduler" / "scheduler_config.json"
    weights = folder / "unet" / "diffusion_pytorch_model.safetensors"
    kept = {path: path.read_bytes() for path in (config, schedule, weights)}
    told, noise = json.loads(kept[config]), json.loads(kept[schedule])
    forged: list[tuple[Path, bytes | None]] = [
        (config, json.dumps({**told, "block_out_channels": [8, 1 << 40]}).encode()),
        (config, json.dumps({**told, "sample_size": None}).encode()),
        (config, json.dumps({**told, "_class_name": "UNet2DConditionModel"}).encode()),
        (config, json.dumps({**told, "down_block_types": ["os.system", "x"]}).encode()),
        (config, b"["), (config, None), (schedule, None), (weights, None), (weights, kept[weights][:1000]),
        (schedule, json.dumps({**noise, "beta_schedule": "none"}).encode()),
        (schedule, json.dumps({**noise, "num_train_timesteps": 1 << 50}).encode()),
        (schedule, json.dumps({**noise, "beta_end": -1}).encode()),
        (schedule, json.dumps({**noise, "prediction_type": "flow"}).encode()),
    ]  # fmt: skip
    for path, data in forged:
        if data is None:
            path.unlink()
        else:
            path.write_bytes(data)
        with pytest.raises(CheckpointError) as refused:
            import_model(folder, name="forged")
        assert len(str(refused.value).splitlines()) == 1
        path.write_bytes(kept[path])
    weights.rename(weights.with_suffix(".bin"))
    with pytest.raises(CheckpointError, match="could run code"):
        import_model(folder, name="forged")
