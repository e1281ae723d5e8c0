"""Damage of old photographs, found by its looks: dust, scratches, tears and missing corners.

Candidates are what an opening or a closing removes (top-hats: Giakoumis, Nikolaidis, Pitas 2006): things narrower than
the filter that are lighter or darker than their surroundings, by more than the texture there. What a network sees is a
candidate, too. Each is measured: how far it stands out, whether it has one tone, how thin it is, how much around it
looks like a mark, what the network says of it. diffusion/speck_judge.py goes by these measures. Tears and missing
corners are flat areas of paper white or scanner black at the border.
"""

import math
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

from ..mask_shapes import grown
from ..operators import closed, dilated, opened
from . import channels
from .blocks import luma_weights
from .mark_lines import along

Floats = NDArray[np.float64]

_RADII: Final = (2, 5)
"""Of the openings, in pixels, at up to a megapixel; they grow with the root of larger sizes."""
_NEIGHBOURHOOD: Final = 33
_TOUCHING: Final = np.ones((3, 3), bool)
"""Pixels of one part touch, at corners too."""
_LEAST_RISE: Final = 8.0
"""Levels by which a mark is lighter or darker than what is around it, at least."""
_RISE: Final = 3.0
"""The same, in multiples of the mean rise around it."""
_LEAST_COLOUR: Final = 2.0
"""Mean difference of the channels, in levels, of a picture in colour."""
FEATURES: Final = (
    "height", "outstanding", "one tone", "thinness", "size", "crowd", "extreme", "steepness", "less colour", "colour",
    "largest logit", "logit", "logit around", "ridge", "blob", "above others", "above shade", "length", "width",
    "bent", "even width", "beside all", "weak logit", "along", "much around", "warm", "at borders",
    "light", "gray", "by network",
)  # fmt: skip
"""What is measured of each part. The last three are 1 for light parts, gray pictures, and parts that a network saw."""
CONTEXT: Final = (
    "likely marks in calm places",
    "likely marks",
    "likely marks of the other tone",
    "share in calm places",
)
"""What is counted around each part once the likely ones are known: see `context`."""
_LIKELY: Final = 0.5
"""Chance from which a part is a likely mark."""
_CALM: Final = math.log(12.0)
"""Logarithm of the std of levels around a part, plus 2, up to which the place is calm."""
_AREA: Final = 384**2
"""Pixels of a picture up to which marks are counted. Larger ones have more of them: the root is taken."""
_FLAT: Final = 2.0
"""Std of levels, in 5x5 pixels and in all, up to which an area is paper or a scanner's lid."""
_ALONG: Final = -1.0
"""Mean logit along a segment from which pixels are part of a line, if their own is not below -_FAINT."""
_FAINT: Final = 3.0
_PAPER, _BLACK = 170.0, 25.0
"""Levels from which paper, and up to which a scanner's lid, is told from the picture."""
_UNCLIPPED: Final = (2.5, 252.5)
"""Tones between which an area is not a clipped part of the picture."""
_MOST_SIDE: Final = 0.35
"""Of a side of the picture that a tear takes; more is sky."""
_STEP: Final = 15.0
"""Levels between a tear and the picture beside it."""
_RARE: Final = 0.01
"""Share of the picture elsewhere that has a tear's tone."""


def _is_coloured(levels: NDArray[np.float32]) -> bool:
    return levels.shape[2] == 3 and float((channels.highest(levels) - channels.lowest(levels)).mean()) > _LEAST_COLOUR


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Parts:
    """Candidates of marks.

    Attributes:
        labels: (4, H, W), 0 = none, else the number of a part, from 1. Layers: narrow light parts, light ones that a
            network saw, narrow dark parts, dark ones that a network saw.
        measures: (N, len(FEATURES)), of each part.
    """

    labels: NDArray[np.int32]
    measures: Tensor


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Seen:
    """Maps of a picture in which marks are light, (1, 1, H, W) each.

    Attributes:
        luma: in levels.
        chroma: difference of the highest and the lowest channel, in levels.
        logits: of a network.
        along: the mean logit of the best straight segment.
        warmth: how much redder than blue it is, in levels.
        rise: what openings remove, in levels.
        fall: what closings add.
    """

    luma: Tensor
    chroma: Tensor
    logits: Tensor
    along: Tensor
    warmth: Tensor
    rise: Tensor
    fall: Tensor

    def negative(self) -> "_Seen":
        """Return the maps in which dark marks are light."""
        return replace(self, luma=255 - self.luma, rise=self.fall, fall=self.rise)


def candidates(levels: NDArray[np.float32], logits: NDArray[np.float32]) -> Parts:
    """Return parts that may be marks, and what is measured of each alone.

    Args:
        levels: (H, W, C), 0..255.
        logits: (H, W), of a network. From 0 on it saw something.
    """
    seen = _seen(levels, logits)
    gray = float(not _is_coloured(levels))
    layers, measures, count = [], [], 0
    for is_light in (1.0, 0.0):
        usual = _box_mean(seen.rise, _NEIGHBOURHOOD // 2)
        narrow = seen.rise > torch.clamp(_RISE * usual, min=_LEAST_RISE)
        rises = _box_mean((seen.rise - seen.fall) * (seen.logits + _FAINT).clamp_min(0), 3)
        told = ((seen.logits > 0) | (seen.along > _ALONG) & (seen.logits > -_FAINT)) & (
            rises >= 0 if is_light else rises > 0
        )
        for which, by_network in ((narrow, 0.0), (told, 1.0)):
            labels, more = ndimage.label(which[0, 0].numpy(), _TOUCHING)
            of_all = np.broadcast_to((is_light, gray, by_network), (more, 3))
            measures.append(np.concatenate([_features(seen, which, labels, more), of_all], 1))
            layers.append(np.where(labels > 0, labels + count, 0))
            count += more
        seen = seen.negative()
    return Parts(labels=np.stack(layers), measures=torch.from_numpy(np.concatenate(measures)).float())


def _seen(levels: NDArray[np.float32], logits: NDArray[np.float32]) -> _Seen:
    luma = torch.from_numpy((levels @ luma_weights(levels.shape[2])).astype(np.float32))[None, None]
    chroma = warmth = torch.zeros_like(luma)
    if levels.shape[2] == 3:
        warmth = torch.from_numpy(levels[..., 0] - levels[..., 2])[None, None]
        chroma = torch.from_numpy(channels.highest(levels) - channels.lowest(levels))[None, None]
    radii = [round(r * max(math.sqrt(luma.numel() / 2**20), 1.0)) for r in _RADII]
    return _Seen(
        luma=luma, chroma=chroma, logits=torch.from_numpy(logits)[None, None],
        along=torch.from_numpy(along(logits, -_FAINT))[None, None], warmth=warmth,
        rise=torch.stack([luma - opened(luma, r) for r in radii]).amax(0),
        fall=torch.stack([closed(luma, r) - luma for r in radii]).amax(0),
    )  # fmt: skip


def _features(seen: _Seen, which: Tensor, labels: NDArray[np.int32], count: int) -> Floats:
    """Return what is measured of each part alone: all `FEATURES` but the last three."""
    luma, logits = seen.luma, seen.logits[0, 0].numpy()
    # What is around a mark is told from pixels that are none, nor a mark's soft rim.
    free = 1 - dilated(which.float(), 1)
    weight = _box_mean(free, 6).clamp_min(1e-3)
    mean = _box_mean(free * luma, 6) / weight
    spread = (_box_mean(free * (luma - mean) ** 2, 6) / weight).clamp_min(0).sqrt()
    wide = _box_mean(free, 16).clamp_min(1e-3)
    inside = labels > 0
    index = labels[inside] - 1
    size = np.bincount(index, minlength=count).astype(np.float64)

    def average(x: Tensor) -> Floats:
        return np.asarray(np.bincount(index, x[0, 0].numpy()[inside].astype(np.float64), count) / np.maximum(size, 1))

    def largest(x: Tensor) -> Floats:
        return np.asarray(ndimage.maximum(x[0, 0].numpy(), labels, np.arange(1, count + 1)), np.float64).reshape(-1)

    plane, deep = luma[0, 0].numpy(), torch.from_numpy(ndimage.distance_transform_edt(inside))[None, None]
    half, upper, top = (_quantile(plane[inside], index, count, share) for share in (0.5, 0.75, 0.9))
    height = np.maximum(upper - average(mean), 1)
    boxes = ndimage.find_objects(labels)
    sides = np.array([[side.stop - side.start - 1 for side in box] for box in boxes]).reshape(-1, 2)
    length = np.hypot(*sides.T) + 1
    ridge, blob = _both_sides(luma)
    major, minor = _axes(labels, inside, index, size)
    measures = [
        np.log(height),
        np.log(height / (average(spread) + 2)),
        np.log((top - half + 3) / height),
        np.log(length**2 / np.maximum(size, 1)),
        np.log(np.maximum(size, 1)),
        np.log(average(_box_mean(which.float(), 32)) + 0.003),
        np.log(258 - upper),
        np.log((average(_steepest(luma)) + 1) / height),
        np.log((average(seen.chroma) + 4) / (average(_box_mean(seen.chroma, 6)) + 4)),
        np.log(average(seen.chroma) + 4),
        largest(seen.logits),
        average(seen.logits),
        average(_box_mean(free * seen.logits, 6) / weight),
        np.clip(average(ridge) / height, -2, 2),
        np.clip(average(blob) / height, -2, 2),
        np.log(height / (average((_box_mean(free * seen.rise**2, 16) / wide).clamp_min(0).sqrt()) + 1)),
        np.log(height / (average((_box_mean(free * seen.fall**2, 16) / wide).clamp_min(0).sqrt()) + 1)),
        np.log(major),
        np.log(minor),
        np.log(12 * major * minor / np.maximum(size, 1)),
        np.log((average(deep) + 0.1) / (largest(deep) + 0.1)),
        np.clip(_quantile(ridge[0, 0].numpy()[inside], index, count, 0.25) / height, -2, 2),
        _quantile(logits[inside], index, count, 0.25),
        largest(seen.along),
        np.log(average(_box_mean((seen.logits > 0).float(), 24)) + 0.003),
        np.arcsinh((average(seen.warmth) - average(_box_mean(free * seen.warmth, 6) / weight)) / 8),
        _borders(boxes, plane.shape),
    ]
    return np.stack(measures, 1)


def _box_mean(x: Tensor, radius: int) -> Tensor:
    """Return the mean over square windows, as operators.box_mean, in a time that does not grow with them."""
    side = 2 * radius + 1
    total = ndimage.uniform_filter(x[0, 0].numpy(), side, mode="constant")
    there = (ndimage.uniform_filter1d(np.ones(n, np.float32), side, mode="constant") for n in total.shape)
    return torch.from_numpy(total / np.outer(*there))[None, None]


def _both_sides(luma: Tensor) -> tuple[Tensor, Tensor]:
    """Return how far pixels rise above both sides, across the best and across the worst direction."""
    h, w = luma.shape[-2:]
    best: Tensor | None = None
    for reach in (3, 5):
        x = F.pad(luma, (reach,) * 4, mode="replicate")
        slanted = round(reach / math.sqrt(2))
        rises = []
        for down, across in ((reach, 0), (0, reach), (slanted, slanted), (slanted, -slanted)):
            one, other = (
                x[..., reach + k * down : reach + k * down + h, reach + k * across : reach + k * across + w]
                for k in (1, -1)
            )
            rises.append(luma - torch.maximum(one, other))
        both = torch.stack([torch.stack(rises).amax(0), torch.stack(rises).amin(0)])
        best = both if best is None else torch.maximum(best, both)
    assert best is not None
    return best[0], best[1]


def _axes(
    labels: NDArray[np.int32], inside: NDArray[np.bool_], index: NDArray[np.int32], size: Floats
) -> tuple[Floats, Floats]:
    """Return the std of each part along its axis, and across it, in pixels."""
    places = [each.astype(np.float64) for each in np.nonzero(inside)]
    count = len(size)
    n = np.maximum(size, 1)
    mean = [np.bincount(index, place, count) / n for place in places]
    off = [place - m[index] for place, m in zip(places, mean, strict=True)]
    a, b, c = (np.bincount(index, off[i] * off[j], count) / n for i, j in ((0, 0), (0, 1), (1, 1)))
    middle, apart = (a + c) / 2, np.sqrt(((a - c) / 2) ** 2 + b**2)
    return np.sqrt(middle + apart + 1 / 12), np.sqrt(np.maximum(middle - apart, 0) + 1 / 12)


def _borders(boxes: list[tuple[slice, slice]], shape: tuple[int, ...]) -> Floats:
    """Return how many borders of the picture each part touches."""
    ends = [[side.start == 0 for side in box] + [s.stop == n for s, n in zip(box, shape, strict=True)] for box in boxes]
    return np.asarray(np.array(ends, np.float64).reshape(-1, 4).sum(1))


def is_calm(measures: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Return which parts have calm surroundings, (N,).

    Args:
        measures: (N, len(FEATURES)).
    """
    unrest = measures[:, FEATURES.index("height")] - measures[:, FEATURES.index("outstanding")]
    return np.asarray(unrest <= _CALM)


def context(measures: Tensor, chances: Tensor, pixels: int) -> Tensor:
    """Return what is counted around each part, (N, len(CONTEXT)).

    A worn picture has many marks, of one tone and anywhere. Those in calm places are the easiest to tell. A part does
    not count for itself.

    Args:
        measures: (N, len(FEATURES)), of all candidates of a picture.
        chances: (N,), that they are marks.
        pixels: of the picture.
    """
    larger = math.sqrt(max(pixels / _AREA, 1.0))
    light, narrow = measures[:, FEATURES.index("light")] == 1, measures[:, FEATURES.index("by network")] == 0
    calm = torch.from_numpy(is_calm(measures.numpy()))
    likely = torch.where(narrow & (chances > _LIKELY), chances, 0)

    def counted(which: Tensor, of_own_tone: bool) -> Tensor:
        counts = (likely * which * ~light).sum(), (likely * which * light).sum()
        return torch.where(light == of_own_tone, counts[1], counts[0])

    every = torch.ones_like(calm)
    counts = [counted(calm, True) - likely * calm, counted(every, True) - likely, counted(every, False)]
    shares = [(calm & narrow).sum() / narrow.sum().clamp_min(1) + torch.zeros_like(chances)]
    return torch.stack([torch.log(each.clamp_min(0) / larger + 0.3) for each in counts] + shares, 1)


def _steepest(luma: Tensor) -> Tensor:
    """Return the largest slope within a pixel, in levels a pixel."""
    x = F.pad(luma, (1, 1, 1, 1), mode="replicate")
    across, down = (x[..., 1:-1, 2:] - x[..., 1:-1, :-2]) / 2, (x[..., 2:, 1:-1] - x[..., :-2, 1:-1]) / 2
    return dilated((across**2 + down**2).sqrt(), 1)


def _quantile(values: NDArray[np.float32], index: NDArray[np.int32], count: int, share: float) -> Floats:
    """Return a quantile of the values of each part."""
    order = np.lexsort((values, index))
    sizes = np.bincount(index, minlength=count)
    at = np.cumsum(sizes) - sizes + np.floor(share * (sizes - 1) + 0.5).astype(np.int64)
    return np.asarray(values[order][at], dtype=np.float64)


def torn(levels: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Return tears and missing corners: flat areas of paper white or black that come in from the border.

    Each has one tone and differs sharply from the picture beside it. Few pixels elsewhere have its tone. It takes only
    a part of the side that it comes from, as sky does not.

    Args:
        levels: (H, W, C), 0..255.
    """
    luma = (levels @ luma_weights(levels.shape[2])).astype(np.float32)
    x = torch.from_numpy(luma)[None, None]
    mean = _box_mean(x, 2)
    flat = (_box_mean((x - mean) ** 2, 2).clamp_min(0).sqrt() < _FLAT)[0, 0].numpy()
    found = np.zeros(luma.shape, bool)
    for tone in (luma > _PAPER, luma < _BLACK):
        labels, _ = ndimage.label(flat & tone, _TOUCHING)
        at_border = np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])
        for number in np.unique(at_border[at_border > 0]):
            part = labels == number
            if _is_torn(luma, flat, part):
                found |= grown(part, 2)  # the filter's own reach
    return found


def _is_torn(luma: NDArray[np.float32], flat: NDArray[np.bool_], part: NDArray[np.bool_]) -> bool:
    sides = [part[0], part[-1], part[:, 0], part[:, -1]]
    if part.sum() < 30 or max(side.mean() for side in sides) > _MOST_SIDE:
        return False
    tone, spread = float(np.median(luma[part])), float(luma[part].std())
    # Clipped skies are flat, too, and so are shadows, nearly.
    if spread > (_FLAT if tone > _PAPER else _FLAT / 2) or not _UNCLIPPED[0] < tone < _UNCLIPPED[1]:
        return False
    near = grown(part, 4)  # beyond its ragged rim, which is not flat
    beside = grown(near, 4) & ~near
    if not beside.any() or np.median(np.abs(luma[beside] - tone)) < _STEP:
        return False
    alike = flat & (np.abs(luma - tone) <= 1 + 2 * spread) & ~near
    return float(alike.mean()) < _RARE
