"""Damage to whole pictures: gray, deep, transparent, and worn as old prints are."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy import ndimage

from diffuse_cli.degradation.camera import describe_noise
from diffuse_cli.degradation.damage import Damage
from diffuse_cli.degradation.random_masks import MaskKind
from diffuse_cli.errors import PictureError, UsageError
from diffuse_cli.images.image_io import Picture, to_unit


def test_gray_pictures_stay_gray_and_transparent_ones_are_refused() -> None:
    gray = Picture(pixels=np.zeros((30, 40, 1), np.float32))
    assert Damage(noise=20, poisson=1).apply(gray)[0].pixels.shape == (30, 40, 1)
    colour = Picture(pixels=np.zeros((30, 40, 3), np.float32))
    assert Damage(noise=20, poisson=1).apply(colour)[0].is_gray
    with pytest.raises(PictureError, match="transparency"):
        Damage(noise=20).apply(Picture(pixels=gray.pixels, alpha=np.zeros((30, 40), np.uint8)))


def test_deep_pictures_stay_deep() -> None:
    deep = Picture(pixels=to_unit(np.full((64, 64, 1), 30000, np.uint16), 16), depth=16)
    damaged, _ = Damage(noise=10).apply(deep)
    assert damaged.depth == 16
    assert damaged.pixels.std() * 127.5 == pytest.approx(10, rel=0.05)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"noise": float("nan")},
        {"noise": -1},
        {"scale": 9},
        {"blur": -1},
        {"jpeg": 0},
        {"jpeg": 5, "subsampling": "x"},
    ],
)
def test_nonsense_is_refused(options: dict[str, float]) -> None:
    with pytest.raises(UsageError):
        Damage(**options)  # type: ignore[arg-type]


def near(mask: NDArray[np.bool_], reach: int = 2) -> NDArray[np.bool_]:
    return np.asarray(ndimage.binary_dilation(mask, iterations=reach))


@pytest.mark.parametrize("kind", ["dust", "scratches", "tears"])
def test_worn_marks(kind: MaskKind) -> None:
    picture = Picture(pixels=np.zeros((150, 200, 3), np.float32))
    plain, hole = Damage(mask=kind, mask_share=0.03, seed=5).apply(picture)
    worn, seen = Damage(mask=kind, mask_share=0.03, seed=5, worn=True).apply(picture)
    assert hole is not None
    assert seen is not None
    assert (plain.pixels[hole] == 1).all()
    assert (plain.pixels[~hole] == 0).all()
    assert not (hole & ~near(seen, 1)).any()
    assert np.abs(worn.pixels[~seen]).max() < 0.12, "what is not said to be hidden is hardly touched"
    again, _ = Damage(mask=kind, mask_share=0.03, seed=5, worn=True).apply(picture)
    assert np.array_equal(worn.pixels, again.pixels)
    assert len(np.unique(worn.pixels.round(2))) > 3, "tones of their own, and soft rims"


Mask = NDArray[np.bool_]


def test_a_cameras_noise_and_film_are_seeded_and_correlated() -> None:
    picture = Picture(pixels=np.full((96, 96, 3), [0.1, 0, -0.1], np.float32))
    for damage in (Damage(camera=1600, seed=3), Damage(film=8, grain=0.8, seed=3)):
        noisy = damage.apply(picture)[0].pixels
        assert np.array_equal(noisy, damage.apply(picture)[0].pixels)
        assert not np.array_equal(noisy, replace(damage, seed=4).apply(picture)[0].pixels)
        noise = torch.from_numpy(noisy - picture.pixels).permute(2, 0, 1)[None]
        red = noise[:, :1] - noise[:, 1:2]
        assert damage.camera is None or float((red[..., 1:] * red[..., :-1]).mean() / red.square().mean()) > 0.4
        level, grain = describe_noise(noise)
        assert 4 < level * 127.5 < 20
        assert damage.film is None or grain == pytest.approx(0.8, abs=0.1)
    with pytest.raises(UsageError, match="--film"):
        Damage(grain=0.5)
    gray = Damage(camera=800).apply(Picture(pixels=np.zeros((32, 32, 1), np.float32)))[0]
    assert gray.pixels.shape == (32, 32, 1)
    assert gray.pixels.std() > 0
