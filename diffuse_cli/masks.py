"""Random masks: what text, brush strokes, boxes and dust hide of a picture."""

import math
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from .errors import UsageError

MaskKind = Literal["text", "strokes", "boxes", "dust"]
KINDS: tuple[MaskKind, ...] = get_args(MaskKind)
_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
_MOST_MARKS = 20_000


def kind_of(name: str | None) -> MaskKind | None:
    """The kind of that name.

    Raises: UsageError: there is none.
    """
    for kind in KINDS:
        if kind == name:
            return kind
    if name is not None:
        raise UsageError(f"--mask-random must be one of {', '.join(KINDS)}, not {name}")
    return None


def random_mask(size: tuple[int, int], kind: MaskKind, *, share: float, seed: int) -> NDArray[np.bool_]:
    """Draw marks of one kind until they cover `share` of the picture.

    Args:
        size: (height, width).
        share: 0 < share < 1; the last mark goes over it.
        seed: equal seeds give equal masks.
    Returns: (H, W), True = hidden.
    """
    rng = np.random.default_rng([seed, 2])
    image = Image.new("1", (size[1], size[0]))
    draw = ImageDraw.Draw(image)
    mark = {"text": _text, "strokes": _stroke, "boxes": _box, "dust": _speck}[kind]
    wanted = share * size[0] * size[1]
    for count in range(_MOST_MARKS):
        # Counting costs more than drawing, so with many marks it is done ever less often.
        if count % max(count // 20, 1) == 0 and np.asarray(image).sum() >= wanted:
            break
        mark(draw, size, rng)
    return np.array(image, dtype=bool)


def _point(size: tuple[int, int], rng: np.random.Generator) -> tuple[float, float]:
    return rng.uniform(0, size[1]), rng.uniform(0, size[0])


def _text(draw: ImageDraw.ImageDraw, size: tuple[int, int], rng: np.random.Generator) -> None:
    x, y = _point(size, rng)
    word = "".join(rng.choice(list(_LETTERS), rng.integers(3, 12)))
    font = ImageFont.load_default(float(rng.uniform(0.03, 0.08) * max(min(size), 120)))
    draw.text((x - 20, y - 10), word, fill=1, font=font)


def _stroke(draw: ImageDraw.ImageDraw, size: tuple[int, int], rng: np.random.Generator) -> None:
    points, angle, step = [_point(size, rng)], rng.uniform(0, 2 * math.pi), 0.1 * min(size)
    for _ in range(rng.integers(2, 8)):
        angle += rng.normal(0, 0.7)
        x, y = points[-1]
        points.append((x + step * math.cos(angle), y + step * math.sin(angle)))
    draw.line(points, fill=1, width=max(round(rng.uniform(0.01, 0.03) * min(size)), 1), joint="curve")


def _box(draw: ImageDraw.ImageDraw, size: tuple[int, int], rng: np.random.Generator) -> None:
    (x, y), (w, h) = _point(size, rng), rng.uniform(0.04, 0.2, 2) * min(size)
    draw.rectangle([x - w / 2, y - h / 2, x + w / 2, y + h / 2], fill=1)


def _speck(draw: ImageDraw.ImageDraw, size: tuple[int, int], rng: np.random.Generator) -> None:
    x, y = _point(size, rng)
    if rng.random() < 0.8:
        w, h = rng.uniform(0.5, 3, 2)
        draw.ellipse([x - w, y - h, x + w, y + h], fill=1)
        return
    bend, reach = rng.uniform(0, 360), rng.uniform(5, 25)
    draw.arc([x - reach, y - reach, x + reach, y + reach], bend, bend + rng.uniform(30, 120), fill=1)
