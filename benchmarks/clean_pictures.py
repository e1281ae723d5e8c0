"""Clean pictures of every kind, drawn by code from a seed: text, charts, line art, pixel art, gradients, ..."""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Rng = np.random.Generator
Levels = NDArray[np.uint8]
Colour = tuple[int, int, int]
WORDS = (
    "noise of a picture is what its maker did not mean; 0123456789 +-*/ (see page 42) Grain, blur and blocks are told "
    "apart by how they look in flat places. Total 1,284.50 EUR; VAT 19 %. Quick brown foxes jump over lazy dogs. "
)


def text(rng: Rng, side: int) -> Levels:
    """Lines of text of one size, anti-aliased or not, on a plain page."""
    paper, ink = _paper_and_ink(rng)
    image = Image.new("RGB", (side, side), paper)
    pen = ImageDraw.Draw(image)
    pen.fontmode = "L" if rng.random() < 0.7 else "1"
    size = int(rng.integers(9, 25))
    for y in range(8, side - size, round(1.5 * size)):
        pen.text((8, y), _line(rng, side // size * 2), fill=ink, font=_font(size))
    return np.asarray(image)


def chart(rng: Rng, side: int) -> Levels:
    """Axes, a light grid, and bars or curves."""
    image, pen, scale = _sheet(rng, side, (255, 255, 255))
    big = side * scale
    for k in range(1, 8):
        at = big * k // 8
        pen.line((big // 8, at, big - 8, at), fill=(225, 225, 225), width=scale)
        pen.text((2, at), f"{10 * (8 - k)}", fill=(60, 60, 60), font=_font(10 * scale))
    pen.line((big // 8, 8, big // 8, big * 7 // 8, big - 8, big * 7 // 8), fill=(30, 30, 30), width=scale)
    for k in range(int(rng.integers(1, 4))):
        values = rng.uniform(0.2, 0.85, 9) * big
        colour = _colour(rng)
        if rng.random() < 0.5:
            points = [(big // 8 + big * i // 10, float(v)) for i, v in enumerate(values)]
            pen.line(points, fill=colour, width=2 * scale)
        else:
            for i, v in enumerate(values[:6]):
                left = big // 8 + big * i // 7 + 6 * scale * k
                pen.rectangle((left + 4, float(v), left + big // 14, big * 7 // 8), fill=colour)
    return _shrunk(image, side)


def line_art(rng: Rng, side: int) -> Levels:
    """Strokes, circles and hatching."""
    image, pen, scale = _sheet(rng, side, (255, 255, 255) if rng.random() < 0.7 else (250, 244, 228))
    big = side * scale
    ink = (0, 0, 0) if rng.random() < 0.7 else _colour(rng, 90)
    for _ in range(int(rng.integers(8, 30))):
        x, y, w, h = (int(v) for v in rng.integers(8, big, 4))
        width = scale * int(rng.integers(1, 4))
        if rng.random() < 0.5:
            start, end = rng.uniform(0, 360, 2).tolist()
            pen.arc((x - w // 3, y - h // 3, x + w // 3, y + h // 3), start, end, fill=ink, width=width)
        else:
            pen.line((x, y, w, h), fill=ink, width=width)
    left, top = (int(v) for v in rng.integers(big // 2, size=2))
    for k in range(0, big // 3, 4 * scale):
        pen.line((left + k, top, left, top + k), fill=ink, width=scale)
    return _shrunk(image, side)


def pixel_art(rng: Rng, side: int) -> Levels:
    """Mirrored sprites of few colours, enlarged without smoothing."""
    palette = np.array([_colour(rng) for _ in range(6)], np.uint8)
    cell = int(rng.choice([4, 8]))
    cells = side // cell
    ground = np.full((cells, cells), 0)
    for _ in range(int(rng.integers(6, 16))):
        size = int(rng.choice([6, 8, 12]))
        half = rng.integers(0, 6, (size, size // 2)) * (rng.random((size, size // 2)) < 0.6)
        y, x = (int(v) for v in rng.integers(0, cells - size, 2))
        ground[y : y + size, x : x + size] = np.hstack([half, half[:, ::-1]])
    return np.kron(palette[ground], np.ones((cell, cell, 1), np.uint8))


def gradient(rng: Rng, side: int) -> Levels:
    """A linear or round ramp between two colours, rounded to 8 bits."""
    y, x = np.mgrid[:side, :side] / side
    if rng.random() < 0.5:
        angle = rng.uniform(0, math.pi)
        share = x * math.cos(angle) + y * math.sin(angle)
    else:
        share = np.hypot(x - rng.random(), y - rng.random())
    share = (share - share.min()) / np.ptp(share)
    a, b = (np.array(_colour(rng), np.float64) for _ in range(2))
    return _levels(a + share[..., None] * (b - a))


def rendering(rng: Rng, side: int) -> Levels:
    """Shaded balls with highlights before a sky, on a floor of tiles, four rays a pixel."""
    big = 2 * side
    y, x = np.mgrid[:big, :big] / big
    sky, far = (np.array(_colour(rng), np.float64) for _ in range(2))
    out = sky + y[..., None] * (far - sky)
    depth = 1 / np.maximum(y - 0.55, 1e-3)
    tiles = ((np.floor((x - 0.5) * depth * 2) + np.floor(depth * 2)) % 2)[..., None]
    floor = 70 + 130 * tiles * np.exp(-0.05 * depth)[..., None]
    out = np.where((y > 0.6)[..., None], floor, out)
    light = np.array([-0.5, -0.7, 0.5]) / math.sqrt(0.99)
    for _ in range(int(rng.integers(2, 6))):
        cx, cy, radius = rng.uniform(0.15, 0.85), rng.uniform(0.3, 0.8), rng.uniform(0.06, 0.2)
        nx, ny = (x - cx) / radius, (y - cy) / radius
        inside = nx**2 + ny**2 < 1
        nz = np.sqrt(np.maximum(1 - nx**2 - ny**2, 0))
        lit = np.maximum(nx * light[0] + ny * light[1] + nz * light[2], 0)
        ball = np.array(_colour(rng)) * (0.15 + 0.85 * lit[..., None]) + 200 * lit[..., None] ** 40
        out = np.where(inside[..., None], ball, out)
    return _levels(out.reshape(side, 2, side, 2, 3).mean((1, 3)))


def dithered(rng: Rng, side: int) -> Levels:
    """A rendering in black and white, in sixteen colours, or in an ordered pattern."""
    image = Image.fromarray(rendering(rng, side))
    kind = rng.integers(3)
    if kind == 0:
        return np.asarray(image.convert("1").convert("RGB"))
    if kind == 1:
        return np.asarray(image.quantize(16, dither=Image.Dither.FLOYDSTEINBERG).convert("RGB"))
    bayer = np.array([[0, 8, 2, 10], [12, 4, 14, 6], [3, 11, 1, 9], [15, 7, 13, 5]]) * 16 + 8
    gray = np.asarray(image.convert("L"))
    on = gray > np.tile(bayer, (side // 4, side // 4))
    return np.where(on, 255, 0).astype(np.uint8)[..., None].repeat(3, 2)


def screenshot(rng: Rng, side: int) -> Levels:
    """A window with a title, a tool bar, a list and coloured lines of code."""
    dark = rng.random() < 0.5
    ground, ink = ((30, 32, 38), (215, 218, 224)) if dark else ((246, 246, 246), (34, 34, 34))
    image = Image.new("RGB", (side, side), ground)
    pen = ImageDraw.Draw(image)
    accent = _colour(rng)
    pen.rectangle((0, 0, side, 22), fill=accent)
    pen.text((8, 5), _line(rng, 30), fill=(255, 255, 255), font=_font(12))
    for k in range(side // 34):
        at = 6 + 34 * k
        pen.rounded_rectangle((at, 28, at + 26, 50), 4, outline=ink, fill=_colour(rng) if k % 3 == 0 else None)
    pen.rectangle((0, 56, side // 4, side), fill=tuple(v - 12 if v > 100 else v + 12 for v in ground))
    for k, y in enumerate(range(62, side - 14, 17)):
        pen.text((6, y), _line(rng, 8), fill=ink, font=_font(11))
        colour = ink if k % 3 else accent
        indent = 8 * int(rng.integers(0, 4))
        pen.text((side // 4 + 8 + indent, y), _line(rng, 30), fill=colour, font=_font(11))
    pen.line((side // 4, 56, side // 4, side), fill=ink)
    return np.asarray(image)


DRAWN: dict[str, Callable[[Rng, int], Levels]] = {
    "text": text, "chart": chart, "line art": line_art, "pixel art": pixel_art, "gradient": gradient,
    "rendering": rendering, "dithered": dithered, "screenshot": screenshot,
}  # fmt: skip
"""What is drawn, by its kind."""


def drawn(kind: str, number: int) -> Levels:
    """Return a picture (H, W, 3) of 256 or 320 pixels a side; the same one for the same kind and number."""
    rng = np.random.default_rng([list(DRAWN).index(kind), number])
    return DRAWN[kind](rng, int(rng.choice([256, 320])))


def _sheet(rng: Rng, side: int, paper: Colour) -> tuple[Image.Image, ImageDraw.ImageDraw, int]:
    """A page, its pen, and how many times larger it is: twice where it is to be smooth."""
    scale = 2 if rng.random() < 0.7 else 1
    image = Image.new("RGB", (side * scale, side * scale), paper)
    return image, ImageDraw.Draw(image), scale


def _shrunk(image: Image.Image, side: int) -> Levels:
    return np.asarray(image if image.width == side else image.resize((side, side), Image.Resampling.BOX))


def _paper_and_ink(rng: Rng) -> tuple[Colour, Colour]:
    kind = rng.integers(4)
    if kind == 0:
        return (28, 30, 34), (230, 230, 225)
    if kind == 1:
        return (244, 236, 216), (60, 40, 30)
    return (255, 255, 255), (0, 0, 0)


def _colour(rng: Rng, most: int = 256) -> Colour:
    red, green, blue = (int(v) for v in rng.integers(0, most, 3))
    return red, green, blue


def _line(rng: Rng, length: int) -> str:
    start = int(rng.integers(len(WORDS)))
    return (WORDS * 2)[start : start + length]


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def _levels(values: NDArray[np.float64]) -> Levels:
    return values.round().clip(0, 255).astype(np.uint8)
