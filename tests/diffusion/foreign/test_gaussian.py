import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from diffuse_cli import Denoise, Inpaint, restore
from diffuse_cli.diffusion.conditioning import Conditioning, with_hole
from diffuse_cli.diffusion.denoiser import Observation
from diffuse_cli.diffusion.foreign.gaussian import SIGMA_MOST, capped
from diffuse_cli.diffusion.foreign.model import ForeignModel
from diffuse_cli.diffusion.inference import Run, infer
from diffuse_cli.diffusion.settings import Settings
from diffuse_cli.images.image_io import Picture
from tests.helpers.foreign import imported, prior

pytest.importorskip("spandrel")
CPU = torch.device("cpu")


@pytest.fixture
def model(tmp_path: Path) -> ForeignModel:
    """A colour denoiser that adds the plane it is told: D(x, sigma) = x + sigma."""
    return imported(prior(), tmp_path)


def nothing(model: ForeignModel, **known: object) -> Observation:
    return replace(model.nothing_known(1, CPU), **known)  # type: ignore[arg-type]


def test_the_network_is_told_the_level_as_a_plane(model: ForeignModel) -> None:
    x = torch.rand(1, 3, 17, 21) - 0.5
    found = model.posterior(nothing(model))(x, torch.tensor(0.3))
    assert torch.allclose(found, x + 0.3, atol=1e-5)


def test_more_noise_than_the_network_knows_is_fused_with_the_prior(model: ForeignModel) -> None:
    x, seen = torch.full((1, 3, 4, 4), 0.6), nothing(model)
    at, sigma = capped(seen, x, torch.full((1, 1, 4, 4), 2.0))
    assert torch.allclose(sigma, torch.tensor(SIGMA_MOST))
    assert torch.allclose(at, x * (SIGMA_MOST / 2.0) ** 2)
    at, sigma = capped(seen, x * math.nan, torch.full((1, 1, 4, 4), math.inf))
    assert torch.equal(at, torch.zeros_like(x))


def test_a_fill_counts_where_it_is_surer_than_the_state(model: ForeignModel) -> None:
    seen = nothing(model, mu=torch.full((1, 3, 1, 1), 0.2), sigma_p=torch.full((1, 1, 1, 1), 0.1))
    x = torch.full((1, 3, 4, 4), 0.6)
    at, sigma = capped(seen, x, torch.full((1, 1, 4, 4), 0.05))
    assert torch.equal(at, x)
    assert float(sigma.max()) == pytest.approx(0.05)
    at, sigma = capped(seen, x, torch.full((1, 1, 4, 4), 0.2))
    assert torch.allclose(at, torch.tensor(0.2 + 0.25 * 0.4))
    assert torch.allclose(sigma, torch.tensor(0.1))


def test_known_pixels_are_kept_and_missing_ones_come_from_the_network(model: ForeignModel) -> None:
    y, hole = torch.rand(1, 3, 40, 40) - 0.5, torch.zeros(40, 40, dtype=torch.bool)
    hole[10:14, 10:14] = True
    known = with_hole(nothing(model), y, hole)
    x = infer(known, Run(model=model))
    assert torch.equal(x[..., ~hole], y[..., ~hole])
    assert bool((x[..., hole] != y[..., hole]).all())


@pytest.mark.parametrize("steps", [1, 3])
def test_tiles_make_what_the_whole_makes(model: ForeignModel, steps: int) -> None:
    y = torch.rand(1, 3, 150, 130) - 0.5
    known = Conditioning(
        observation=nothing(model, y=y, sigma_y=torch.full((1, 1, 1, 1), 0.2)), x_t=y, sigma_t=math.inf
    )
    whole, tiled = (infer(known, Run(model=model, settings=Settings(steps=steps, tile=tile))) for tile in ("off", 64))
    assert float((whole - tiled).abs().max()) < 1e-5


def test_a_gray_network_takes_colours_one_by_one(tmp_path: Path) -> None:
    model = imported(prior(1), tmp_path)
    x = torch.rand(2, 3, 16, 16) - 0.5
    seen = model.nothing_known(2, CPU)
    assert torch.allclose(model.posterior(seen)(x, torch.tensor(0.2)), x + 0.2, atol=1e-5)
    gray = x[:, :1].expand(-1, 3, -1, -1)
    found = model.posterior(replace(seen, gray=True))(gray, torch.tensor(0.2))
    assert torch.allclose(found, gray + 0.2, atol=1e-5)


def test_a_colour_network_is_told_that_gray_noise_is_alike_in_all_channels(model: ForeignModel) -> None:
    gray = torch.rand(1, 1, 16, 16).expand(-1, 3, -1, -1) - 0.5
    found = model.posterior(nothing(model, gray=True))(gray, torch.tensor(0.1))
    assert torch.allclose(found, gray + math.sqrt(3) * 0.1, atol=1e-5)
    assert torch.equal(found[:, 0], found[:, 2])


def test_symmetries_and_fp32_rescue(model: ForeignModel, tmp_path: Path) -> None:
    x = torch.rand(1, 3, 16, 24) - 0.5
    found = model.posterior(nothing(model), ensemble=True)(x, torch.tensor(0.1))
    assert torch.allclose(found, x + 0.1, atol=1e-5)
    broken = imported(prior(), tmp_path)
    next(broken.network.model.parameters()).data.fill_(math.nan)
    both = replace(broken, exact=model.network)
    assert torch.allclose(both.posterior(nothing(model))(x, torch.tensor(0.1)), x + 0.1, atol=1e-5)


def test_denoising_inpainting_and_samples_take_an_imported_prior(model: ForeignModel) -> None:
    rng = np.random.default_rng(0)
    picture = Picture(pixels=rng.uniform(-0.5, 0.5, (40, 48, 3)).astype(np.float32))
    mean = restore(picture, Denoise(noise=25.5), model=model)
    assert np.allclose(mean.pixels, picture.pixels + 0.2, atol=1e-4)
    sample = restore(picture, Denoise(noise=25.5), model=model, steps=3)
    assert np.isfinite(sample.pixels).all()
    assert not np.allclose(sample.pixels, mean.pixels)
    half = restore(picture, Denoise(noise=25.5), model=model, steps=3, fidelity=0.5)
    assert np.allclose(half.pixels, (sample.pixels + mean.pixels) / 2, atol=1e-4)
    wide = restore(picture, Inpaint(boxes=[(5, 5, 30, 30)]), model=model)
    assert np.array_equal(wide.pixels[35:], picture.pixels[35:])
    assert np.isfinite(wide.pixels).all()
