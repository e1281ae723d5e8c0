"""Things that look like marks and are none: lettering, wires, ropes, grass, whiskers, stars and glints."""

import math
from typing import Final

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from ..degradation.operators import blur
from .sample_spec import Rng
from .wear_shapes import FINER, Plane

_LETTERS: Final = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"


def lookalike(x: Tensor, rng: Rng) -> Tensor:
    """Draw one of them on a picture.

    Args:
        x: (1, 3, P, P), [-1, 1] units.
        rng: draws it.
    """
    kind, side = rng.random(), x.shape[-1]
    if kind < 0.2:
        return _stars(x, rng) if kind < 0.12 else _glints(x, rng)
    image = Image.new("L", (side * FINER, side * FINER))
    pen = ImageDraw.Draw(image)
    draw = _letters if kind < 0.5 else _wires if kind < 0.62 else _ropes if kind < 0.76 else _whiskers
    (_grass if kind > 0.9 else draw)(pen, side, rng)
    cover = torch.from_numpy(np.array(image.reduce(FINER), np.float32) / 255)[None, None]
    colour = torch.tensor(rng.uniform(-1, 1, 3) if rng.random() < 0.4 else np.full(3, rng.choice([-0.9, 0.9])))
    return torch.lerp(x, colour.float()[:, None, None].expand_as(x), blur(cover, rng.uniform(0.2, 0.9)))


def _letters(pen: ImageDraw.ImageDraw, side: int, rng: Rng) -> None:
    """Draw lines of text, large or small."""
    size = math.exp(rng.uniform(math.log(8), math.log(70)))
    font = ImageFont.load_default(size * FINER)
    x, y = rng.uniform(-0.2, 0.5) * side, rng.uniform(0, side)
    for row in range(int(rng.integers(1, 6))):
        words = " ".join("".join(rng.choice(list(_LETTERS), rng.integers(2, 9))) for _ in range(3))
        pen.text((x * FINER, (y + 1.3 * row * size) * FINER), words, fill=255, font=font)


def _wires(pen: ImageDraw.ImageDraw, side: int, rng: Rng) -> None:
    """Draw two to six lines side by side that sag from one border to the other."""
    across = np.linspace(-5, side + 5, 30)
    height, slope, sag = rng.uniform(0, side), rng.uniform(-0.6, 0.6), rng.uniform(0, 0.001)
    gap, width, turned = rng.uniform(5, 40), rng.uniform(0.6, 3), rng.random() < 0.3
    for k in range(int(rng.integers(2, 7))):
        down = height + (k * gap) + (slope + rng.normal(0, 0.02)) * across + sag * (across - side / 2) ** 2
        points = [(float(a) * FINER, float(d) * FINER) for a, d in zip(across, down, strict=True)]
        pen.line([(d, a) for a, d in points] if turned else points, 255, max(round(width * FINER), 1))


def _ropes(pen: ImageDraw.ImageDraw, side: int, rng: Rng) -> None:
    """Draw a mast, and straight lines that spread from its top: rigging, stays and cables."""
    x, y = rng.uniform(0, side), rng.uniform(-0.3, 0.5) * side
    width, turned = rng.uniform(0.6, 2.5), rng.random() < 0.2
    feet = rng.uniform(-1, 2, int(rng.integers(2, 10))) * side
    lines = [((x, y), (float(foot), rng.uniform(0.6, 1.4) * side), width) for foot in feet]
    if rng.random() < 0.7:
        lines.append(((x, y - 9), (x + rng.normal(0, 4), 1.1 * side), width * rng.uniform(1.5, 6)))
    for begin, end, wide in lines:
        ends = [v * FINER for point in (begin, end) for v in (point[::-1] if turned else point)]
        pen.line(ends, int(rng.integers(140, 256)), max(round(wide * FINER), 1))


def _grass(pen: ImageDraw.ImageDraw, side: int, rng: Rng) -> None:
    """Draw many short strokes in about one direction, of many shades: grass, straw, fur, twigs."""
    towards, spread = rng.uniform(0, 2 * math.pi), rng.uniform(0.1, 0.8)
    width, length = rng.uniform(0.6, 2.5), rng.uniform(8, 60)
    for _ in range(int(rng.integers(60, 250))):
        x, y = rng.uniform(-10, side + 10, 2)
        angle, reach = towards + rng.normal(0, spread), length * rng.uniform(0.4, 1.6)
        ends = [x * FINER, y * FINER, (x + reach * math.cos(angle)) * FINER, (y + reach * math.sin(angle)) * FINER]
        pen.line(ends, int(rng.integers(40, 256)), max(round(width * rng.uniform(0.6, 1.4) * FINER), 1))


def _glints(x: Tensor, rng: Rng) -> Tensor:
    """Return a picture whose lightest texture sparkles, as water, snow and leaves do."""
    light = x.mean(1, keepdim=True)
    threshold = torch.quantile(light, float(rng.uniform(0.4, 0.95)))
    drawn = torch.from_numpy(rng.random(tuple(light.shape), dtype=np.float32))
    points = ((light > threshold) & (drawn < math.exp(rng.uniform(-7, -3)))).float()
    spread = blur(points, rng.uniform(0.4, 1.8))
    return torch.lerp(x, torch.ones_like(x), (spread / spread.max().clamp_min(1e-6)).clamp(0, 1) * rng.uniform(0.3, 1))


def _whiskers(pen: ImageDraw.ImageDraw, side: int, rng: Rng) -> None:
    """Draw hairs that grow from one place and taper."""
    x, y = rng.uniform(0, side, 2)
    towards, width = rng.uniform(0, 2 * math.pi), rng.uniform(0.8, 2.5)
    for _ in range(int(rng.integers(4, 14))):
        angle, bend, length = towards + rng.normal(0, 0.5), rng.normal(0, 0.006), rng.uniform(0.2, 0.7) * side
        at = x + rng.normal(0, 12), y + rng.normal(0, 12)
        for k in range(12):
            to = at[0] + length / 12 * math.cos(angle), at[1] + length / 12 * math.sin(angle)
            ends = [at[0] * FINER, at[1] * FINER, to[0] * FINER, to[1] * FINER]
            pen.line(ends, 255, max(round(width * (1 - k / 12) * FINER), 1))
            at, angle = to, angle + bend * length / 12


def _stars(x: Tensor, rng: Rng) -> Tensor:
    """Return a night sky: many points of one size and all brightnesses, on a dark picture."""
    side = x.shape[-1]
    sky: Plane = np.zeros((side, side), np.float32)
    count = int(math.exp(rng.uniform(math.log(40), math.log(1500))))
    rows, columns = rng.integers(side, size=(2, count))
    sky[rows, columns] = rng.random(count) ** 4 * 40
    points = blur(torch.from_numpy(sky)[None, None], rng.uniform(0.5, 1.3)).clamp(0, 2)
    dark = -1 + rng.uniform(0.02, 0.35) * (x + 1)
    colour = torch.tensor(1 + rng.normal(0, 0.05, 3), dtype=torch.float32)[:, None, None]
    return (dark + colour * points).clamp(-1, 1)
