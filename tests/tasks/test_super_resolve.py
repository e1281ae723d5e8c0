"""Enlarging as a problem: sizes; consistent enlargements, shrunk again, are the input."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import data as samples

from diffuse_cli.diffusion.model import Model
from diffuse_cli.diffusion.photo_noise import PhotoNoise
from diffuse_cli.diffusion.settings import Settings
from diffuse_cli.errors import PictureError, UsageError
from diffuse_cli.images.image_io import Picture, to_levels, to_unit
from diffuse_cli.restoration.restore import restore
from diffuse_cli.tasks.super_resolve import SuperResolve
from tests.conftest import EXAMPLES
from tests.helpers.pictures import as_jpeg, flat, shrunk


def test_sizes() -> None:
    picture = flat((30, 41))
    assert SuperResolve(scale=1.5).problem(picture).size == (45, 62)
    assert SuperResolve(to_size=(82, 1000)).problem(picture).size == (60, 82)
    assert SuperResolve(long_edge=100).problem(picture).size == (73, 100)
    with pytest.raises(PictureError, match="ask for a larger one"):
        SuperResolve(long_edge=41).problem(picture)
    with pytest.raises(PictureError, match="8"):
        SuperResolve(long_edge=400).problem(picture)
    with pytest.raises(UsageError, match="one of"):
        SuperResolve(scale=2, long_edge=100)


@pytest.mark.parametrize("steps", [1, 3])
@pytest.mark.parametrize(("scale", "depth"), [(2, 8), (2.7, 16), (4, 8)])
def test_shrink_to_the_input(toy: Model, scale: float, depth: int, steps: int) -> None:
    """Whatever the network says; this one knows nothing, so it is far off."""
    with Image.open(EXAMPLES / "coffee_small.png") as image:
        levels = np.asarray(image.convert("RGB").crop((10, 10, 58, 50)))
    given = levels if depth == 8 else levels.astype(np.uint16) * 257 - levels % 3
    picture = Picture(pixels=to_unit(given, depth), depth=depth)
    task = SuperResolve(scale=scale, consistent=True).problem(picture)
    made = to_levels(restore(picture, task, Settings(steps=steps), toy).pixels, depth)
    again = np.rint(shrunk(made.astype(np.float32), given.shape[:2])).clip(0, 2**depth - 1)
    wrong = again != given
    assert wrong.mean() < 0.002
    assert np.abs(again - given).max() <= 1
    plain = restore(picture, SuperResolve(scale=scale, plain=True).problem(picture), Settings(steps=steps), toy).pixels
    loose = np.rint(shrunk((plain + 1) * (2**depth - 1) / 2, given.shape[:2]))
    assert (loose != given).mean() > 0.5


def test_gray_alpha_and_floats(toy: Model) -> None:
    rng = np.random.default_rng(0)
    gray = Picture(
        pixels=to_unit(rng.integers(90, 160, (20, 24, 1)).astype(np.uint8), 8),
        alpha=rng.choice([0, 60, 255], (5, 6)).astype(np.uint8).repeat(4, 0).repeat(4, 1),
    )
    made = restore(gray, SuperResolve(scale=3, consistent=True).problem(gray), Settings(), toy)
    assert made.pixels.shape == (60, 72, 1)
    assert gray.alpha is not None
    visible = gray.alpha > 0
    np.testing.assert_allclose(shrunk(made.pixels, (20, 24))[visible], gray.pixels[visible], atol=0.6 / 127.5)
    bright = Picture(pixels=rng.normal(0, 2, (20, 24, 3)).astype(np.float32), depth=16, floating=True)
    free = restore(bright, SuperResolve(scale=2, consistent=True).problem(bright), Settings(), toy).pixels
    np.testing.assert_allclose(shrunk(free, (20, 24)), bright.pixels, atol=1e-3)


def test_a_jpeg_or_noise_warns(tmp_path: Path) -> None:
    request = SuperResolve(scale=2, consistent=True)
    assert request.problem(flat((64, 64))).findings.warnings == ()
    assert "its noise" in request.problem(flat((64, 64), noise=15)).findings.warnings[0]
    jpeg = as_jpeg(flat((64, 64), noise=15), tmp_path, quality=60, subsampling="4:2:0")
    assert "JPEG compression" in request.problem(jpeg).findings.warnings[0]
    assert SuperResolve(scale=2).problem(jpeg).findings.warnings == ()


def test_twice_the_size_if_nothing_is_said() -> None:
    assert SuperResolve().scale == 2
    assert SuperResolve(plain=True).problem(flat((30, 41))).size == (60, 82)


def photo() -> Picture:
    """A clean photograph of 192 x 128 pixels."""
    image = Image.fromarray(samples.coffee()).resize((300, 200), Image.Resampling.LANCZOS)
    return Picture(pixels=to_unit(np.array(image.crop((60, 40, 252, 168))), 8))


def test_a_clean_picture_is_enlarged_as_it_is() -> None:
    found = SuperResolve().problem(photo())
    assert found.observation == SuperResolve(plain=True).problem(photo()).observation
    assert found.findings.notes == ()


def test_noise_and_compression_are_told_unless_plain(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    noisy = Picture(pixels=photo().pixels + rng.normal(0, 10 / 127.5, photo().pixels.shape).astype(np.float32))
    told = SuperResolve(scale=3).problem(noisy)
    assert told.degradation.noise * 127.5 == pytest.approx(10, abs=1.5)
    assert told.degradation.scale == 3
    coded = as_jpeg(photo(), tmp_path, quality=40, subsampling="4:2:0")
    found = SuperResolve().problem(coded)
    assert (found.degradation.quality, found.finish.uncoded) == (40, True)
    assert "JPEG quality 40" in found.findings.notes[0]
    decoded = SuperResolve().problem(Picture(pixels=coded.pixels))
    assert decoded.degradation.quality == 40
    for exact in (SuperResolve(plain=True), SuperResolve(consistent=True)):
        assert (exact.problem(coded).degradation.quality, "estimated" in exact.to_recipe()) == (100, False)
    assert SuperResolve().to_recipe()["estimated"] == {"noise": "auto", "jpeg": "auto"}


def test_doubtful_grain_is_not_told() -> None:
    """Fine texture of a shrunk picture looks like the noise of a camera."""

    def grain(doubt: float) -> float:
        noise = PhotoNoise(
            level=8 / 127.5,
            grain=0.6,
            luma=0.06,
            chroma=0.06,
            bright_over_dark=1.0,
            doubt=doubt,
            chance=1.0,
            by_texture=-1.0,
            correlation=0.6,
        )
        return SuperResolve().problem(photo(), lambda _: noise).degradation.grain

    assert grain(0.2) == pytest.approx(0.6)
    assert grain(1.2) == 0


def test_no_noise_is_looked_for_in_tiny_pictures() -> None:
    rng = np.random.default_rng(0)
    noisy = Picture(pixels=(rng.normal(0, 20 / 127.5, (80, 200, 3))).astype(np.float32))
    assert SuperResolve().problem(noisy).degradation.noise == 0
