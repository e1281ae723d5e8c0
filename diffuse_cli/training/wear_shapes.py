"""Shapes of damage, drawn at three times the resolution: how much each pixel is covered, and by what tone."""

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from scipy.spatial import cKDTree

from .sample_spec import Rng

Plane = NDArray[np.float32]
Path = list[tuple[float, float]]
FINER: Final = 3
"""Pixels of the drawing in one of the picture."""
_SEGMENTS: Final = {
    "0": "abcdef", "1": "bc", "2": "abged", "3": "abgcd", "4": "fgbc", "5": "afgcd", "6": "afgedc", "7": "abc",
    "8": "abcdefg", "9": "abcdfg",
}  # fmt: skip
_BARS: Final = {
    "a": (0, 0, 1, 0), "b": (1, 0, 1, 1), "c": (1, 1, 1, 2), "d": (0, 2, 1, 2), "e": (0, 1, 0, 2), "f": (0, 0, 0, 1),
    "g": (0, 1, 1, 1),
}  # fmt: skip


class Canvas:
    """A square that marks are drawn on, each with a tone and an opacity of its own."""

    def __init__(self, side: int, rng: Rng) -> None:
        """Make an empty one.

        Args:
            side: of the picture, in pixels.
            rng: draws the marks.
        """
        self.side, self.rng = side, rng
        self._cover, self._tone = (Image.new("L", (side * FINER, side * FINER), v) for v in (0, 128))
        self.pens = ImageDraw.Draw(self._cover), ImageDraw.Draw(self._tone)
        self.light = rng.choice([0.0, 0.5, 0.85, 1.0])  # share of light marks: a print's wear is mostly of one kind

    def maps(self) -> tuple[Plane, Plane]:
        """Return cover, 0..1, and tone in levels, (side, side) each."""
        cover, tone = (np.asarray(image.reduce(FINER), np.float32) for image in (self._cover, self._tone))
        return np.asarray(cover / np.float32(255)), tone

    def tone(self) -> int:
        """Draw the tone of a mark, in levels."""
        if self.rng.random() < self.light:
            return int(self.rng.integers(150, 256))
        return int(self.rng.integers(0, 100))

    def opacity(self, faintest: float = 0.15) -> int:
        """Draw how much a mark hides, up to 255."""
        return 255 if self.rng.random() < 0.5 else int(255 * self.rng.uniform(faintest, 1))

    def line(self, points: Path, width: float, tone: int, opacity: int) -> None:
        """Draw a line.

        Args:
            points: its corners (x, y), in pixels.
            width: in pixels.
            tone: in levels.
            opacity: 0..255.
        """
        fine = [(x * FINER, y * FINER) for x, y in points]
        across = max(round(width * FINER), 1)
        joint = "curve" if across > 4 else None
        self.pens[0].line(fine, opacity, across, joint)
        self.pens[1].line(fine, tone, across + 4 * FINER, joint)

    def area(self, points: Path, tone: int, opacity: int) -> None:
        """Draw a polygon, as `line` does."""
        fine = [(x * FINER, y * FINER) for x, y in points]
        self.pens[0].polygon(fine, opacity)
        self.pens[1].polygon(fine, tone)
        self.pens[1].line([*fine, fine[0]], tone, 4 * FINER)

    def point(self) -> tuple[float, float]:
        """Draw a place."""
        return float(self.rng.uniform(0, self.side)), float(self.rng.uniform(0, self.side))


def dust(canvas: Canvas) -> None:
    """Specks of 1 to 9 pixels, most of them small, round or irregular."""
    rng = canvas.rng
    largest, same = rng.choice([1.2, 2.5, 4.5]), canvas.opacity(0.3)
    for _ in range(int(math.exp(rng.uniform(0, math.log(50 if largest < 4 else 15))))):
        x, y = canvas.point()
        radius = 0.45 + (largest - 0.45) * rng.random() ** 2
        turns = np.sort(rng.uniform(0, 2 * math.pi, 8))
        reach = radius * rng.uniform(0.7, 1.3, 8)
        long, turn = rng.uniform(1, 2), rng.uniform(0, math.pi)
        across, down = np.cos(turns) * reach * long, np.sin(turns) * reach
        points = [
            (x + a * math.cos(turn) - d * math.sin(turn), y + a * math.sin(turn) + d * math.cos(turn))
            for a, d in zip(across.tolist(), down.tolist(), strict=True)
        ]
        canvas.area(points, canvas.tone(), same)


def hairs(canvas: Canvas) -> None:
    """Thin lines that bend steadily: hairs and fibres."""
    rng = canvas.rng
    for _ in range(int(rng.integers(1, 8))):
        width, length = rng.uniform(0.5, 2.5), math.exp(rng.uniform(math.log(8), math.log(160)))
        bend, change = rng.normal(0, 0.05), rng.normal(0, 0.006)
        canvas.line(_bent(canvas.point(), rng, length, bend, change), width, canvas.tone(), canvas.opacity())


def _bent(start: tuple[float, float], rng: Rng, length: float, bend: float, change: float) -> Path:
    angle, step = rng.uniform(0, 2 * math.pi), 2.0
    points = [start]
    for _ in range(max(int(length / step), 2)):
        angle, bend = angle + bend * step, bend + change * rng.normal(0, 1)
        points.append((points[-1][0] + step * math.cos(angle), points[-1][1] + step * math.sin(angle)))
    return points


def scratches(canvas: Canvas) -> None:
    """Long straight lines, faint or strong, with or without gaps; some cross the whole picture, some are parallel."""
    rng = canvas.rng
    upright = rng.random() < 0.4
    for _ in range(int(rng.integers(1, 7))):
        width = 0.5 + 2.5 * rng.random() ** 2 if rng.random() < 0.85 else rng.uniform(3, 8)
        whole = rng.random() < 0.45
        angle = rng.choice([0, math.pi / 2]) + rng.normal(0, 0.02) if upright else rng.uniform(0, 2 * math.pi)
        (x, y), reach = canvas.point(), 2.0 * canvas.side if whole else rng.uniform(10, canvas.side)
        x, y = x - reach / 2 * math.cos(angle), y - reach / 2 * math.sin(angle)
        tone, opacity, gaps, waver = canvas.tone(), canvas.opacity(), rng.choice([0, 0, 0.1, 0.3]), rng.uniform(0, 0.05)
        step = rng.uniform(5, 25)
        run: Path = [(x, y)]
        for _ in range(int(reach / step)):
            angle += rng.normal(0, waver)
            run.append((run[-1][0] + step * math.cos(angle), run[-1][1] + step * math.sin(angle)))
            if rng.random() < gaps:
                canvas.line(run[:-1], width, tone, opacity) if len(run) > 2 else None
                width = max(width * rng.uniform(0.7, 1.4), 0.4)
                run = run[-1:]
        if len(run) > 1:
            canvas.line(run, width, tone, opacity)


def cracks(canvas: Canvas) -> None:
    """Ragged lines that branch; some have a dark rim along a light core, as breaks of an emulsion do."""
    rng = canvas.rng
    for _ in range(int(rng.integers(1, 4))):
        width, tone, opacity = rng.uniform(0.6, 4), canvas.tone(), canvas.opacity(0.4)
        start, angle = canvas.point(), rng.uniform(0, 2 * math.pi)
        end = start[0] + rng.uniform(30, 250) * math.cos(angle), start[1] + rng.uniform(30, 250) * math.sin(angle)
        points = ragged(start, end, rng)
        branches = [(points, width)]
        for _ in range(int(rng.integers(0, 5))):
            root = points[int(rng.integers(len(points)))]
            turn, reach = angle + rng.choice([-1, 1]) * rng.uniform(0.4, 1.4), rng.uniform(8, 70)
            tip = root[0] + reach * math.cos(turn), root[1] + reach * math.sin(turn)
            branches.append((ragged(root, tip, rng, 4), width * rng.uniform(0.4, 0.9)))
        if rng.random() < 0.3:
            for path, across in branches:
                canvas.line(path, across + rng.uniform(1, 2), 255 - tone, opacity)
        for path, across in branches:
            canvas.line(path, across, tone, opacity)


def ragged(a: tuple[float, float], b: tuple[float, float], rng: Rng, halvings: int = 5) -> Path:
    """Return a fractal line from a to b."""
    points = np.array([a, b])
    for _ in range(halvings):
        between = points[1:] - points[:-1]
        middles = (points[1:] + points[:-1]) / 2
        middles += 0.1 * np.hypot(between[:, :1], between[:, 1:]) * rng.normal(0, 1, middles.shape)
        points = np.insert(points, np.arange(1, len(points)), middles, 0)
    return [(float(x), float(y)) for x, y in points]


def craquelure(canvas: Canvas) -> Plane:
    """Return the cover of a net of cracks, as in paint: the borders of random cells, faded out over a part."""
    rng, side = canvas.rng, canvas.side
    cell = rng.uniform(8, 45)
    count = max(int((side / cell) ** 2), 4)
    seeds = rng.uniform(-cell, side + cell, (count, 2))
    rows, columns = np.mgrid[:side, :side]
    at = np.stack([columns, rows], -1).astype(np.float64)
    at += rng.uniform(0, 3) * np.sin(at[..., ::-1] / rng.uniform(3, 9) + rng.uniform(0, 6))
    near, _ = cKDTree(seeds).query(at.reshape(-1, 2), k=2)
    gap = (near[:, 1] - near[:, 0]).reshape(side, side)
    width = rng.uniform(0.8, 3)
    cover = np.clip(width + 0.5 - gap, 0, 1)
    x, y = canvas.point()
    reach = np.hypot(columns - x, rows - y) / (rng.uniform(0.3, 1.5) * side)
    return np.asarray(cover * (reach < 1) * rng.uniform(0.3, 1), np.float32)


def missing(canvas: Canvas) -> None:
    """Corners that are gone, and strips torn in from a border, of one tone: paper white or scanner black."""
    rng, side = canvas.rng, float(canvas.side)
    tone = int(rng.integers(205, 256)) if rng.random() < 0.7 else int(rng.integers(0, 40))
    for _ in range(int(rng.integers(1, 3))):
        if rng.random() < 0.65:
            across, down = rng.uniform(8, 0.6 * side, 2)
            edge = ragged((across, 0.0), (0.0, down), rng) if rng.random() < 0.7 else [(across, 0.0), (0.0, down)]
            points = [(-9.0, -9.0), (across, -9.0), *edge, (-9.0, down)]
        else:
            begin, wide, deep = rng.uniform(0, side), rng.uniform(2, 25), rng.uniform(15, 0.7 * side)
            tip = begin + rng.normal(0, 0.3) * deep, deep
            down_side = ragged((begin - wide / 2, 0.0), tip, rng)
            up_side = ragged(tip, (begin + wide / 2, 0.0), rng)
            points = [(begin - wide / 2, -9.0), *down_side, *up_side, (begin + wide / 2, -9.0)]
        flips, swap = rng.random(2) < 0.5, rng.random() < 0.5
        turned = [(side - x if flips[0] else x, side - y if flips[1] else y) for x, y in points]
        canvas.area([(y, x) for x, y in turned] if swap else turned, tone, 255)


def spots(canvas: Canvas) -> Plane:
    """Return the shade of dust on a sensor: soft round spots, 0..1."""
    rng, side = canvas.rng, canvas.side
    rows, columns = np.mgrid[:side, :side].astype(np.float32)
    shade = np.zeros((side, side), np.float32)
    for _ in range(int(rng.integers(1, 7))):
        (x, y), radius = canvas.point(), math.exp(rng.uniform(math.log(2), math.log(18)))
        reach = np.hypot(columns - x, rows - y) / radius
        flatness = rng.choice([2, 4, 8])
        np.maximum(shade, rng.uniform(0.1, 0.6) * np.exp(-(reach**flatness)), out=shade)
    return shade


def date(canvas: Canvas, *, gray: bool) -> None:
    """A camera's date: digits of seven bars, which may end before they meet, or in colour pictures of a font.

    White letters of a gray picture cannot be told from other lettering.
    """
    rng = canvas.rng
    tone = 255
    numbers = [f"{int(rng.integers(low, high)):02d}" for low, high in ((70, 100), (1, 13), (1, 32))]
    text = str(rng.choice([" ", ":", "  "])).join(numbers if rng.random() < 0.5 else numbers[::-1])
    text = ("'" if rng.random() < 0.6 else "") + text
    high = rng.uniform(7, 30)
    x, y = rng.uniform(-0.2, 0.6) * canvas.side, rng.uniform(0, canvas.side - high)
    if rng.random() < 0.2 and not gray:
        font = ImageFont.load_default(float(high * FINER))
        for pen, grown in zip(canvas.pens, (0, 2 * FINER), strict=True):
            pen.text((x * FINER, y * FINER), text, fill=tone, font=font, stroke_width=grown)
        return
    wide, slant, thick = high * rng.uniform(0.4, 0.6), rng.uniform(0, 0.15), max(high * rng.uniform(0.07, 0.16), 1)
    gap = rng.choice([0.0, rng.uniform(0.03, 0.12)])
    for letter in text:
        for bar in _SEGMENTS.get(letter, ""):
            x0, y0, x1, y1 = _BARS[bar]
            corners = ((x0 + gap * (x1 - x0), y0 + gap * (y1 - y0)), (x1 - gap * (x1 - x0), y1 - gap * (y1 - y0)))
            ends = [(x + u * wide - slant * v * high / 2, y + v * high / 2) for u, v in corners]
            canvas.line([(ends[0][0], ends[0][1]), (ends[1][0], ends[1][1])], thick, tone, 255)
        if letter == "'":
            canvas.line([(x + wide / 2, y), (x + wide / 2, y + high / 5)], thick, tone, 255)
        x += wide * (1.5 if letter in _SEGMENTS else 0.9)
