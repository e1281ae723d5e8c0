"""What is filled gets the grain beside it: its level, its correlation, its colour; and none where there is none."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from diffuse_cli.diffusion.model import Model
from diffuse_cli.diffusion.settings import Settings
from diffuse_cli.images.picture import Picture
from diffuse_cli.restoration.noise_reading import noise_reader
from diffuse_cli.restoration.restore import restore
from diffuse_cli.tasks.inpaint import Inpaint
from diffuse_cli.tasks.restore import Restore

TEXTURED = Settings(textured=True)
BOX = (100, 20, 8, 150)


def noisy(level: float, blur: float = 0.0, *, gray: bool = False) -> Picture:
    """Return a smooth picture with grain of a level of 8 bits, darker at the left."""
    rng = np.random.default_rng(0)
    grain = np.stack([gaussian_filter(rng.normal(0, 1, (192, 224)), blur, mode="wrap") for _ in range(3)], 2)
    grain = grain[..., :1].repeat(3, 2) if gray else grain
    ramp = np.linspace(-0.5, 0.4, 224)[None, :, None]
    pixels = ramp + grain / grain.std() * level / 127.5
    return Picture(pixels=np.round(pixels * 127.5).astype(np.float32) / np.float32(127.5), depth=8)


def filled(picture: Picture, model: Model, how: Settings = TEXTURED, *, smooth: bool = False) -> NDArray[np.float32]:
    problem = Inpaint(boxes=[BOX], smooth_fill=smooth).problem(picture, noise_reader(model))
    return restore(picture, problem, how, model).pixels


def rough(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the columns of the hole without their ramp, in 8-bit levels."""
    part: NDArray[np.float32] = pixels[20:170, 101:107] * np.float32(127.5)
    part -= part.mean(0)
    return part


@pytest.mark.parametrize(("level", "blur"), [(6.0, 0.0), (10.0, 0.0), (8.0, 0.7)])
def test_level_and_correlation_are_those_beside(model: Model, level: float, blur: float) -> None:
    picture = noisy(level, blur)
    made, truth = rough(filled(picture, model)), rough(picture.pixels)
    assert 0.8 < made.std() / truth.std() < 1.2
    down = [float(np.corrcoef(x[1:, :, 1].ravel(), x[:-1, :, 1].ravel())[0, 1]) for x in (made, truth)]
    assert abs(down[0] - down[1]) < 0.15


def test_known_pixels_stay_and_gray_stays_gray(model: Model) -> None:
    picture = noisy(9, 0.6, gray=True)
    made = filled(picture, model)
    hole = np.zeros((192, 224), bool)
    hole[20:170, 100:108] = True
    assert np.array_equal(made[~hole], picture.pixels[~hole])
    np.testing.assert_allclose(made, made[..., :1].repeat(3, 2), atol=1e-6)


def test_a_clean_picture_gets_none(model: Model) -> None:
    picture = noisy(0.01)
    assert Inpaint(boxes=[BOX]).problem(picture, noise_reader(model)).finish.fill_noise is None
    assert np.array_equal(filled(picture, model), filled(picture, model, smooth=True))


def test_the_seed_chooses_it_and_the_mean_has_none(model: Model) -> None:
    picture = noisy(8)
    one, again = filled(picture, model), filled(picture, model)
    assert np.array_equal(one, again)
    assert not np.array_equal(one, filled(picture, model, Settings(textured=True, seed=1)))
    assert rough(filled(picture, model, Settings())).std() < 0.3 * rough(one).std()
    assert np.array_equal(filled(picture, model, Settings()), filled(picture, model, Settings(), smooth=True))


def test_restore_gives_grain_where_noise_stays(model: Model) -> None:
    picture, read = noisy(8), noise_reader(model)
    keeps = Restore(noise=0.0, jpeg=100.0, blur=0.0, holes=Inpaint(boxes=[BOX])).problem(picture, read)
    removes = Restore(noise=8.0, jpeg=100.0, blur=0.0, holes=Inpaint(boxes=[BOX])).problem(picture, read)
    assert keeps.finish.fill_noise is not None
    assert removes.finish.fill_noise is None
    assert "fill_noise" in keeps.findings.facts
