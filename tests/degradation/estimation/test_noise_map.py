"""Noise that varies: maps that are given, maps that are estimated, and what the core makes of them."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from skimage import data

from diffuse_cli import restore as restore_any
from diffuse_cli.degradation.estimation.noise_level import left_of_clipped
from diffuse_cli.degradation.estimation.noise_map import map_of
from diffuse_cli.degradation.estimation.varying_noise import estimate_varying_noise
from diffuse_cli.diffusion.denoiser import SIGMA_DATA
from diffuse_cli.diffusion.fusion import fuse, remainder
from diffuse_cli.diffusion.model import Model
from diffuse_cli.diffusion.settings import Settings
from diffuse_cli.errors import PictureError, UsageError
from diffuse_cli.images.image_io import Picture, read_picture, to_unit
from diffuse_cli.restoration.problem import Problem
from diffuse_cli.restoration.restore import restore
from diffuse_cli.tasks.denoise import Denoise
from tests.conftest import Run, pixels, toy_network
from tests.tasks.test_task import as_jpeg, flat


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


class TestTheCore:
    def test_the_mean_under_a_gaussian_prior(self, gaussian: Model) -> None:
        """E[x0 | y] = y s^2 / (s^2 + sigma^2), pixel by pixel; sigma = 0 is exact."""
        sigma = ramp((48, 80), 0.01, 1.0)
        sigma[0] = 0
        picture = noisy()
        found = restore(picture, Problem(noise=0.5, sigma_y=sigma), Settings(), gaussian).pixels
        expected = picture.pixels * (SIGMA_DATA**2 / (SIGMA_DATA**2 + sigma**2))[..., None]
        np.testing.assert_allclose(found, expected, atol=2e-6)
        assert (found[0] == picture.pixels[0]).all()

    def test_samples_under_a_gaussian_prior(self, gaussian: Model) -> None:
        """Their spread is the posterior's, s sigma / (s^2 + sigma^2)^(1/2), where the noise is weak as where strong."""
        sigma = np.where(np.arange(80) < 40, 0.05, 0.5).astype(np.float32) * np.ones((48, 1), np.float32)
        picture = noisy()
        task = Problem(noise=0.3, sigma_y=sigma)
        mean = restore(picture, task, Settings(), gaussian).pixels
        spread = restore(picture, task, Settings(steps=24), gaussian).pixels - mean
        for part, std in ((spread[:, :40], 0.05), (spread[:, 40:], 0.5)):
            assert part.std() == pytest.approx(SIGMA_DATA * std / math.hypot(SIGMA_DATA, std), rel=0.05)

    def test_a_map_that_is_the_same_everywhere_is_a_level(self, toy: Model) -> None:
        level = restore(noisy(), Problem(noise=0.25), Settings(), toy).pixels
        mapped = restore(
            noisy(), Problem(noise=0.25, sigma_y=np.full((48, 80), 0.25, np.float32)), Settings(), toy
        ).pixels
        np.testing.assert_array_equal(level, mapped)

    @pytest.mark.parametrize("steps", [1, 3])
    def test_tiles_do_not_show(self, toy: Model, steps: int) -> None:
        picture, task = noisy((150, 230)), Problem(noise=0.3, sigma_y=ramp((150, 230), 0.02, 0.7))
        whole, tiled = (restore(picture, task, Settings(steps=steps, tile=t), toy).pixels for t in ("off", 64))
        np.testing.assert_allclose(whole, tiled, atol=1e-4)

    def test_what_is_left_for_the_observation(self) -> None:
        sigma = torch.rand(1, 1, 9, 9) * 0.8
        sigma[0, 0, 0, 0], sigma[0, 0, 1, 1] = 0, 0.8
        x = torch.randn(1, 3, 9, 9)
        fused, std = fuse(x, torch.full((1, 1, 1, 1), 0.8), x, remainder(sigma, 0.8))
        torch.testing.assert_close(std, sigma, atol=1e-6, rtol=1e-5)
        assert torch.equal(fused, x)

    def test_a_jpegs_map_lies_between_its_levels(self, tmp_path: Path, toy: Model) -> None:
        """The coder's noise is told as one number; where the map is that number, the estimate is that level's."""
        picture = as_jpeg(flat((64, 64), noise=20), tmp_path, quality=60, subsampling="4:2:0")
        std = np.repeat(np.array([[10], [30]], np.float32), 32, 0) * np.ones((1, 64), np.float32)
        task = Denoise(noise_map=std).problem(picture)
        assert task.guide is not None
        mixed = restore(picture, task, Settings(), toy).pixels
        for rows, level in ((slice(0, 32), 10), (slice(32, 64), 30)):
            one = restore(picture, Denoise(noise=level).problem(picture), Settings(), toy).pixels
            np.testing.assert_allclose(mixed[rows], one[rows], atol=1e-5)


class TestMapFiles:
    def test_levels(self, tmp_path: Path) -> None:
        Image.fromarray(np.array([[0, 25, 255]], np.uint8)).save(tmp_path / "8.png")
        Image.fromarray(np.array([[0, 25 * 256 + 128, 65535]], np.uint16)).save(tmp_path / "16.png")
        np.testing.assert_allclose(map_of(read_picture(tmp_path / "8.png")), [[0, 25, 255]], atol=1e-4)
        np.testing.assert_allclose(map_of(read_picture(tmp_path / "16.png")), [[0, 25.5, 65535 / 256]], atol=1e-4)
        colours = Picture(pixels=to_unit(np.random.default_rng(0).integers(0, 255, (4, 4, 3)).astype(np.uint8), 8))
        with pytest.raises(PictureError, match="colours"):
            map_of(colours)

    def test_refused(self) -> None:
        std = np.full((64, 64), 9, np.float32)
        with pytest.raises(PictureError, match="the noise map is 32x64 but the picture, as displayed, 64x64; resize"):
            Denoise(noise_map=std[:, :32]).problem(flat())
        with pytest.raises(UsageError, match="give one of them"):
            Denoise(noise_map=std, noise=9)
        for bad in (std[..., None], -std, std * np.float32(np.nan)):
            with pytest.raises(UsageError, match="noise map"):
                Denoise(noise_map=bad)
        assert "more than the weights" in Denoise(noise_map=std * 20).problem(flat()).warnings[0]
        assert Denoise(noise_map=std * 0).problem(flat()).leaves_alone

    def test_the_program(self, diffuse: Run, cat: Path, toy_file: Path) -> None:
        """A map for each picture, in its recipe; where the map is 0 nothing changes; another map makes it again."""
        std = np.zeros((64, 96), np.uint8)
        std[:, 48:] = 20
        (cat.parent / "maps").mkdir()
        Image.fromarray(std).save(cat.parent / "maps" / "in.png")
        run = ["denoise", cat, "--noise-map", "maps/{stem}.png", "-o", "out.png", "--model", toy_file, "--resume"]
        result = diffuse(*run)
        assert result.returncode == 0, result.stderr
        before, after = pixels(cat), pixels(cat.with_name("out.png"))
        np.testing.assert_array_equal(before[:, :48], after[:, :48])
        assert (before[:, 48:] != after[:, 48:]).any()
        assert b"skipped" in diffuse(*run, "-v").stderr
        Image.fromarray(std // 2).save(cat.parent / "maps" / "in.png")
        assert diffuse(*run, "-f").returncode == 0
        assert (pixels(cat.with_name("out.png")) != after).any()

    def test_python(self, toy_file: Path) -> None:
        array = np.random.default_rng(0).integers(0, 255, (32, 32, 3)).astype(np.uint8)
        std = ramp((32, 32), 5, 40)
        made = []
        for m in (std.round(), torch.from_numpy(std.round()), Image.fromarray(std.round().astype(np.uint8))):
            with pytest.deprecated_call(match="will go in the next release"):
                made.append(restore_any(array, "denoise", noise_map=m, model=toy_file, dtype="fp32"))
        made.append(restore_any(array, Denoise(noise_map=std.round()), model=toy_file, dtype="fp32"))
        np.testing.assert_array_equal(made[0], made[1])
        np.testing.assert_array_equal(made[0], made[2])
        np.testing.assert_array_equal(made[0], made[3])


def photograph(size: tuple[int, int] = (320, 448)) -> NDArray[np.float32]:
    return np.asarray(data.coffee()[40 : 40 + size[0], 60 : 60 + size[1]], np.float32)


def stored(levels: NDArray[np.floating], std: NDArray[np.floating]) -> NDArray[np.float32]:
    noise = np.random.default_rng(3).normal(size=levels.shape) * std
    return (levels + noise).round().clip(0, 255).astype(np.float32)


class TestEstimates:
    def test_by_brightness(self) -> None:
        clean = photograph()
        std = np.sqrt(6 * clean + 60)
        given = stored(clean, std)
        found = estimate_varying_noise(given, float((given - clean).std()), by_place=False, clips=True)
        assert found is not None
        present = left_of_clipped(clean, std)
        ratio = found.std / np.sqrt((present**2).mean(2))
        # 9 of 10 pixels within a fifth; the average level alone would be off by up to 3 times in the shadows.
        assert np.quantile(np.abs(ratio - 1), 0.9) < 0.2

    @pytest.mark.parametrize("gray", [False, True])
    def test_by_place(self, gray: bool) -> None:
        """As behind a lens whose shading was evened out: 3.5 times as strong in the corners as in the middle."""
        clean = photograph()
        clean = clean.mean(2, keepdims=True) if gray else clean
        v, u = np.mgrid[-1:1:320j, -1:1:448j]
        field = (8 + 10 * (u**2 + v**2)).astype(np.float32)
        given = stored(clean, field[..., None])
        found = estimate_varying_noise(given, float((given - clean).std()), by_place=True, clips=True)
        assert found is not None
        assert found.shading == pytest.approx(3.5, rel=0.35)
        error = np.abs(found.std / field - 1)
        assert np.quantile(error, 0.9) < 0.3
        assert np.median(error) < 0.15

    def test_none_is_seen_where_there_is_none(self) -> None:
        clean = photograph()
        given = stored(clean, np.full(clean.shape, 15.0))
        assert estimate_varying_noise(given, 15.0, by_place=True, clips=True) is None
        small = given[:40, :40]
        assert estimate_varying_noise(small, 15.0, by_place=True, clips=True) is None

    def test_what_clipping_leaves(self) -> None:
        rng = np.random.default_rng(0)
        for mean, std in ((3, 20), (60, 30), (240, 25), (128, 15)):
            drawn = rng.normal(mean, std, 200_000).clip(0, 255)
            assert left_of_clipped(drawn.mean()[None], np.array([std])) == pytest.approx(drawn.std(), rel=0.02)

    def test_requests_say_what_was_found(self, tmp_path: Path) -> None:
        clean = photograph()
        picture = Picture(pixels=to_unit(stored(clean, np.sqrt(6 * clean + 60)).astype(np.uint8), 8))
        task = Denoise(noise="poisson").problem(picture)
        assert task.sigma_y is not None
        assert float(np.sqrt((task.sigma_y**2).mean())) == pytest.approx(task.noise, rel=0.01)
        assert task.facts["noise_gain"] == pytest.approx(6, rel=0.4)
        assert "variance" in task.notes[0]
        even = Denoise(noise="auto-map").problem(flat((128, 128), noise=12))
        assert even.sigma_y is None
        assert "the same everywhere" in even.notes[0]
        jpeg = as_jpeg(flat((128, 128), noise=20), tmp_path, quality=60, subsampling="4:2:0")
        assert "in a JPEG" in Denoise(noise="poisson").problem(jpeg).notes[0]
        deep = replace(picture, depth=16, pixels=picture.pixels)
        assert Denoise(noise="poisson").problem(deep).facts == task.facts
