"""Worn pictures for the detector of marks: a clean crop, what wears it, and which of its pixels show a mark."""

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..degradation.camera import drawn_noise
from ..degradation.damage import painted_worn
from ..degradation.operators import blur, box_mean, closed, dilated, opened, resize
from ..degradation.random_masks import MaskKind, random_marks
from ..images.image_io import through_jpeg
from ..images.units import LEVEL, luma
from . import wear_shapes
from .drawings import drawing
from .lookalikes import lookalike
from .sample_spec import Rng
from .wear_shapes import Canvas, Plane

SIDE: Final = 128
"""Of a worn crop."""
ROOM: Final = 16
"""Further pixels of the clean crop: a JPEG's blocks begin anywhere."""
NONE, MARK, MISSING, UNSURE = range(4)
"""What a pixel shows. Unsure are soft rims, and marks that cannot be seen: they do not count in training."""
CLEAN: Final = 0.4
"""Share of crops without marks."""
_FAINTEST: Final = 5.0
"""Levels by which a mark changes a pixel that shows it, at least; _IN_TEXTURE: the same in stds of what is there."""
_IN_TEXTURE: Final = 1.0
_RIM: Final = 0.25
"""Share of a mark's greatest contrast that its soft rim has."""
KINDS: Final = {
    "print dust": 0.35, "print scratches": 0.4, "print tears": 0.06, "dust": 0.35, "hairs": 0.45, "scratches": 0.55,
    "cracks": 0.35, "craquelure": 0.08, "missing": 0.12, "spots": 0.1, "date": 0.25,
}  # fmt: skip
"""Kinds of marks, and how often each is drawn."""
_THIN: Final = {
    "dust": wear_shapes.dust, "hairs": wear_shapes.hairs, "scratches": wear_shapes.scratches,
    "cracks": wear_shapes.cracks,
}  # fmt: skip
_PRINT: Final[dict[str, tuple[MaskKind, float, float]]] = {
    "print dust": ("dust", 0.001, 0.01), "print scratches": ("scratches", 0.003, 0.02),
    "print tears": ("tears", 0.01, 0.03),
}  # fmt: skip


class Worn(NamedTuple):
    """A worn crop (S, S, 3) in levels, and what its pixels show, (S, S)."""

    levels: NDArray[np.uint8]
    shown: NDArray[np.uint8]


def hardest(crops: Sequence[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """Return the crop with the strongest narrow things.

    Args:
        crops: (P, P, 3) each, in levels.
    """
    return max(crops, key=_narrow)


def _narrow(levels: NDArray[np.uint8]) -> float:
    light = torch.from_numpy(levels.mean(2, dtype=np.float32))[None, None]
    return float((closed(light, 2) - opened(light, 2)).square().mean())


def worn(levels: NDArray[np.uint8], rng: Rng, *, clean: bool = False) -> Worn:
    """Wear a crop out, and code it as a file does.

    Args:
        levels: (S + ROOM, S + ROOM, 3), clean.
        rng: draws what happens.
        clean: draw no marks.
    """
    x = torch.from_numpy(levels.astype(np.float32)).permute(2, 0, 1)[None] / LEVEL - 1
    x = _soft(x, rng) if rng.random() < 0.35 else x
    drawn = rng.random()
    x = drawing(x, rng) if drawn < 0.06 else lookalike(x, rng) if drawn < 0.24 else x
    gray = rng.random() < 0.45
    x = luma(x).expand(-1, 3, -1, -1) if gray else x
    x = _faded(x, rng, gray=gray) if rng.random() < 0.5 else x
    noise = _grain(x, rng, gray=gray)
    before = rng.random() < 0.5
    x = x + noise if before else x
    kinds = set() if clean else _kinds(rng)
    y, missing = _marked(x, kinds, rng, gray=gray)
    shown = _shown(y - x, missing, x if before else x + noise)
    y = y if before else y + noise
    y = blur(y, rng.uniform(0.3, 0.8)) if rng.random() < 0.2 else y
    return _stored(y.clamp(-1, 1), shown, rng)


def _soft(x: Tensor, rng: Rng) -> Tensor:
    """Return a middle part enlarged to the same size."""
    side = x.shape[-1]
    part = round(side / rng.uniform(1.1, 2.5))
    top, left = (int(v) for v in rng.integers(side - part + 1, size=2))
    return resize(x[..., top : top + part, left : left + part], (side, side)).clamp(-1, 1)


def _faded(x: Tensor, rng: Rng, *, gray: bool) -> Tensor:
    """Lower the contrast, lift the blacks, and tint it as old prints are."""
    gain = rng.uniform(0.45, 1)
    offset = rng.uniform(-(1 - gain), 1 - gain)
    tint = rng.normal(0, 0.06, 3) if not gray or rng.random() < 0.3 else np.zeros(3)
    shift = torch.tensor(tint + offset, dtype=torch.float32)[:, None, None]
    return (gain * x.sign() * x.abs() ** rng.uniform(0.8, 1.25) + shift).clamp(-1, 1)


def _grain(x: Tensor, rng: Rng, *, gray: bool) -> Tensor:
    """Return noise: none, a camera's or film's, or white."""
    kind = rng.random()
    if kind < 0.3:
        return torch.zeros_like(x)
    if kind < 0.55:
        return rng.uniform(0.3, 1) * drawn_noise(x.contiguous(), rng, gray=gray)
    drawn = torch.from_numpy(rng.standard_normal((1, 1 if gray else 3, *x.shape[-2:]), dtype=np.float32))
    return (math.exp(rng.uniform(math.log(0.7), math.log(8))) / LEVEL * drawn).expand_as(x)


def worn_by(levels: NDArray[np.uint8], kind: str, rng: Rng) -> Worn:
    """Wear a picture out by one kind of marks, with a little noise.

    Args:
        levels: (S, S, 1 or 3), clean.
        kind: one of `KINDS`.
        rng: draws the marks.
    """
    x = torch.from_numpy(levels.astype(np.float32)).permute(2, 0, 1)[None].expand(-1, 3, -1, -1) / LEVEL - 1
    gray = levels.shape[2] == 1
    y, missing = _marked(x, {kind}, rng, gray=gray)
    drawn = torch.from_numpy(rng.standard_normal((1, levels.shape[2], *x.shape[-2:]), dtype=np.float32))
    noise = 3 / LEVEL * drawn
    stored = (((y + noise).clamp(-1, 1) + 1) * LEVEL).round()[0, : levels.shape[2]].permute(1, 2, 0)
    return Worn(stored.to(torch.uint8).contiguous().numpy(), _shown(y - x, missing, x + noise))


def _kinds(rng: Rng) -> set[str]:
    """Draw one kind of marks or a few."""
    chances = np.array(list(KINDS.values()))
    kinds = {name for name, chance in KINDS.items() if rng.random() < 0.6 * chance}
    return kinds | {str(rng.choice(list(KINDS), p=chances / chances.sum()))}


def _marked(x: Tensor, kinds: set[str], rng: Rng, *, gray: bool) -> tuple[Tensor, Tensor]:
    """Return a picture with marks of these kinds, and where it is missing, 0..1."""
    y, canvas, gone = x, Canvas(x.shape[-1], rng), torch.zeros_like(x[:, :1])
    for name in sorted(kinds & _PRINT.keys()):
        y, covered = _printed(y, name, rng)
        gone = covered if name == "print tears" else gone
    if "spots" in kinds:
        y = y - torch.from_numpy(wear_shapes.spots(canvas)) * (y + 1)
    if "craquelure" in kinds:
        y = _over(y, wear_shapes.craquelure(canvas), np.full(x.shape[-2:], canvas.tone(), np.float32), rng, gray=gray)
    thin = sorted(kinds & _THIN.keys())
    for name in thin:
        _THIN[name](canvas)
    if thin:
        y = _over(y, *canvas.maps(), rng, gray=gray)
    if "date" in kinds:
        y = _dated(y, rng)
    if "missing" not in kinds:
        return y, gone
    canvas = Canvas(x.shape[-1], rng)
    wear_shapes.missing(canvas)
    cover, tone = canvas.maps()
    return _over(y, cover, tone, rng, gray=gray, soft=rng.uniform(0.2, 1)), torch.from_numpy(cover)[None, None].maximum(
        gone
    )


def _printed(x: Tensor, name: str, rng: Rng) -> tuple[Tensor, Tensor]:
    """Return a picture with the marks that `degrade --worn` paints, and where, 0 or 1."""
    kind, low, high = _PRINT[name]
    side, seed = x.shape[-1], int(rng.integers(2**31))
    whole = side if kind == "tears" else int(rng.integers(side + 60, 700))
    marks = random_marks((whole, whole), kind, share=math.exp(rng.uniform(math.log(low), math.log(high))), seed=seed)
    top, left = (int(v) for v in rng.integers(whole - side + 1, size=2))
    part = torch.from_numpy(marks[top : top + side, left : left + side].copy())
    painted, where = painted_worn(x, part, light_only=kind == "tears", seed=seed)
    return painted, where[None, None].float()


def _over(y: Tensor, cover: Plane, tone: Plane, rng: Rng, *, gray: bool, soft: float | None = None) -> Tensor:
    """Paint a tone over a picture, a little soft and in colour pictures a little tinted."""
    rim = rng.choice([0.0, 0.4, 0.7, 1.0, 1.5]) if soft is None else soft
    shade = blur(torch.from_numpy(cover)[None, None], rim) if rim else torch.from_numpy(cover)[None, None]
    tint = torch.tensor(np.zeros(3) if gray else rng.normal(0, 0.08, 3), dtype=torch.float32)[:, None, None]
    over = (torch.from_numpy(tone)[None, None] / LEVEL - 1 + tint).clamp(-1, 1)
    return y + shade * (over - y)


def _dated(y: Tensor, rng: Rng) -> Tensor:
    """Return a picture with a date in a lamp's colour, which glows. The cores of bright ones are paler."""
    gray = bool((y[:, 0] == y[:, 1]).all())
    canvas = Canvas(y.shape[-1], rng)
    wear_shapes.date(canvas, gray=gray)
    cover = torch.from_numpy(canvas.maps()[0])[None, None]
    colours = ((255, 120, 20), (255, 60, 20), (255, 190, 60), (255, 240, 160), (255, 150, 90))
    lamp = torch.tensor(colours[int(rng.integers(len(colours)))], dtype=torch.float32)[:, None, None] / LEVEL - 1
    glow = rng.uniform(0, 0.6) * blur(cover, rng.uniform(1.5, 4))
    shade = torch.maximum(rng.uniform(0.6, 1) * blur(cover, rng.uniform(0.3, 1)), glow)
    paler = rng.choice([0.0, rng.uniform(0.2, 0.8)]) * blur(cover, rng.uniform(0.6, 1.5)) ** 2
    light = torch.lerp(lamp.expand_as(y), torch.ones_like(y), paler)
    light = luma(light).expand(-1, 3, -1, -1) if gray else light
    return y + shade * (light - y)


def _shown(change: Tensor, missing: Tensor, clean: Tensor) -> NDArray[np.uint8]:
    """Return what pixels show, (P, P).

    A mark counts where it changes the picture by five levels and by the std of texture and noise.

    Args:
        change: (1, 3, P, P), by the marks.
        missing: (1, 1, P, P), 0..1.
        clean: the picture without the marks, with its noise.
    """
    by = change.abs().amax(1, keepdim=True) * LEVEL
    light = luma(clean) * LEVEL
    texture = box_mean((light - box_mean(light, 2)).square(), 4).sqrt()
    most = dilated(by, 3)
    seen = by > torch.maximum((_IN_TEXTURE * texture).clamp_min(_FAINTEST), _RIM * most)
    shown = torch.where(seen, torch.where(missing > 0.5, MISSING, MARK), NONE)
    unsure = ~seen & ((dilated(seen.float(), 1) > 0) | (by > 1.0) | (missing > 0.02))
    return np.asarray(torch.where(unsure, UNSURE, shown)[0, 0].numpy().astype(np.uint8))


def _stored(y: Tensor, shown: NDArray[np.uint8], rng: Rng) -> Worn:
    """Return the crop as a file keeps it: six in ten are JPEGs, of quality 60 to 98."""
    levels = ((y + 1) * LEVEL).round()[0].permute(1, 2, 0).to(torch.uint8).contiguous().numpy()
    if rng.random() < 0.6:
        levels = through_jpeg(levels, int(rng.integers(60, 99)), "4:2:0" if rng.random() < 0.7 else "4:4:4")
    top, left = (int(v) for v in rng.integers(ROOM + 1, size=2))
    if (shown == MISSING).any():  # they come in from the border
        top, left = (ROOM * int(v) for v in rng.integers(2, size=2))
    side = y.shape[-1] - ROOM
    part = slice(top, top + side), slice(left, left + side)
    return Worn(np.ascontiguousarray(levels[part]), np.ascontiguousarray(shown[part]))
