"""Damage to whole pictures: gray, deep, transparent, and worn as old prints are."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

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
