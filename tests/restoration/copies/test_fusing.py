"""Copies as one observation."""

from dataclasses import replace

import numpy as np
import pytest

from diffuse_cli.images.picture import Picture
from diffuse_cli.images.units import LEVEL
from diffuse_cli.restoration.copies.described import Described
from diffuse_cli.restoration.copies.describing import describe
from diffuse_cli.restoration.copies.fusing import Fused, fuse_copies
from tests.helpers.copies import EDGE, moved, psnr, scene, stored

pytest.importorskip("cv2")

SHIFTS = ((0.0, 0.0), (0.5, 0.5), (-1.3, 0.4), (2.0, -1.7))


def plain(picture: Picture) -> Described:
    return describe(picture, None)


def fused(*pictures: Picture) -> Fused:
    named = [(f"copy {k}", picture) for k, picture in enumerate(pictures)]
    found = fuse_copies(named[0], named[1:], plain, lambda name: pytest.fail(f"{name} is refused"))
    assert found is not None
    return found


def test_the_noise_of_four_copies_falls_by_six_decibels_and_that_is_told() -> None:
    clean = scene()
    found = fused(*(stored(moved(clean, shift), 15, k) for k, shift in enumerate(SHIFTS)))
    assert psnr(found.pixels, clean) - psnr(stored(clean, 15).pixels, clean) > 5.5
    inner = (slice(EDGE, -EDGE), slice(EDGE, -EDGE))
    true = float(np.std((found.pixels - clean)[inner]))
    assert float(np.sqrt(np.mean(found.sigma[inner] ** 2))) == pytest.approx(true, rel=0.12)
    assert np.sum(found.weights, axis=0) == pytest.approx(1, abs=1e-5)


def test_a_bad_copy_gets_little_weight() -> None:
    clean = scene()
    found = fused(stored(clean, 5), stored(moved(clean, (1.3, 0.6)), 5, 1), stored(moved(clean, (0.4, 2)), 50, 2))
    assert found.shares[2] < 0.03
    assert psnr(found.pixels, clean) > psnr(stored(clean, 5).pixels, clean) + 2


def test_an_object_that_moves_leaves_no_ghost() -> None:
    clean = scene()
    pictures = []
    for k in range(3):
        shown = clean.copy()
        shown[50:74, 20 + 30 * k : 44 + 30 * k] = (0.9, -0.9, 0.9)
        pictures.append(stored(shown, 8, k))
    found = fused(*pictures)
    truth = clean.copy()
    truth[50:74, 20:44] = (0.9, -0.9, 0.9)
    off = np.abs(found.pixels - truth)[46:78, 16:108].mean(2) * LEVEL
    assert np.quantile(off, 0.99) < 30  # noise of 8 levels, and no ghost of 200
    assert psnr(found.pixels, truth) > psnr(pictures[0].pixels, truth) + 3


def test_half_a_pixel_of_misregistration_does_not_hurt() -> None:
    clean = scene()
    rows, columns = (np.asarray(axis, np.float64) for axis in np.indices(clean.shape[:2]))
    pictures = [stored(clean, 5)]
    for k in range(1, 4):
        bent = clean.copy()
        off = np.asarray(0.5 * np.sin(rows / 5 + k))  # no homography tells
        for c in range(3):
            flat = np.stack([np.interp(columns[r] + off[r], columns[r], clean[r, :, c]) for r in range(144)])
            bent[..., c] = flat
        pictures.append(stored(bent, 5, k))
    assert psnr(fused(*pictures).pixels, clean) > psnr(pictures[0].pixels, clean) + 1


def test_light_is_matched() -> None:
    clean = scene()
    found = fused(stored(clean, 8), stored(moved(clean, (1.4, 0)) * 0.8 + 0.05, 8, 1))
    assert psnr(found.pixels, clean) > psnr(stored(clean, 8).pixels, clean) + 1.5


def test_equal_copies_stay_what_they_are() -> None:
    clean = stored(scene())
    found = fused(clean, clean, clean)
    assert np.abs(found.pixels - clean.pixels).max() < 1e-6


def test_transparent_pixels_are_taken_from_others() -> None:
    clean = scene()
    alpha = np.full(clean.shape[:2], 255, np.uint8)
    alpha[20:40, 20:40] = 0
    hidden = clean.copy()
    hidden[20:40, 20:40] = 1
    found = fused(replace(stored(clean, 4), alpha=None), replace(stored(hidden, 4, 1), alpha=alpha))
    assert found.weights[1][22:38, 22:38].max() == 0
    assert psnr(found.pixels, clean) > psnr(stored(clean, 4).pixels, clean) + 1


def test_other_pictures_are_named() -> None:
    told: list[str] = []
    found = fuse_copies(("a", stored(scene(0))), [("b", stored(scene(1)))], plain, told.append)
    assert found is None
    assert told == ["b"]
