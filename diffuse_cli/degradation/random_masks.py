"""Random masks: text, brush strokes, boxes, dust, scratches and tears that hide parts of a picture."""

import itertools
import math
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from ..errors import UsageError

MaskKind = Literal["text", "strokes", "boxes", "dust", "scratches", "tears"]
KINDS: tuple[MaskKind, ...] = get_args(MaskKind)
_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
_MOST_MARKS = 20_000


def kind_of(name: str | None) -> MaskKind | None:
    """Return the kind of a name.

    Args:
        name: None = no kind.

    Raises:
        UsageError: there is no such kind.
    """
    for kind in KINDS:
        if kind == name:
            return kind
    if name is not None:
        raise UsageError(f"--mask-random must be one of {', '.join(KINDS)}, not {name}")
    return None


def random_mask(size: tuple[int, int], kind: MaskKind, *, share: float, seed: int) -> NDArray[np.bool_]:
    """Return where the marks of `random_marks` are, (H, W), True = hidden.

    Args:
        size: (height, width).
        kind: of marks.
        share: of the picture to hide.
        seed: of the marks.
    """
    return random_marks(size, kind, share=share, seed=seed) > 0


def random_marks(size: tuple[int, int], kind: MaskKind, *, share: float, seed: int) -> NDArray[np.int32]:
    """Draw marks of one kind until they cover a share of the picture.

    Args:
        size: (height, width).
        kind: of marks.
        share: 0 < share < 1; the last mark goes over it.
        seed: equal seeds give equal marks.

    Returns:
        (H, W), 0 = no mark, otherwise the number of the last mark there, from 1.
    """
    rng = np.random.default_rng([seed, 2])
    image = Image.new("I", (size[1], size[0]))
    draw = ImageDraw.Draw(image)
    draw.fontmode = "1"
    mark = {
        "text": _text, "strokes": _stroke, "boxes": _box, "dust": _speck, "scratches": _scratch, "tears": _tear,
    }[kind]  # fmt: skip
    wanted = share * size[0] * size[1]
    for count in range(_MOST_MARKS):
        # Counting costs more than drawing, so with many marks it is done ever less often.
        if count % max(count // 20, 1) == 0 and np.count_nonzero(np.asarray(image)) >= wanted:
            break
        mark(draw, size, rng, count + 1)
    return np.array(image, dtype=np.int32)


def _point(size: tuple[int, int], rng: np.random.Generator) -> tuple[float, float]:
    return rng.uniform(0, size[1]), rng.uniform(0, size[0])


def _text(draw: ImageDraw.ImageDraw, size: tuple[int, int], rng: np.random.Generator, fill: int) -> None:
    x, y = _point(size, rng)
    word = "".join(rng.choice(list(_LETTERS), rng.integers(3, 12)))
    font = ImageFont.load_default(float(rng.uniform(0.03, 0.08) * max(min(size), 120)))
    draw.text((x - 20, y - 10), word, fill=fill, font=font)


def _stroke(draw: ImageDraw.ImageDraw, size: tuple[int, int], rng: np.random.Generator, fill: int) -> None:
    points, angle, step = [_point(size, rng)], rng.uniform(0, 2 * math.pi), 0.1 * min(size)
    for _ in range(rng.integers(2, 8)):
        angle += rng.normal(0, 0.7)
        x, y = points[-1]
        points.append((x + step * math.cos(angle), y + step * math.sin(angle)))
    draw.line(points, fill=fill, width=max(round(rng.uniform(0.01, 0.03) * min(size)), 1), joint="curve")


def _box(draw: ImageDraw.ImageDraw, size: tuple[int, int], rng: np.random.Generator, fill: int) -> None:
    (x, y), (w, h) = _point(size, rng), rng.uniform(0.04, 0.2, 2) * min(size)
    draw.rectangle([x - w / 2, y - h / 2, x + w / 2, y + h / 2], fill=fill)


def _speck(draw: ImageDraw.ImageDraw, size: tuple[int, int], rng: np.random.Generator, fill: int) -> None:
    x, y = _point(size, rng)
    if rng.random() < 0.8:
        w, h = rng.uniform(0.5, 3, 2)
        draw.ellipse([x - w, y - h, x + w, y + h], fill=fill)
        return
    bend, reach = rng.uniform(0, 360), rng.uniform(5, 25)
    draw.arc([x - reach, y - reach, x + reach, y + reach], bend, bend + rng.uniform(30, 120), fill=fill)


def _scratch(draw: ImageDraw.ImageDraw, size: tuple[int, int], rng: np.random.Generator, fill: int) -> None:
    """Draw a long thin line, nearly straight, with gaps."""
    (x, y), angle, width = _point(size, rng), rng.uniform(0, 2 * math.pi), rng.uniform(0.002, 0.006) * min(size)
    step = 0.02 * max(size)
    for _ in range(rng.integers(8, 40)):
        angle += rng.normal(0, 0.06)
        to = x + step * math.cos(angle), y + step * math.sin(angle)
        if rng.random() < 0.9:
            draw.line([(x, y), to], fill=fill, width=max(round(width * rng.uniform(0.7, 1.3)), 1))
        x, y = to


def _tear(draw: ImageDraw.ImageDraw, size: tuple[int, int], rng: np.random.Generator, fill: int) -> None:
    """Draw a missing corner, or a strip torn in from a border, with a ragged edge."""
    h, w = size
    reach = rng.uniform(0.06, 0.18, 2) * min(size)
    if rng.random() < 0.5:
        edge = _ragged((reach[0], 0.0), (0.0, reach[1]), rng)
        points = [(-1.0, -1.0), (reach[0], -1.0), *edge, (-1.0, reach[1])]
    else:
        across, begin = rng.uniform(0.01, 0.03) * min(size), rng.uniform(0.15, 0.85) * w
        tip = begin + rng.normal(0, 0.3) * reach[1], 2 * reach[1]
        down = _ragged((begin - across, 0.0), tip, rng)
        points = [(begin - across, -1.0), *down, *_ragged(tip, (begin + across, 0.0), rng), (begin + across, -1.0)]
    flip_x, flip_y = rng.random(2) < 0.5
    turned = [(w - 1 - x if flip_x else x, h - 1 - y if flip_y else y) for x, y in points]
    draw.polygon(turned, fill=fill)


def _ragged(
    a: tuple[float, float], b: tuple[float, float], rng: np.random.Generator, halvings: int = 5
) -> list[tuple[float, float]]:
    """Return a fractal line from a to b: the middle of each half is moved by a tenth of its length."""
    points = [np.array(a), np.array(b)]
    for _ in range(halvings):
        middles = [(p + q) / 2 + 0.1 * np.hypot(*(q - p)) * rng.normal(0, 1, 2) for p, q in itertools.pairwise(points)]
        points = [point for pair in zip(points, [*middles, points[-1]], strict=True) for point in pair][:-1]
    return [(float(x), float(y)) for x, y in points]
