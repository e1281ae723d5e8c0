"""Where a copy lies in the reference."""

import numpy as np
import pytest
from scipy import ndimage

from diffuse_cli.images.units import LEVEL
from diffuse_cli.restoration.copies.registration import coordinates, register, resizing
from tests.helpers.copies import Pixels, moved, scene, stored

pytest.importorskip("cv2")


def luma(pixels: Pixels) -> Pixels:
    return np.asarray((pixels.mean(2) + 1) * LEVEL, np.float32)


@pytest.mark.parametrize(("shift", "angle", "noise"), [((2.4, -1.7), 0.0, 5), ((0.5, 0.5), 0.8, 15), ((-6, 3), 4, 5)])
def test_to_a_tenth_of_a_pixel(shift: tuple[float, float], angle: float, noise: float) -> None:
    clean = scene(side=192)
    copy = stored(moved(clean, shift, angle), noise, 1)
    found = register(luma(stored(clean, noise).pixels), luma(copy.pixels))
    assert found is not None
    size = (192, 192)
    x, y = coordinates(found.matrix, size)
    c, s, middle = np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle)), 191 / 2
    u, v = x - middle, y - middle  # where the found place is in the reference again
    columns, rows = c * u - s * v + middle + shift[0], s * u + c * v + middle + shift[1]
    off = np.hypot(columns - np.arange(192)[None], rows - np.arange(192)[:, None])
    assert np.sqrt(np.mean(off**2)) < 0.1


def test_a_copy_of_another_size_is_found() -> None:
    clean = scene(side=192)
    small = np.stack([ndimage.gaussian_filter(clean[..., k], 0.8)[::2, ::2] for k in range(3)], 2)
    found = register(luma(clean), luma(small))
    assert found is not None
    assert found.scale((192, 192)) == pytest.approx(0.5, abs=0.005)
    x, _ = coordinates(found.matrix, (192, 192))
    assert x[96, 96] == pytest.approx(48, abs=0.1)  # every second pixel was taken, from the first one on


def test_the_same_picture_is_not_interpolated() -> None:
    clean = scene()
    found = register(luma(stored(clean, 4, 1).pixels), luma(stored(clean, 4, 2).pixels))
    assert found is not None
    assert np.array_equal(found.matrix, np.eye(3))
    shifted = register(luma(stored(clean, 2, 1).pixels[8:, 5:]), luma(stored(clean, 2, 2).pixels[:-8, :-5]))
    assert shifted is not None
    assert np.array_equal(shifted.matrix, [[1, 0, 5], [0, 1, 8], [0, 0, 1]])


def test_another_picture_is_not_registered() -> None:
    assert register(luma(scene(0)), luma(scene(1))) is None
    plain = np.full((64, 64), 128, np.float32)
    assert register(plain, plain + np.random.default_rng(0).normal(0, 2, plain.shape).astype(np.float32)) is None


def test_edges_stay_edges() -> None:
    matrix = resizing((10, 20), (5, 40))
    assert np.allclose(matrix @ [-0.5, -0.5, 1], [-0.5, -0.5, 1])
    assert np.allclose(matrix @ [19.5, 9.5, 1], [39.5, 4.5, 1])
