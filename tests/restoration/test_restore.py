"""The posterior mean and samples where the noise varies: closed forms, tiles, exact pixels."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from diffuse_cli.diffusion.denoiser import SIGMA_DATA
from diffuse_cli.diffusion.inference import Run, infer
from diffuse_cli.diffusion.model import Model
from diffuse_cli.diffusion.settings import Settings
from diffuse_cli.images.image_io import Picture
from diffuse_cli.restoration.observe import observe
from diffuse_cli.restoration.problem import NoisyPicture, Problem
from diffuse_cli.restoration.restore import restore
from diffuse_cli.tasks.denoise import Denoise
from tests.conftest import toy_network
from tests.helpers.pictures import as_jpeg, flat


@pytest.fixture
def gaussian() -> Model:
    """The exact denoiser of white pictures of std 0.5: a network that adds nothing to the linear part."""
    network = toy_network()
    with torch.no_grad():
        network.out_gain.zero_()
    return Model(network=network.fold(), exact=None)


def ramp(size: tuple[int, int], low: float, high: float) -> NDArray[np.float32]:
    return np.linspace(low, high, size[0] * size[1], dtype=np.float32).reshape(size)


def noisy(size: tuple[int, int] = (48, 80)) -> Picture:
    return Picture(pixels=np.random.default_rng(0).normal(0, 0.6, (*size, 3)).astype(np.float32), depth=16)


def test_the_mean_under_a_gaussian_prior(gaussian: Model) -> None:
    """E[x0 | y] = y s^2 / (s^2 + sigma^2), pixel by pixel; sigma = 0 is exact."""
    sigma = ramp((48, 80), 0.01, 1.0)
    sigma[0] = 0
    picture, task = noisy(), Problem(observation=NoisyPicture(noise=0.5, sigma_y=sigma))
    found = restore(picture, task, Settings(), gaussian).pixels
    expected = picture.pixels * (SIGMA_DATA**2 / (SIGMA_DATA**2 + sigma**2))[..., None]
    np.testing.assert_allclose(found, expected, atol=2e-6)
    assert (found[0] == picture.pixels[0]).all()


def test_samples_under_a_gaussian_prior(gaussian: Model) -> None:
    """Their spread is the posterior's, s sigma / (s^2 + sigma^2)^(1/2), where the noise is weak as where strong."""
    sigma = np.where(np.arange(80) < 40, 0.05, 0.5).astype(np.float32) * np.ones((48, 1), np.float32)
    picture = noisy()
    task = Problem(observation=NoisyPicture(noise=0.3, sigma_y=sigma))
    mean = restore(picture, task, Settings(), gaussian).pixels
    spread = restore(picture, task, Settings(steps=24), gaussian).pixels - mean
    for part, std in ((spread[:, :40], 0.05), (spread[:, 40:], 0.5)):
        assert part.std() == pytest.approx(SIGMA_DATA * std / math.hypot(SIGMA_DATA, std), rel=0.05)


def test_a_map_that_is_the_same_everywhere_is_a_level(toy: Model) -> None:
    level = restore(noisy(), Problem(observation=NoisyPicture(noise=0.25)), Settings(), toy).pixels
    task = Problem(observation=NoisyPicture(noise=0.25, sigma_y=np.full((48, 80), 0.25, np.float32)))
    mapped = restore(noisy(), task, Settings(), toy).pixels
    np.testing.assert_array_equal(level, mapped)


@pytest.mark.parametrize("steps", [1, 3])
def test_tiles_do_not_show(toy: Model, steps: int) -> None:
    picture, sigma = noisy((150, 230)), ramp((150, 230), 0.02, 0.7)
    task = Problem(observation=NoisyPicture(noise=0.3, sigma_y=sigma))
    whole, tiled = (restore(picture, task, Settings(steps=steps, tile=t), toy).pixels for t in ("off", 64))
    np.testing.assert_allclose(whole, tiled, atol=1e-4)


def test_a_jpegs_map_lies_between_its_levels(tmp_path: Path, toy: Model) -> None:
    """The coder's noise is told as one number; where the map is that number, the estimate is that level's."""
    picture = as_jpeg(flat((64, 64), noise=20), tmp_path, quality=60, subsampling="4:2:0")
    std = np.repeat(np.array([[10], [30]], np.float32), 32, 0) * np.ones((1, 64), np.float32)
    task = Denoise(noise_map=std).problem(picture)
    assert task.guide is not None
    mixed = restore(picture, task, Settings(), toy).pixels
    for rows, level in ((slice(0, 32), 10), (slice(32, 64), 30)):
        one = restore(picture, Denoise(noise=level).problem(picture), Settings(), toy).pixels
        np.testing.assert_allclose(mixed[rows], one[rows], atol=1e-5)


def test_an_even_sigma_y_is_one_noise_level(toy: Model) -> None:
    y = torch.rand((1, 3, 32, 48), generator=torch.Generator().manual_seed(5)) - 0.5
    nothing = toy.nothing_known(1, torch.device("cpu"))
    everywhere = NoisyPicture(noise=0.1, sigma_y=np.full((32, 48), 0.1, np.float32))
    even = observe(y, Problem(observation=everywhere), nothing, gray=False, sampling=False)
    plain = observe(y, Problem(observation=NoisyPicture(noise=0.1)), nothing, gray=False, sampling=False)
    assert torch.allclose(infer(even, Run(model=toy)), infer(plain, Run(model=toy)), atol=1e-5)


def test_a_sigma_y_keeps_what_is_exact_and_reads_nothing_that_is_missing(toy: Model) -> None:
    y = torch.rand((1, 3, 32, 48), generator=torch.Generator().manual_seed(6)) - 0.5
    noise = np.zeros((32, 48), np.float32)
    noise[8:24, 8:40], noise[12:20, 16:32] = 0.1, math.inf
    nothing = toy.nothing_known(1, torch.device("cpu"))
    task = Problem(observation=NoisyPicture(sigma_y=noise), hole=np.isinf(noise))
    known = observe(y, task, nothing, gray=False, sampling=False)
    found = infer(known, Run(model=toy))
    exact = torch.from_numpy(noise == 0)
    assert torch.equal(found[..., exact], y[..., exact])
    other = y.clone()
    other[..., 12:20, 16:32] = math.nan
    again = infer(observe(other, task, nothing, gray=False, sampling=False), Run(model=toy))
    assert torch.equal(found, again)
