"""Samples, fidelity and uncertainty against a Gaussian prior, whose posterior is known."""

import math
import mmap
from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from diffuse_cli.diffusion import tiling
from diffuse_cli.diffusion.model import Model
from diffuse_cli.diffusion.sampling import karras_sigmas, sample_dpmpp_2m
from diffuse_cli.diffusion.settings import SAMPLE_STEPS, Settings
from diffuse_cli.images.image_io import Picture
from diffuse_cli.images.units import LEVEL
from diffuse_cli.restoration.problem import Finish, NoisyPicture, Problem
from diffuse_cli.restoration.restore import restore as restore_picture
from diffuse_cli.restoration.samples import Samples
from diffuse_cli.system import arrays as host_arrays
from tests.conftest import toy_network

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


DENOISE = Problem(observation=NoisyPicture(noise=NOISE))


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
        sample, _ = sample_dpmpp_2m(denoise, start, karras_sigmas(SAMPLE_STEPS, 8 * spread))
        assert float(sample[0, 0, 0, 0]) / spread == pytest.approx(1, abs=0.12)

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
        half = replace(DENOISE, finish=Finish(strength=0.5, chroma_strength=0.5))
        full, less = (Samples(noisy, task, toy).std(Settings(steps=2), 3) for task in (DENOISE, half))
        assert np.allclose(less, full / 2, rtol=1e-3, atol=1e-3)


def test_samples_of_large_pictures_lie_in_files_and_are_the_same(toy: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    picture = Picture(pixels=rng.uniform(-1, 1, (150, 200, 3)).astype(np.float32))
    settings = Settings(steps=3, fidelity=0.3)

    def answers() -> list[NDArray[np.float32]]:
        samples = Samples(picture, Problem(observation=NoisyPicture(noise=0.2)), toy, moments=True)
        return [samples.restored(settings).pixels, samples.average(settings, 3).pixels, samples.std(settings, 3)]

    in_memory = answers()
    mapped: list[int] = []
    real = host_arrays._mapped

    def counted(size: int) -> mmap.mmap:
        mapped.append(size)
        return real(size)

    monkeypatch.setattr(host_arrays, "_mapped", counted)
    monkeypatch.setattr(host_arrays, "MAPPED_FROM", 10_000)
    monkeypatch.setattr(tiling, "BY_ROWS_FROM", 0)
    in_files = answers()
    assert len(mapped) > 20
    for one, other in zip(in_memory, in_files, strict=True):
        np.testing.assert_array_equal(one, other)
