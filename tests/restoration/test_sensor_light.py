"""Light is stabilised, so that its noise is the same everywhere, and comes back unbiased."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from diffuse_cli.errors import PictureError
from diffuse_cli.images.image_io import read_pages
from diffuse_cli.images.picture import Source
from diffuse_cli.images.raw.noise_law import NoiseLaw
from diffuse_cli.images.tensors import to_tensor
from diffuse_cli.restoration.problem import GuidePicture
from diffuse_cli.restoration.sensor_light import Stabiliser
from diffuse_cli.tasks.denoise import Denoise
from diffuse_cli.tasks.fuse import Fuse
from tests.helpers.raw_files import scene, sensor_law, write_raw

LAW = NoiseLaw(gain=0.005, offset=0.0001)
STABILISER = Stabiliser(law=LAW, low=2 / 0.005 * np.sqrt(0.0001 + 3 / 8 * 0.005**2), step=0.02)


def test_what_is_not_restored_comes_back() -> None:
    light = np.linspace(0, 3, 600, dtype=np.float32).reshape(1, 3, 10, 20)
    x = torch.from_numpy(STABILISER(light))
    assert STABILISER.light(x, (LAW,) * 3, 0.0).numpy() == pytest.approx(light, abs=1e-5)


@pytest.mark.parametrize("light", [0.05, 0.2, 0.8])
def test_the_noise_is_the_same_everywhere_and_its_mean_becomes_the_light(light: float) -> None:
    laws = (LAW, LAW.scaled(2.0), LAW.scaled(1.6))
    drawn = np.random.default_rng(1).standard_normal((1, 3, 200, 250)).astype(np.float32)
    stds = np.sqrt([law.at(light) for law in laws], dtype=np.float32).reshape(1, 3, 1, 1)
    noisy = STABILISER(np.float32(light) + stds * drawn)
    assert noisy[:, 0].std() == pytest.approx(STABILISER.step, rel=0.05)
    mean = torch.from_numpy(noisy).mean((2, 3), keepdim=True)
    assert STABILISER.light(mean, laws, 1.0).flatten().numpy() == pytest.approx(np.full(3, light), rel=0.02)


def test_a_sensor_without_noise_of_reading_keeps_its_shadows() -> None:
    laws = (NoiseLaw(gain=0.002, offset=5e-7), NoiseLaw(gain=0.002, offset=1e-12), NoiseLaw(gain=0.002, offset=5e-7))
    dark = np.zeros((1, 3, 8, 8), np.float32)
    stabiliser = Stabiliser(law=laws[1], low=2 / 0.002 * np.sqrt(3 / 8) * 0.002, step=0.02)
    assert abs(stabiliser.light(torch.from_numpy(stabiliser(dark)), laws, 1.0)).max() < 0.002


def test_shots_of_camera_raw_are_fused_as_light(tmp_path: Path) -> None:
    pytest.importorskip("rawpy", reason="the extra [formats] is not installed")
    pytest.importorskip("cv2")
    clean = scene(128, 160)
    for seed in (1, 2):
        write_raw(tmp_path / f"{seed}.dng", clean, sensor_law(3200), seed=seed, stated=True)
    write_raw(tmp_path / "clean.dng", clean)
    first, true = (next(read_pages(tmp_path / f"{name}.dng", as_light=True)) for name in (1, "clean"))
    problem = Fuse(copies=[tmp_path / "2.dng"]).problem(first)
    assert problem.picture is not None
    assert problem.finish.tone is not None
    fused = problem.finish.tone(to_tensor(problem.picture.pixels)).numpy()[0].transpose(1, 2, 0)
    inner = (slice(12, -12), slice(12, -12))
    errors = [np.mean((one - true.pixels)[inner] ** 2) for one in (first.pixels, fused)]
    assert errors[1] == pytest.approx(errors[0] / 2, rel=0.15)
    with pytest.raises(PictureError, match="not enlarged"):
        Fuse(copies=[tmp_path / "2.dng"], scale=2).problem(first)
    with pytest.raises(PictureError, match="no camera RAW"):
        Fuse(copies=[replace(first, source=Source())]).problem(first)


def test_denoising_tells_the_noise_of_the_sensor(tmp_path: Path) -> None:
    pytest.importorskip("rawpy", reason="the extra [formats] is not installed")
    write_raw(tmp_path / "a.dng", scene(128, 192), sensor_law(3200), stated=True)
    picture = next(read_pages(tmp_path / "a.dng", as_light=True))
    problem = Denoise().problem(picture)
    assert isinstance(problem.observation, GuidePicture)
    assert problem.picture is not None
    assert problem.findings.notes[0].startswith("noise of the sensor (stated in the file): variance 0.002 x light")
    flat = problem.picture.pixels[4:-4, 4:-4]
    assert -1.3 < flat.min() < flat.max() < 1.5
    assert Denoise(strength=0).problem(picture).leaves_alone
    with pytest.raises(PictureError, match="leave --noise and --noise-map out"):
        Denoise(noise=5.0).problem(picture)


def test_a_sensor_without_noise_is_left_alone(tmp_path: Path) -> None:
    pytest.importorskip("rawpy", reason="the extra [formats] is not installed")
    write_raw(tmp_path / "a.dng", scene(128, 192), (1e-9, 1e-11), stated=True)
    problem = Denoise().problem(next(read_pages(tmp_path / "a.dng", as_light=True)))
    assert problem.leaves_alone
    assert problem.findings.notes[0].endswith("too little to remove")
