"""Light beyond white: divided for the core, and given back whole."""

import numpy as np
import pytest
import torch

from diffuse_cli.degradation.operators import Degradation
from diffuse_cli.diffusion.inference import Run
from diffuse_cli.diffusion.model import Model
from diffuse_cli.diffusion.settings import Settings
from diffuse_cli.images.image_io import Picture
from diffuse_cli.restoration.problem import GuidePicture, NoisyPicture, Problem
from diffuse_cli.restoration.reach import dimmed, in_reach, light_scale
from diffuse_cli.restoration.restore import restore
from diffuse_cli.tasks.denoise import Denoise


def bright(top: float, std: float = 0.0, size: tuple[int, int] = (64, 96)) -> Picture:
    """A ramp from black to `top` times white, with noise of this share of white."""
    samples = np.broadcast_to(np.linspace(0, top, size[1]), size)[..., None] * np.array([1, 0.7, 0.4])
    samples = samples + np.random.default_rng(0).normal(0, std, samples.shape)
    return Picture(pixels=(2 * samples - 1).astype(np.float32), depth=16, floating=True)


@pytest.mark.parametrize(("low", "high", "scale"), [(0, 1, 1), (-0.25, 1.1, 1), (0, 1.2, 2), (0, 8, 8), (-1, 1, 4)])
def test_scales_are_powers_of_two(low: float, high: float, scale: float) -> None:
    assert light_scale(np.linspace(low, high, 99, dtype=np.float32), rare=0) == scale


def test_what_is_in_reach_stays() -> None:
    picture = bright(1.05)
    assert in_reach(Problem(observation=NoisyPicture(noise=0.1)), picture) is None
    assert dimmed(picture)[0] is picture


def test_the_noise_is_divided_with_the_light() -> None:
    std = np.full((64, 96), 0.2, np.float32)
    found = in_reach(Problem(observation=NoisyPicture(noise=0.4, sigma_y=std)), bright(8))
    assert found is not None
    seen = found.problem.observation
    assert isinstance(seen, NoisyPicture)
    assert (found.scale, seen.noise) == (8, 0.05)
    assert seen.sigma_y is not None
    assert (seen.sigma_y == std / 8).all()
    guide = in_reach(Problem(observation=GuidePicture(degradation=Degradation(noise=0.4, blur=1))), bright(8))
    assert guide is not None
    assert guide.problem.degradation == Degradation(noise=0.05, blur=1)


def test_a_lamp_does_not_make_the_rest_dark_and_is_given_back() -> None:
    picture = bright(1)
    picture.pixels[30:32, 40:42] = 99
    found = in_reach(Problem(observation=NoisyPicture(noise=0.1)), picture)
    assert found is not None
    assert found.scale == 1
    assert found.picture.pixels.max() == pytest.approx(1.2)
    again = found.undone(torch.from_numpy(found.picture.pixels).permute(2, 0, 1)[None])
    np.testing.assert_allclose(again[0].permute(1, 2, 0).numpy(), picture.pixels, atol=1e-5)
    hole = np.zeros((64, 96), bool)
    hole[28:34, 38:44] = True
    filled = in_reach(Problem(hole=hole), picture)
    assert filled is not None
    assert filled.undone(torch.zeros(1, 3, 64, 96)).max() == 0


def test_a_bright_ramp_keeps_its_light(model: Model) -> None:
    """Fault of a public report: 7.5 became 7.9."""
    picture = bright(8, std=0.05)
    after = restore(picture, Denoise(noise=12.75).problem(picture), Settings(), model).pixels
    moved = (after - picture.pixels).reshape(64, 8, 12, 3).mean((0, 2)) / 2
    assert np.abs(moved).max() < 0.012
    assert (after - bright(8).pixels).std() < 0.5 * (picture.pixels - bright(8).pixels).std()


def test_samples_start_and_are_followed_in_the_files_light(toy: Model) -> None:
    steps: list[tuple[float, float]] = []
    problem, picture = Problem(observation=NoisyPicture(noise=0.5)), bright(8)
    found = in_reach(problem, picture)
    assert found is not None
    mean = torch.from_numpy(picture.pixels).permute(2, 0, 1)[None]
    run = found.run(Run(model=toy, mean=mean, on_step=lambda sigma, x: steps.append((sigma, float(x.max())))))
    assert run.mean is not None
    assert run.on_step is not None
    assert float(run.mean.max()) == 1
    run.on_step(0.1, run.mean)
    assert steps == [(0.8, 15.0)]
