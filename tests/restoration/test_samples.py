"""Samples, fidelity and uncertainty: against a Gaussian prior, whose posterior is known, and through real files."""

import io
import math
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from typer.testing import CliRunner, Result

from diffuse_cli import restore, sample
from diffuse_cli.cli.app import app
from diffuse_cli.diffusion.model import Model
from diffuse_cli.diffusion.sampling import karras_sigmas, sample_dpmpp_2m
from diffuse_cli.diffusion.settings import SAMPLE_STEPS, Settings
from diffuse_cli.errors import UsageError
from diffuse_cli.images.image_io import Picture
from diffuse_cli.images.units import LEVEL
from diffuse_cli.provenance import recipe
from diffuse_cli.restoration.problem import Problem
from diffuse_cli.restoration.restore import restore as restore_picture
from diffuse_cli.restoration.samples import Samples
from diffuse_cli.restoration.sampling_request import SamplingRequest
from diffuse_cli.restoration.trace import Trace
from diffuse_cli.restoration.uncertainty import round_up, std_picture, std_view
from diffuse_cli.tasks.denoise import Denoise
from tests.conftest import PROGRAM, pixels, toy_network

Command = Callable[..., Result]

NOISE, PRIOR = 0.2, 0.5
SPREAD = (NOISE**-2 + PRIOR**-2) ** -0.5
"""Posterior std of a pixel."""
SIDE = 96
SAMPLED = Settings(steps=16)
"""DPM-Solver++(2M) ends within 1 % of the Gaussian's std then, and within 8 % with 6 or 8 steps."""


@pytest.fixture(scope="module")
def exact() -> Model:
    """The exact denoiser of white Gaussian pixels: what the preconditioning leaves where the network says nothing."""
    network = toy_network().fold()
    with torch.no_grad():
        network.out.weight.zero_()
    return Model(network=network, exact=None)


@pytest.fixture(scope="module")
def clean() -> NDArray[np.float32]:
    return np.random.default_rng(1).normal(0, PRIOR, (SIDE, SIDE, 3)).astype(np.float32)


@pytest.fixture(scope="module")
def noisy(clean: NDArray[np.float32]) -> Picture:
    noise = np.random.default_rng(2).normal(0, NOISE, clean.shape)
    return Picture(pixels=(clean + noise).astype(np.float32))


DENOISE = Problem(noise=NOISE)


def mse(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    return float(((a - b) ** 2).mean())


class TestGaussian:
    """What is true of exact samples of an exact posterior."""

    def test_the_mean_is_the_posteriors(self, exact: Model, noisy: Picture, clean: NDArray[np.float32]) -> None:
        mean = restore_picture(noisy, DENOISE, Settings(), exact).pixels
        assert np.allclose(mean, noisy.pixels * (SPREAD / NOISE) ** 2, atol=1e-5)
        assert mse(mean, clean) == pytest.approx(SPREAD**2, rel=0.03)

    def test_samples_are_as_far_from_the_mean_as_the_truth(
        self, exact: Model, noisy: Picture, clean: NDArray[np.float32]
    ) -> None:
        """The dispersion ratio E|sample - mean|^2 / E|truth - mean|^2 is 1."""
        answer = Samples(noisy, DENOISE, exact)
        mean = answer.restored(Settings()).pixels
        sample = answer.restored(SAMPLED).pixels
        assert mse(sample, mean) / mse(clean, mean) == pytest.approx(1, abs=0.08)
        assert mse(sample, clean) / mse(mean, clean) == pytest.approx(2, rel=0.06)

    @pytest.mark.parametrize("spread", [0.06, 0.19, 0.5])
    def test_the_steps_that_are_taken_if_nothing_is_said_keep_the_spread(self, spread: float) -> None:
        def denoise(x: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
            return x * spread**2 / (spread**2 + sigma**2)

        start = torch.full((1, 3, 1, 1), 8 * spread)
        drawn, _ = sample_dpmpp_2m(denoise, start, karras_sigmas(SAMPLE_STEPS, 8 * spread))
        assert float(drawn[0, 0, 0, 0]) / spread == pytest.approx(1, abs=0.12)

    def test_fidelity_follows_its_law(self, exact: Model, noisy: Picture, clean: NDArray[np.float32]) -> None:
        """MSE(f) = MSE(1) + (1 - f)^2 (MSE(0) - MSE(1)), and the results lie on a straight line."""
        answer = Samples(noisy, DENOISE, exact)
        made = {f: answer.restored(replace(SAMPLED, fidelity=f)).pixels for f in (0.0, 0.25, 0.5, 0.75)}
        made[1.0] = answer.restored(Settings()).pixels
        error = {f: mse(x, clean) for f, x in made.items()}
        for f, value in error.items():
            assert value == pytest.approx(error[1] + (1 - f) ** 2 * (error[0] - error[1]), rel=0.02)
            assert np.allclose(made[f], made[1] + (1 - f) * (made[0] - made[1]), atol=1e-5)

    def test_the_mean_of_samples_nears_the_posteriors(
        self, exact: Model, noisy: Picture, clean: NDArray[np.float32]
    ) -> None:
        """MSE(1) (1 + 1/K)."""
        answer = Samples(noisy, DENOISE, exact)
        best = mse(answer.restored(Settings()).pixels, clean)
        for count in (3, 8):
            assert mse(answer.average(SAMPLED, count).pixels, clean) / best == pytest.approx(1 + 1 / count, rel=0.03)
        halfway = answer.average(replace(SAMPLED, fidelity=0.5), 4).pixels
        assert mse(halfway, clean) / best == pytest.approx(1 + 0.25 / 4, rel=0.02)

    def test_the_std_is_the_posteriors(self, exact: Model, noisy: Picture) -> None:
        std = Samples(noisy, DENOISE, exact).std(SAMPLED, 12)
        assert std.shape == (SIDE, SIDE)
        assert math.sqrt((std**2).mean()) == pytest.approx(SPREAD * LEVEL, rel=0.04)

    def test_the_truth_is_within_it_as_often_as_students_t_says(
        self, exact: Model, noisy: Picture, clean: NDArray[np.float32]
    ) -> None:
        """64.9 % within 1 std of the posterior mean and 91.4 % within 2, the std being that of 8 samples."""
        gray, truth = replace(noisy, pixels=noisy.pixels[..., :1]), clean[..., :1]
        answer = Samples(gray, DENOISE, exact)
        error = np.abs(answer.restored(Settings()).pixels - truth)[..., 0] * LEVEL
        std = answer.std(SAMPLED, 8)
        assert (error <= std).mean() == pytest.approx(0.649, abs=0.02)
        assert (error <= 2 * std).mean() == pytest.approx(0.914, abs=0.015)

    def test_pixels_of_less_noise_are_surer(self, exact: Model) -> None:
        """A hole's pixels are as unsure as its prior says, known ones not at all."""
        hole = np.zeros((32, 32), bool)
        hole[10:14, 8:20] = True
        picture = Picture(pixels=np.zeros((32, 32, 3), np.float32))
        std = Samples(picture, Problem(hole=hole), exact).std(Settings(steps=6), 8)
        assert (std[~hole] == 0).all()
        assert (std[hole] > 1).all()

    def test_gray_pictures_are_one_variable(self, exact: Model) -> None:
        """Three equal channels are as unsure as one, in the same places."""
        one = np.random.default_rng(0).normal(0, 0.3, (40, 40, 1)).astype(np.float32)
        gray, grayish = (Picture(pixels=p) for p in (one, np.repeat(one, 3, 2)))
        a, b = (Samples(p, DENOISE, exact).std(Settings(steps=4), 4) for p in (gray, grayish))
        assert np.allclose(a, b, atol=1e-3)
        assert a.std() > 5


class TestSharing:
    def test_samples_are_the_same_however_many(self, toy: Model, noisy: Picture) -> None:
        small = replace(noisy, pixels=noisy.pixels[:40, :48])
        settings = Settings(steps=3, seed=5)
        alone = restore_picture(small, DENOISE, replace(settings, sample=2), toy).pixels
        together = Samples(small, DENOISE, toy, moments=True)
        made = [together.restored(replace(settings, sample=k)).pixels for k in (2, 0, 1)]
        assert np.array_equal(made[0], alone)
        assert not np.array_equal(made[0], made[1])
        std = np.sqrt(np.var(made, axis=0, ddof=1).mean(2)) * LEVEL
        assert np.allclose(together.std(settings, 3), std, atol=1e-3)
        assert np.allclose(together.average(settings, 3).pixels, np.mean(made, 0), atol=1e-5)

    def test_nothing_is_computed_twice(self, toy: Model, noisy: Picture, monkeypatch: pytest.MonkeyPatch) -> None:
        calls = 0
        forward = toy.network.forward

        def counted(*values: torch.Tensor) -> torch.Tensor:
            nonlocal calls
            calls += 1
            return forward(*values)

        monkeypatch.setattr(toy.network, "forward", counted)
        answer = Samples(noisy, DENOISE, toy, moments=True, traces=True)
        settings = Settings(steps=3)
        answer.restored(replace(settings, fidelity=0.5))
        answer.std(settings, 4)
        answer.average(settings, 4)
        answer.traced(settings)
        answer.restored(Settings())
        assert calls == 1 + 4 * 3

    def test_what_needs_no_work_is_sure(self, toy: Model, noisy: Picture) -> None:
        answer = Samples(noisy, Problem(), toy)
        assert (answer.std(SAMPLED, 4) == 0).all()
        assert np.array_equal(answer.average(SAMPLED, 4).pixels, noisy.pixels)
        assert [sigma for sigma, _ in answer.traced(SAMPLED).steps] == [math.inf]

    def test_strength_holds_for_samples_too(self, toy: Model, noisy: Picture) -> None:
        half = Problem(noise=NOISE, strength=0.5, chroma_strength=0.5)
        full, less = (Samples(noisy, task, toy).std(Settings(steps=2), 3) for task in (DENOISE, half))
        assert np.allclose(less, full / 2, rtol=1e-3, atol=1e-3)


class TestAnswers:
    @pytest.mark.parametrize(
        ("asked", "pictures", "steps", "fidelity"),
        [
            ({}, 1, 1, 0.0),
            ({"fidelity": 1.0, "steps": 9}, 1, 1, 0.0),
            ({"fidelity": 0.5}, 1, SAMPLE_STEPS, 0.5),
            ({"steps": 9}, 1, 9, 0.0),
            ({"steps": 9, "fidelity": 0.3}, 1, 9, 0.3),
            ({"samples": 3}, 3, SAMPLE_STEPS, 0.0),
            ({"samples": 3, "average": True, "fidelity": 0.5}, 1, SAMPLE_STEPS, 0.5),
            ({"uncertainty": True}, 1, 1, 0.0),
            ({"uncertainty": True, "samples": 4}, 4, SAMPLE_STEPS, 0.0),
            ({"uncertainty": True, "samples": 4, "fidelity": 1.0}, 1, 1, 0.0),
        ],
    )
    def test_defaults(self, asked: dict[str, float], pictures: int, steps: int, fidelity: float) -> None:
        answers = SamplingRequest(**asked)  # type: ignore[arg-type]
        settings = answers.settings(Settings(), fills_holes=False)
        assert (answers.pictures, settings.steps, settings.fidelity) == (pictures, steps, fidelity)

    @pytest.mark.parametrize(
        "asked",
        [
            {"fidelity": 1.1}, {"fidelity": math.nan}, {"steps": 0}, {"samples": 0},
            {"steps": 1, "fidelity": 0.9}, {"steps": 1, "samples": 2}, {"steps": 1, "uncertainty": True},
            {"uncertainty": True, "samples": 1}, {"average": True}, {"average": True, "samples": 1},
            {"fidelity": 1.0, "samples": 3}, {"fidelity": 1.0, "average": True, "samples": 3},
        ],
    )  # fmt: skip
    def test_what_means_nothing_is_refused(self, asked: dict[str, float]) -> None:
        with pytest.raises(UsageError, match="--"):
            SamplingRequest(**asked)  # type: ignore[arg-type]


class TestPictures:
    def test_a_map_holds_256_units_a_level(self) -> None:
        std = np.array([[0, 0.5, 1 / 256], [3, 255.99, 300]], np.float32)
        picture, clipped = std_picture(std)
        assert picture.depth == 16
        units = np.rint((picture.pixels[..., 0] + 1) / 2 * 65535)
        assert units.tolist() == [[0, 128, 1], [768, 65533, 65535]]
        assert clipped == pytest.approx(1 / 6)

    def test_a_view_is_brighter_where_it_is_less_sure(self) -> None:
        std = np.zeros((50, 300), np.float32)
        std[:, 100:200], std[:, 200:] = 2, 5
        view = std_view(std).pixels
        assert view.shape == (94, 300, 3)
        assert view[25, 50].sum() < view[25, 150].sum() < view[25, 250].sum()
        assert view[50:, :].max() == 1, "the legend is white on black"
        assert std_view(std[:, :20]).pixels.shape == (94, 240, 3)

    @pytest.mark.parametrize(("value", "top"), [(0, 0.1), (0.1, 0.1), (0.11, 0.2), (3, 5), (5, 5), (12, 20), (60, 100)])
    def test_scales_end_at_round_numbers(self, value: float, top: float) -> None:
        assert round_up(value) == pytest.approx(top)

    def test_a_trace_begins_anew_with_smaller_tiles(self) -> None:
        trace = Trace()
        trace.begin(torch.zeros(1, 3, 8, 8))
        for sigma in (2.0, 1.0, 2.0, 1.0, 0.5):
            trace(sigma, torch.zeros(1, 3, 8, 8))
        assert [sigma for sigma, _ in trace.steps] == [math.inf, 2, 1, 0.5]


class TestCommand:
    """Through the command, with the tiny network, on in.png."""

    @pytest.fixture
    def run(self, toy_file: Path, cat: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Command]:
        monkeypatch.chdir(cat.parent)
        threads = torch.get_num_threads()
        options = ["--noise", "20", "--model", str(toy_file), "--dtype", "fp32", "--threads", "1", "-q"]
        yield lambda *more: CliRunner().invoke(app, ["denoise", *more, *options])
        torch.set_num_threads(threads)

    def test_every_output_is_named_made_once_and_tells_its_own_recipe(self, run: Command, tmp_path: Path) -> None:
        line = [
            "in.png", "--samples", "3", "--steps", "2", "--uncertainty", "maps/", "--uncertainty-view",
            "{stem}.view{ext}", "--trace", "{stem}.trace.png",
        ]  # fmt: skip
        result = run(*line)
        assert result.exit_code == 0, result.stderr
        names = [*(f"in.denoise.{k}.png" for k in range(3)), "maps/in.png", "in.view.png", "in.trace.png"]
        made = {name: (tmp_path / name).read_bytes() for name in names}
        assert len(set(made.values())) == len(names)
        told = [recipe.read(tmp_path / name) or {} for name in names]
        assert [one.get("sample") for one in told] == [0, 1, 2, None, None, 0]
        assert [one.get("part") for one in told] == [None, None, None, "uncertainty", "uncertainty-view", "trace"]
        assert told[3]["samples"] == 3
        assert run(*line).exit_code == 2, "they exist"
        (tmp_path / names[1]).unlink()
        (tmp_path / names[3]).unlink()
        assert run(*line, "--resume").exit_code == 0
        assert {name: (tmp_path / name).read_bytes() for name in names} == made
        other = run(*line, "--resume", "--seed", "1", "--dry-run").stdout
        assert other == "", "another recipe, so nothing is skipped, and what is there is not replaced"
        samples = np.stack([pixels(tmp_path / name).astype(float) for name in names[:3]])
        std = pixels(tmp_path / "maps/in.png") / 256
        expected = np.sqrt(samples.var(0, ddof=1).mean(2))
        assert np.abs(std - expected)[(samples.min(0) > 0).all(2) & (samples.max(0) < 255).all(2)].max() < 0.8

    def test_one_more_sample_changes_none_before_it(self, run: Command, tmp_path: Path) -> None:
        for count in (2, 3):
            line = ["in.png", "--samples", str(count), "--steps", "2", "-o", f"out{count}/"]
            assert run(*line).exit_code == 0
        for k in range(2):
            assert (tmp_path / f"out2/in.{k}.png").read_bytes() == (tmp_path / f"out3/in.{k}.png").read_bytes()
        assert run("in.png", "--steps", "2", "-o", "one.png").exit_code == 0
        assert np.array_equal(pixels(tmp_path / "one.png"), pixels(tmp_path / "out3/in.0.png"))

    def test_the_average_is_the_samples_mean_in_one_file(self, run: Command, tmp_path: Path) -> None:
        np.save(tmp_path / "in.npy", np.asarray(Image.open(tmp_path / "in.png"), np.float32) / 255)
        line = ["in.npy", "--samples", "3", "--steps", "2"]
        assert run(*line).exit_code == 0
        assert run(*line, "--average", "-o", "average.npy").exit_code == 0
        samples = [np.load(tmp_path / f"in.denoise.{k}.npy") for k in range(3)]
        assert np.allclose(np.load(tmp_path / "average.npy"), np.mean(samples, 0), atol=1e-6)

    def test_every_result_can_be_replayed(self, run: Command, toy_file: Path) -> None:
        """A sample, their mean and their std are made again, byte for byte, from what they say of themselves."""
        line = ["in.png", "--samples", "3", "--steps", "2", "--fidelity", "0.5"]
        assert run(*line, "--uncertainty", "u.png", "--trace", "t.png").exit_code == 0
        assert run(*line, "--average", "-o", "average.png").exit_code == 0
        for made in ("in.denoise.2.png", "u.png", "t.png", "average.png"):
            again = ["replay", made, "--input", "in.png", "--model", str(toy_file), "--threads", "1"]
            result = CliRunner().invoke(app, again)
            assert result.exit_code == 0, result.output
            assert "the same bytes" in result.output

    def test_stdin_is_read_once(self, run: Command, tmp_path: Path, toy_file: Path) -> None:
        """A picture through the pipe, and its map beside it."""
        command = [
            "denoise", "-", "--noise", "20", "--uncertainty", "u.png", "--samples", "2", "--average", "--steps", "2",
            "--model", str(toy_file), "--dtype", "fp32", "--threads", "1",
        ]  # fmt: skip
        result = subprocess.run(
            [PROGRAM, *command],
            input=(tmp_path / "in.png").read_bytes(),
            capture_output=True,
            cwd=tmp_path,
            check=False,
        )
        assert result.returncode == 0, result.stderr
        with Image.open(io.BytesIO(result.stdout)) as image:
            assert image.size == (96, 64)
        assert pixels(tmp_path / "u.png").shape == (64, 96)
        two = run("in.png", "-o", "-", "--samples", "2")
        assert two.exit_code == 2
        assert "--average" in two.stderr

    def test_pages_depth_and_alpha(self, run: Command, tmp_path: Path) -> None:
        levels = np.random.default_rng(0).integers(0, 65536, (20, 24, 4), np.uint16)
        levels[:5, ..., 3] = 0
        import tifffile

        with tifffile.TiffWriter(tmp_path / "deep.tif") as file:
            for _ in range(2):
                file.write(levels[..., :3], photometric="rgb")
        wrong = run("deep.tif", "--samples", "2", "--uncertainty", "u.png")
        assert wrong.exit_code == 1
        assert "2 pages" in wrong.stderr
        line = ["deep.tif", "-f", "--samples", "2", "--steps", "2", "--uncertainty", "u.tif"]
        result = run(*line)
        assert result.exit_code == 0, result.stderr
        with tifffile.TiffFile(tmp_path / "u.tif") as file:
            assert [page.asarray().dtype for page in file.pages] == [np.uint16] * 2
        with tifffile.TiffFile(tmp_path / "deep.denoise.1.tif") as file:
            assert [page.asarray().shape for page in file.pages] == [(20, 24, 3)] * 2
        Image.fromarray((levels >> 8).astype(np.uint8), "RGBA").save(tmp_path / "alpha.png")
        assert run("alpha.png", "--uncertainty", "a.png", "--steps", "2", "--samples", "2").exit_code == 0
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
            ["--uncertainty", "nowhere/u.png"],
        ],
        ids=" ".join,
    )
    def test_usage_errors_come_first(self, run: Command, line: list[str], tmp_path: Path) -> None:
        result = run("in.png", *line)
        assert result.exit_code == 2
        assert len(result.stderr.splitlines()) == 1
        assert [path.name for path in tmp_path.iterdir()] == ["in.png"]


class TestApi:
    NOISY = np.random.default_rng(0).normal(120, 20, (32, 40, 3)).round().clip(0, 255).astype(np.uint8)

    def test_several_answers(self, toy_file: Path) -> None:
        task, model = Denoise(noise=20), Model.load(toy_file, dtype="fp32")
        found = sample(self.NOISY, task, count=3, steps=2, model=model)
        assert len(found.samples) == 3
        assert found.mean.dtype == np.uint8
        assert np.array_equal(found.mean, restore(self.NOISY, task, model=model))
        again = restore(self.NOISY, task, sample=1, steps=2, model=model)
        assert np.array_equal(found.samples[1], again)
        spread = np.sqrt(np.var(np.array(found.samples, float), axis=0, ddof=1).mean(2))
        assert np.abs(found.std - spread).mean() < 0.5
        assert np.abs(found.average - np.mean(np.array(found.samples, float), 0)).max() <= 1

    def test_one_function_gives_one_picture(self, toy_file: Path) -> None:
        with pytest.raises(UsageError, match="unknown option samples"):
            restore(self.NOISY, Denoise(noise=20), samples=2, model=toy_file)  # type: ignore[call-overload]
        with pytest.raises(UsageError, match="--samples"):
            sample(self.NOISY, Denoise(noise=20), count=1, model=toy_file)
