"""Earlier frames of a clip as an observation of the next."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from diffuse_cli.degradation.operators import Degradation
from diffuse_cli.diffusion.model import Model
from diffuse_cli.diffusion.settings import Settings
from diffuse_cli.images.picture import Picture
from diffuse_cli.images.units import LEVEL
from diffuse_cli.restoration.earlier_frames import EarlierFrames, is_noisy
from diffuse_cli.restoration.problem import GuidePicture, JpegBlocks, NoisyPicture, Problem
from diffuse_cli.restoration.restore import restore

pytest.importorskip("cv2")

NOISE = 20 / LEVEL
Pixels = NDArray[np.float32]


def scene(seed: int = 0, side: int = 96) -> Pixels:
    """A picture with structure at every scale."""
    rng = np.random.default_rng(seed)
    made = sum(ndimage.gaussian_filter(rng.normal(0, s, (side, side, 3)), (s, s, 0)) * 2 for s in (2, 4, 8))
    return np.asarray(np.clip(made, -0.9, 0.9), np.float32)


def seen(clean: Pixels, k: int) -> Picture:
    noise = np.random.default_rng(100 + k).normal(0, NOISE, clean.shape)
    return Picture(pixels=(clean + noise).astype(np.float32))


def joined(frames: list[Pixels], problem: Problem) -> tuple[EarlierFrames, list[Problem]]:
    earlier, made = EarlierFrames(), []
    for k, clean in enumerate(frames):
        picture = seen(clean, k)
        made.append(earlier.joined(picture, problem))
        earlier.done(picture)
    return earlier, made


def error(problem: Problem, clean: Pixels, edge: int = 12) -> float:
    assert problem.picture is not None
    return float(np.std((problem.picture.pixels - clean)[edge:-edge, edge:-edge]))


def test_a_still_camera_averages_frames() -> None:
    clean = scene()
    earlier, made = joined([clean] * 6, Problem(observation=NoisyPicture(noise=NOISE)))
    assert earlier.scenes == 1
    assert made[0].picture is None
    observation = made[-1].observation
    assert isinstance(observation, NoisyPicture)
    assert observation.sigma_y is not None
    assert error(made[-1], clean) < 0.6 * NOISE
    told = float(np.median(observation.sigma_y))
    assert 0.8 < error(made[-1], clean) / told < 1.25  # the noise that is told is the noise that is there


def test_motion_is_followed_by_fractions_of_a_pixel() -> None:
    whole = scene(side=128)
    frames = [ndimage.shift(whole, (0.6 * k, 1.3 * k, 0), order=3)[16:112, 16:112] for k in range(6)]
    earlier, made = joined([f.astype(np.float32) for f in frames], Problem(observation=NoisyPicture(noise=NOISE)))
    assert earlier.scenes == 1
    assert error(made[-1], frames[-1]) < 0.7 * NOISE


def test_what_moves_otherwise_is_not_smeared() -> None:
    background, thing = scene(), scene(5)[:24, :24]
    frames = []
    for k in range(6):
        frame = background.copy()
        frame[30:54, 8 + 6 * k : 32 + 6 * k] = thing
        frames.append(frame)
    _, made = joined(frames, Problem(observation=NoisyPicture(noise=NOISE)))
    assert made[-1].picture is not None
    off = np.abs(made[-1].picture.pixels - frames[-1])
    assert np.sqrt((off[28:56, 4:70] ** 2).mean()) < 1.1 * NOISE


@pytest.mark.parametrize(("channels", "most"), [(1, 1.0), (3, 1.2)])
def test_what_is_fainter_than_its_noise_is_not_averaged_with_something_else(channels: int, most: float) -> None:
    rng = np.random.default_rng(1)
    faint = np.asarray(ndimage.gaussian_filter(rng.normal(0, 1, (96, 96, channels)), (5, 5, 0)), np.float32)
    frames = [np.roll(faint * 1.5 - 0.5, 17 * k, 1).repeat(3 // channels, 2) for k in range(8)]
    _, made = joined(frames, Problem(observation=NoisyPicture(noise=NOISE)))
    picture = made[-1].picture
    assert picture is not None
    wrong = ndimage.gaussian_filter(picture.pixels - frames[-1], (4, 4, 0)).std()
    alone = ndimage.gaussian_filter(seen(frames[-1], 7).pixels - frames[-1], (4, 4, 0)).std()
    assert wrong < most * alone


def test_a_cut_begins_anew() -> None:
    one, other = scene(1), -scene(2)
    earlier, made = joined([one, one, other, other], Problem(observation=NoisyPicture(noise=NOISE)))
    assert earlier.scenes == 2
    assert made[2].picture is None
    assert error(made[3], other) < 0.8 * NOISE
    assert earlier.words() == "2 scenes, 0 repeated frames"


def test_a_repeated_frame_has_the_result_of_the_one_before() -> None:
    earlier, problem = EarlierFrames(), Problem(observation=NoisyPicture(noise=NOISE))
    first, next_one = seen(scene(), 0), seen(scene(), 1)
    assert earlier.repeated(first, problem) is None
    earlier.joined(first, problem)
    result = replace(first, pixels=first.pixels / np.float32(2))
    earlier.done(result)
    again = earlier.repeated(replace(first, pixels=first.pixels + np.float32(0.1 * NOISE)), problem)
    assert again is not None
    np.testing.assert_array_equal(again.pixels, result.pixels)
    assert earlier.repeated(next_one, problem) is None
    assert earlier.repeats == 1


def test_missing_pixels_are_taken_from_the_frame_before() -> None:
    clean, hole = scene(), np.zeros((96, 96), bool)
    hole[40:44, 40:44] = True
    plain = Problem(observation=NoisyPicture(noise=NOISE))
    earlier = EarlierFrames()
    earlier.joined(seen(clean, 0), plain)
    picture = seen(clean, 1)
    picture.pixels[hole] = 1
    problem = earlier.joined(picture, replace(plain, hole=hole))
    assert problem.hole is None
    assert problem.picture is not None
    assert np.abs(problem.picture.pixels - clean)[hole].max() < 5 * NOISE


def test_frames_without_noise_or_with_coefficients_are_alone() -> None:
    noisy = Problem(observation=NoisyPicture(noise=NOISE))
    assert is_noisy(noisy)
    assert not is_noisy(Problem())
    assert not is_noisy(replace(noisy, finish=replace(noisy.finish, blocks=JpegBlocks(quality=50))))
    guided = replace(noisy, observation=GuidePicture(degradation=noisy.degradation))
    assert is_noisy(guided)
    _, made = joined([scene()] * 2, Problem())
    assert made == [Problem()] * 2


def test_a_guide_gets_a_map_of_its_noise() -> None:
    guide = Problem(observation=NoisyPicture(noise=NOISE)).degradation
    _, made = joined([scene()] * 4, Problem(observation=GuidePicture(degradation=guide)))
    observation = made[-1].observation
    assert isinstance(observation, GuidePicture)
    assert observation.degradation.noise < 0.7 * NOISE


def test_an_enlargement_learns_from_earlier_frames_too(toy: Model) -> None:
    seen = GuidePicture(degradation=Degradation(scale=2, noise=0.1), size=(64, 96))
    earlier, rng = EarlierFrames(), np.random.default_rng(0)
    for _ in range(3):
        picture = Picture(pixels=rng.normal(0, 0.1, (32, 48, 3)).astype(np.float32))
        problem = earlier.joined(picture, Problem(observation=seen))
        after = restore(picture, problem, Settings(steps=1), toy)
        earlier.done(after)
        assert after.pixels.shape == (64, 96, 3)
    assert problem.degradation.noise < 0.1
