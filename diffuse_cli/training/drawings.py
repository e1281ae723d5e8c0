"""Drawings that have no noise: pages, charts, line art, pixel art and dithered pictures, drawn at random."""

from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from ..images.units import LEVEL
from .sample_spec import Rng

_WORDS: Final = "The quick brown fox jumps over the lazy dog 0123456789 &%$ (see below) "
_BAYER: Final = np.array([[0, 8, 2, 10], [12, 4, 14, 6], [3, 11, 1, 9], [15, 7, 13, 5]]) * 16 + 8


def drawing(photograph: Tensor, rng: Rng) -> Tensor:
    """Draw a picture without noise.

    Args:
        photograph: (1, 3, P, P), what a dithered picture shows, [-1, 1] units.
        rng: draws the kind and the drawing.

    Returns:
        (1, 3, P, P).
    """
    side, kind = photograph.shape[-1], rng.random()
    if kind < 0.35:
        image = _shapes(side, rng)
    elif kind < 0.6:
        image = _page(side, rng)
    elif kind < 0.75:
        image = _pixel_art(side, rng)
    else:
        image = _dithered(photograph, rng)
    x = torch.from_numpy(np.array(image, np.float32)).permute(2, 0, 1)[None] / LEVEL - 1
    if kind < 0.35 and rng.random() < 0.3:
        x = x + torch.linspace(-1, 1, side)[:, None] * rng.uniform(0, 0.5)
    return x.clamp(-1, 1)


def _colour(rng: Rng) -> tuple[int, int, int]:
    red, green, blue = rng.integers(256, size=3).tolist()
    return red, green, blue


def _shapes(side: int, rng: Rng) -> Image.Image:
    """Boxes, lines and ellipses with hard edges, or with soft ones."""
    big = 2 * side if rng.random() < 0.5 else side
    image = Image.new("RGB", (big, big), _colour(rng) if rng.random() < 0.6 else (255, 255, 255))
    pen, thin = ImageDraw.Draw(image), rng.random() < 0.4
    for _ in range(int(rng.integers(3, 60))):
        colour = _colour(rng)
        x, y, w, h = rng.integers(big, size=4).tolist()
        kind = 1 if thin else rng.integers(4)
        if kind == 0:
            pen.rectangle((x, y, x + w // 4, y + h // 4), fill=colour)
        elif kind == 1:
            pen.line((x, y, w, h), fill=colour, width=int(rng.integers(1, 6)))
        elif kind == 2:
            pen.ellipse((x, y, x + w // 5, y + h // 5), fill=colour)
        else:
            pen.text((x, y), _WORDS, fill=colour)
    return image.resize((side, side))


def _page(side: int, rng: Rng) -> Image.Image:
    """Lines of text of one size, smoothed or not."""
    light = rng.random() < 0.7
    paper, ink = ((255, 255, 255), (0, 0, 0)) if light else (_colour(rng), _colour(rng))
    image = Image.new("RGB", (side, side), paper)
    pen, size = ImageDraw.Draw(image), int(rng.integers(8, 28))
    pen.fontmode = "L" if rng.random() < 0.7 else "1"
    font, left = ImageFont.load_default(size), int(rng.integers(-20, 20))
    for row, y in enumerate(range(int(rng.integers(-8, 8)), side, round(size * rng.uniform(1.1, 1.6)))):
        pen.text((left, y), (_WORDS[7 * row % len(_WORDS) :] + _WORDS) * 2, fill=ink, font=font)
    return image


def _pixel_art(side: int, rng: Rng) -> Image.Image:
    cell = int(rng.choice([1, 2, 4, 8]))
    count = -(-side // cell)
    palette = rng.integers(256, size=(int(rng.integers(2, 9)), 3)).astype(np.uint8)
    coarse = rng.integers(len(palette), size=(-(-count // 4), -(-count // 4)))
    cells = np.kron(coarse, np.ones((4, 4), int))[:count, :count]
    changed = rng.random(cells.shape) < rng.uniform(0, 0.3)
    cells = np.where(changed, rng.integers(len(palette), size=cells.shape), cells)
    return Image.fromarray(np.kron(palette[cells], np.ones((cell, cell, 1), np.uint8))[:side, :side])


def _dithered(photograph: Tensor, rng: Rng) -> Image.Image:
    """A photograph in black and white, in a few colours, or in an ordered pattern."""
    levels: NDArray[np.uint8] = ((photograph[0].permute(1, 2, 0) + 1) * LEVEL).round().to(torch.uint8).numpy()
    image, kind = Image.fromarray(levels), rng.integers(3)
    if kind == 0:
        return image.convert("1").convert("RGB")
    if kind == 1:
        return image.quantize(int(rng.choice([4, 8, 16])), dither=Image.Dither.FLOYDSTEINBERG).convert("RGB")
    gray = np.asarray(image.convert("L"))
    tiles = np.tile(_BAYER, (-(-gray.shape[0] // 4), -(-gray.shape[1] // 4)))[: gray.shape[0], : gray.shape[1]]
    return Image.fromarray(np.where(gray > tiles, 255, 0).astype(np.uint8)).convert("RGB")
