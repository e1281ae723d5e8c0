"""Damage of old photographs, found by its looks: dust, scratches, tears and missing corners.

Candidates are what an opening or a closing removes (top-hats: Giakoumis, Nikolaidis, Pitas 2006): things narrower than
the filter that are lighter or darker than their surroundings, by more than the texture there. Each candidate is then
measured: how far it stands out, whether it has one tone, how thin it is, how much around it looks like a mark, what the
detector says of it. diffusion/speck_judge.py goes by these measures. Tears and missing corners are flat areas of paper
white or scanner black at the border.
"""

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

from ..mask_shapes import grown
from ..operators import box_mean, dilated, opened
from . import channels
from .blocks import luma_weights

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
_FEWEST: Final = 4
"""Pixels of a part that are enough to measure it."""
_LEAST_COLOUR: Final = 2.0
"""Mean difference of the channels, in levels, of a picture in colour."""
FEATURES: Final = (
    "height", "outstanding", "one tone", "thinness", "size", "crowd", "extreme", "steepness", "less colour", "colour",
    "largest logit", "logit", "logit around", "light", "gray",
)  # fmt: skip
"""What is measured of each part. The last two are 1 for light parts, and for gray pictures."""
_FLAT: Final = 2.0
"""Std of levels, in 5x5 pixels and in all, up to which an area is paper or a scanner's lid."""
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
        labels: (H, W), 0 = none, else the number of a part, from 1.
        measures: (N, len(FEATURES)), of each part.
    """

    labels: NDArray[np.int32]
    measures: Floats


def candidates(levels: NDArray[np.float32], logits: NDArray[np.float32]) -> list[Parts]:
    """Return light parts and dark parts that may be marks.

    Args:
        levels: (H, W, C), 0..255.
        logits: (H, W), of a network.
    """
    luma = torch.from_numpy((levels @ luma_weights(levels.shape[2])).astype(np.float32))[None, None]
    gray = 0.0 if _is_coloured(levels) else 1.0
    grow = max(math.sqrt(luma.numel() / 2**20), 1.0)
    chroma = (
        channels.highest(levels) - channels.lowest(levels)
        if levels.shape[2] == 3
        else np.zeros(levels.shape[:2], np.float32)
    )
    radii = [round(r * grow) for r in _RADII]
    return [
        _parts(tones, chroma, logits, radii, (is_light, gray)) for tones, is_light in ((luma, 1.0), (255 - luma, 0.0))
    ]  # fmt: skip


def _parts(
    luma: Tensor, chroma: NDArray[np.float32], logits: NDArray[np.float32], radii: list[int],
    of_all: tuple[float, float],
) -> Parts:  # fmt: skip
    rise = torch.stack([luma - opened(luma, r) for r in radii]).amax(0)
    usual = box_mean(rise, _NEIGHBOURHOOD // 2)
    seen = rise > torch.clamp(_RISE * usual, min=_LEAST_RISE)
    labels, count = ndimage.label(seen[0, 0].numpy(), _TOUCHING)
    measures = _features(luma, chroma, logits, seen, labels, count)
    return Parts(labels=labels, measures=np.concatenate([measures, np.broadcast_to(of_all, (count, 2))], 1))


def _features(
    luma: Tensor, chroma: NDArray[np.float32], logits: NDArray[np.float32], seen: Tensor, labels: NDArray[np.int32],
    count: int,
) -> Floats:  # fmt: skip
    """Return what is measured of each part alone: all `FEATURES` but the last two."""
    # What is around a mark is told from pixels that are none, nor a mark's soft rim.
    free = 1 - dilated(seen.float(), 1)
    weight = box_mean(free, 6).clamp_min(1e-3)
    mean = box_mean(free * luma, 6) / weight
    spread = (box_mean(free * (luma - mean) ** 2, 6) / weight).clamp_min(0).sqrt()
    crowd = box_mean(seen.float(), 32)
    said = torch.from_numpy(logits)[None, None]
    inside = labels > 0
    index = labels[inside] - 1

    def average(x: NDArray[Any]) -> Floats:
        return np.asarray(np.bincount(index, x[inside].astype(np.float64), count) / np.maximum(size, 1))

    size = np.bincount(index, minlength=count).astype(np.float64)
    plane, around = luma[0, 0].numpy(), mean[0, 0].numpy()
    half, upper, top = (_quantile(plane[inside], index, count, share) for share in (0.5, 0.75, 0.9))
    height = np.maximum(upper - average(around), 1)
    boxes = ndimage.find_objects(labels)
    sides = np.array([[side.stop - side.start - 1 for side in box] for box in boxes]).reshape(-1, 2)
    length = np.hypot(*sides.T) + 1
    measures = [
        np.log(height),
        np.log(height / (average(spread[0, 0].numpy()) + 2)),
        np.log((top - half + 3) / height),
        np.log(length**2 / np.maximum(size, 1)),
        np.log(np.maximum(size, 1)),
        np.log(average(crowd[0, 0].numpy()) + 0.003),
        np.log(258 - upper),
        np.log((average(_steepest(luma)) + 1) / height),
        np.log((average(chroma) + 4) / (average(box_mean(torch.from_numpy(chroma)[None, None], 6)[0, 0].numpy()) + 4)),
        np.log(average(chroma) + 4),
        np.asarray(ndimage.maximum(logits, labels, np.arange(1, count + 1)), np.float64).reshape(-1),
        average(logits),
        average((box_mean(free * said, 6) / weight)[0, 0].numpy()),
    ]
    return np.stack(measures, 1)


def _steepest(luma: Tensor) -> NDArray[np.float32]:
    """Return the largest slope within a pixel, in levels a pixel."""
    x = F.pad(luma, (1, 1, 1, 1), mode="replicate")
    across, down = (x[..., 1:-1, 2:] - x[..., 1:-1, :-2]) / 2, (x[..., 2:, 1:-1] - x[..., :-2, 1:-1]) / 2
    return np.asarray(dilated((across**2 + down**2).sqrt(), 1)[0, 0].numpy())


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
    mean = box_mean(x, 2)
    flat = ((box_mean((x - mean) ** 2, 2)).sqrt() < _FLAT)[0, 0].numpy()
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
