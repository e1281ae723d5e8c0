"""Impulses: found where there are some, and not in what only looks like them."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from scipy.ndimage import gaussian_filter
from skimage import data

from diffuse_cli.degradation.estimation import impulses
from diffuse_cli.degradation.estimation.impulses import find_impulses

Levels = NDArray[np.uint8]
Damage = Callable[[Levels, np.random.Generator], Levels]


def salted(levels: Levels, rng: np.random.Generator, share: float, *, by_channel: bool = False) -> Levels:
    drawn = rng.random(levels.shape if by_channel else levels.shape[:2])
    out = levels.copy()
    out[drawn < share / 2], out[drawn > 1 - share / 2] = 0, 255
    return out


def hot(levels: Levels, rng: np.random.Generator, share: float) -> Levels:
    where = rng.random(levels.shape[:2]) < share
    out = levels.copy()
    out[where] = np.maximum(out[where], rng.uniform(120, 255, (int(where.sum()), 1)).astype(np.uint8))
    return out


def noisy(levels: Levels, rng: np.random.Generator, std: float) -> Levels:
    return (levels + rng.normal(0, std, levels.shape)).round().clip(0, 255).astype(np.uint8)


def found(levels: NDArray[Any], opaque: NDArray[np.bool_] | None = None) -> NDArray[np.bool_]:
    return find_impulses(levels.reshape(*levels.shape[:2], -1).astype(np.float32), opaque).where


DAMAGES: dict[str, tuple[Damage, float]] = {
    "salt and pepper 1 %": (lambda x, rng: salted(x, rng, 0.01), 0.7),
    "salt and pepper 5 %": (lambda x, rng: salted(x, rng, 0.05), 0.9),
    "salt and pepper 20 %": (lambda x, rng: salted(x, rng, 0.2), 0.85),
    "by channel 4 %": (lambda x, rng: salted(x, rng, 0.04, by_channel=True), 0.85),
    "gray 5 %": (lambda x, rng: salted(x[..., 1], rng, 0.05), 0.9),
    "noise below": (lambda x, rng: salted(noisy(x, rng, 15), rng, 0.05), 0.85),
    "hot pixels": (lambda x, rng: hot(x, rng, 0.003), 0.6),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_impulses_are_found(photo: Levels, name: str) -> None:
    damage, recall = DAMAGES[name]
    damaged = damage(photo, np.random.default_rng(1))
    clean = photo[..., 1] if damaged.ndim == 2 else photo
    change = np.abs(damaged.astype(float) - clean).reshape(*photo.shape[:2], -1).max(2)
    far = change > 60
    where = found(damaged)
    assert where[far].mean() >= recall
    assert (change[where] > 0).mean() >= 0.9


def test_a_quarter_of_a_large_picture_shows_that_there_are_none(photo: Levels, monkeypatch: pytest.MonkeyPatch) -> None:
    rows, suspects = list[int](), impulses._suspects

    def watched(x: NDArray[np.float32], *rest: Any) -> Any:  # noqa: ANN401 - as `_suspects` has it
        rows.append(len(x))
        return suspects(x, *rest)

    damaged = hot(photo, np.random.default_rng(1), 0.003)
    expected = found(damaged)
    monkeypatch.setattr(impulses, "_suspects", watched)
    monkeypatch.setattr(impulses, "_TELLING", 0.0)
    assert (found(damaged) == expected).all()
    assert max(rows) > len(photo)
    rows.clear()
    assert not found(noisy(photo, np.random.default_rng(2), 8)).any()
    assert 0 < max(rows) < len(photo) / 2


def test_the_share_is_told_and_the_border_looked_at(photo: Levels) -> None:
    damaged = salted(photo, np.random.default_rng(2), 0.05)
    told = find_impulses(damaged.astype(np.float32))
    assert told.share == pytest.approx(0.05, abs=0.012)
    assert told.evidence == "high"
    assert told.where[0].any()
    assert told.where[:, -1].any()


def test_16_bits_and_transparency(photo: Levels) -> None:
    rng = np.random.default_rng(3)
    damaged = salted(photo, rng, 0.05)
    deep = np.where(damaged == photo, damaged * np.uint16(257) + rng.integers(0, 200, damaged.shape), damaged * 257.0)
    assert (found(deep / 257) ^ found(damaged)).mean() < 0.01
    opaque = np.zeros(photo.shape[:2], bool)
    opaque[:, 40:] = True
    assert not found(damaged, opaque)[:, :37].any()
    garbage = np.where(opaque[..., None], photo, damaged)
    assert not found(garbage, opaque).any()


def test_photographs_have_none(photo: Levels) -> None:
    rng = np.random.default_rng(4)
    assert not found(photo).any()
    for std in (10, 50, 75):
        assert not found(noisy(photo, rng, std)).any(), std
    dark = (photo / 16 + rng.normal(-5, 12, photo.shape)).round().clip(0, 255)
    assert not found(dark).any()
    heavy = (photo + rng.laplace(0, 14, photo.shape)).round().clip(0, 255)
    assert not found(heavy).any()
    assert not found(np.asarray(Image.fromarray(photo).resize((photo.shape[1] // 2, photo.shape[0] // 2), 0))).any()


def test_dithered_pictures_have_none(photo: Levels) -> None:
    image = Image.fromarray(photo)
    assert not found(np.asarray(image.convert("1")) * 255).any()
    for colours in (4, 16, 64, 256):
        assert not found(np.asarray(image.quantize(colours).convert("RGB"))).any(), colours
    assert not found(np.asarray(image.convert("P", palette=Image.Palette.WEB).convert("RGB"))).any()


def test_random_levels_have_none() -> None:
    assert not found(np.random.default_rng(0).integers(0, 256, (200, 200, 3))).any()
    assert not found(np.full((200, 200), 128)).any()
    assert not found(np.zeros((3, 300))).any()


@pytest.mark.parametrize("mode", ["1", "L"])
@pytest.mark.parametrize("size", [9, 14])
def test_text_has_none(mode: str, size: int) -> None:
    image = Image.new("L", (500, 360), 255)
    draw = ImageDraw.Draw(image)
    for row, y in enumerate(range(2, 360, size + 3)):
        text = "i.e. The quick, brown: fox; jumps... over the lazy dog! 3.14. "[row % 7 :] * 2
        draw.text((3, y), text, 0, font=ImageFont.load_default(size))
    assert not found(np.asarray(image.convert(mode, dither=Image.Dither.NONE)) * (255 if mode == "1" else 1)).any()


def test_charts_have_none() -> None:
    image = Image.new("RGB", (500, 360), "white")
    draw = ImageDraw.Draw(image)
    for k in range(0, 500, 25):
        draw.line((k, 0, k, 360), (225, 225, 225))
        draw.rectangle((k, 360 - k // 2, k + 12, 360), (40 + k // 3, 90, 200 - k // 3))
        for y in range(0, 360, 4):
            draw.point((k + 7, y), (120, 30, 30))  # dotted lines
    draw.line([(x, 180 + 100 * np.sin(x / 40)) for x in range(500)], "red")
    assert not found(np.asarray(image)).any()


@pytest.mark.parametrize("noise", [0, 8])
def test_stars_stay(noise: float) -> None:
    """Of more than one pixel; their light is spread by the lens."""
    rng = np.random.default_rng(5)
    sky = np.zeros((400, 400))
    rows, columns = rng.integers(0, 400, (2, 300))
    sky[rows, columns] = 255 * rng.pareto(1, 300)
    sky = gaussian_filter(sky, 0.7) + 10 + rng.normal(0, noise, sky.shape)
    assert not found(sky.round().clip(0, 255)).any()


def test_fur_has_none() -> None:
    """Thin bright strokes at all angles, with their glints."""
    rng = np.random.default_rng(6)
    image = Image.new("L", (400, 400), 60)
    draw = ImageDraw.Draw(image)
    for _ in range(6000):
        x, y, angle = rng.uniform(0, 400), rng.uniform(0, 400), rng.normal(0.6, 0.3)
        across, down = 9 * np.cos(angle), 9 * np.sin(angle)
        draw.line((x, y, x + across, y + down), int(rng.uniform(20, 250)))
    assert not found(np.asarray(image)).any()
    assert not found(data.gravel()).any()
    assert not found(data.grass()).any()
