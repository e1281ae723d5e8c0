"""Half-transparent covers: watermarks, bands and stains of one colour and one opacity, and what is beneath them.

A cover mixes the picture with a colour W by its opacity a, in stored values: y = (1 - a) x + a W. Pixels on both sides
of its border show nearly the same x. The spread of their values gives 1 - a, and their means give a W. Each side is a
noisy copy of the other one, so the ratio of the spreads is taken: a regression of one on the other would be biased.
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
Indices = NDArray[np.int64]

_INSETS: Final = (1, 2, 3)
"""Pixels inside the mask's border that its soft rim may take."""
_BAND: Final = 2.5
"""Width of the bands on both sides of the rim that are compared, in pixels."""
_FEWEST: Final = 60
"""Pairs of pixels that are enough."""
_SPREAD: Final = 0.03
"""Std beneath the cover, [-1, 1] units, that is enough to measure its opacity."""
_CLEAREST: Final = 0.2
"""Share of the picture that must show through, or its noise and its steps would be multiplied too often."""
_THINNEST: Final = 0.97
"""Share that shows through from which there is no cover."""
_SURE: Final = 0.06
"""Standard error of the share that shows through, relative to it: from how it differs along the border."""
_PARTS: Final = 12
_LEFT: Final = 1.5
"""Differences across the border that may be left, in multiples of those beside it."""
_MUCH: Final = 0.5
_GAIN: Final = 0.7
"""Share of the differences across the border that may be left: surely, and at most."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Cover:
    """A cover of one colour.

    Attributes:
        opacity: 0..1.
        tint: (C,), opacity times colour, [-1, 1] units.
        core: (H, W), where it covers with its full opacity. Its rim does not.
    """

    opacity: float
    tint: Floats
    core: Mask

    @property
    def colour(self) -> Floats:
        """The cover's colour (C,), [-1, 1] units."""
        return np.clip(self.tint / self.opacity, -1, 1)

    def lifted(self, pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the picture without the cover, where it has its full opacity.

        Args:
            pixels: (H, W, C), [-1, 1] units.
        """
        beneath = (pixels - self.tint.astype(np.float32)) / np.float32(1 - self.opacity)
        return np.asarray(np.where(self.core[..., None], beneath.clip(-1, 1), pixels), np.float32)


def find_cover(pixels: NDArray[np.float32], mask: Mask) -> Cover | None:
    """Return the cover that a mask marks; None if what it marks is none, or cannot be measured.

    Args:
        pixels: (H, W, C), [-1, 1] units.
        mask: (H, W), the cover and little beside it.
    """
    free = ~ndimage.binary_dilation(mask, iterations=2)
    if not free.any():
        return None
    inside = ndimage.distance_transform_edt(mask)
    _, nearest = ndimage.distance_transform_edt(~free, return_indices=True)
    found = [_measured(pixels, free, nearest, inside, inset) for inset in _INSETS]
    sure = [each for each in found if each is not None]
    return min(sure, key=lambda each: each[0])[1] if sure else None


def _measured(
    pixels: NDArray[np.float32], free: Mask, nearest: Indices, inside: Floats, inset: int
) -> tuple[float, Cover] | None:
    """Return a cover with a rim of `inset` pixels, and what it leaves of the differences across its border."""
    core = inside > inset
    rows, columns, beside = _across(core & (inside <= inset + _BAND), nearest, 2 * (inset + _BAND + 3))
    if len(rows) < _FEWEST:
        return None
    q, p = pixels[rows, columns].astype(np.float64), pixels[beside[0], beside[1]].astype(np.float64)
    share, tint = _fitted(p, q)
    if p.std(0).max() < _SPREAD or not _CLEAREST <= share <= _THINNEST:
        return None
    left, before = _middle((q - tint) / share - p), _middle(q - p)
    usual = _usual(pixels, free, inset + _BAND)
    if left > _GAIN * before or (left > _MUCH * before and left > _LEFT * usual):
        return None
    if (left > _MUCH * before or left > usual) and not _is_steady(p, q, _parts(rows, columns), share):
        return None
    return left, Cover(opacity=1 - share, tint=tint, core=core)


def _across(band: Mask, nearest: Indices, farthest: float) -> tuple[Indices, Indices, Indices]:
    """Return the pixels of a band, their rows and columns (N,), and the nearest free pixels (2, N), near enough."""
    rows, columns = np.nonzero(band)
    beside = nearest[:, rows, columns]
    near = np.hypot(rows - beside[0], columns - beside[1]) < farthest
    return rows[near], columns[near], beside[:, near]


def _is_steady(p: Floats, q: Floats, part: Indices, share: float) -> bool:
    """Return whether the parts of the border agree on the share."""
    each = [_fitted(p[part == k], q[part == k])[0] for k in range(_PARTS) if (part == k).sum() >= _FEWEST // 4]
    error = 1.4826 * _middle(np.array(each) - share) / math.sqrt(max(len(each), 1))
    return len(each) >= _PARTS // 2 and error <= _SURE * share


def _fitted(p: Floats, q: Floats) -> tuple[float, Floats]:
    """Return the share of q that is p, and the rest (C,), from pairs (N, C); most are of the same pixel."""
    kept = np.ones(len(p), bool)
    share, tint = 1.0, np.zeros(p.shape[1])
    for _ in range(4):
        a, b = p[kept], q[kept]
        spread = math.sqrt(float(a.var(0).sum()))
        share = math.sqrt(float(b.var(0).sum())) / spread if spread > 0 else 1.0
        tint = b.mean(0) - share * a.mean(0)
        off = np.abs(q - share * p - tint).max(1)
        kept = off <= 2.5 * max(1.4826 * float(np.median(off)), 0.01)
        if kept.sum() < len(p) // 3:
            break
    return share, tint


def _parts(rows: Indices, columns: Indices) -> Indices:
    """Return a number below `_PARTS` of each pixel: by its place, from one end of the mask to the other."""
    along = columns if np.ptp(columns) >= np.ptp(rows) else rows
    order = np.argsort(along, kind="stable")
    part = np.empty(len(along), np.int64)
    part[order] = np.arange(len(along)) * _PARTS // len(along)
    return part


def _middle(x: Floats) -> float:
    return float(np.median(np.abs(x)))


def _usual(pixels: NDArray[np.float32], free: Mask, away: float) -> float:
    """Return the median difference of pixels as far apart as those compared, where nothing covers them."""
    step = math.ceil(away) + 2
    both = free[:, step:] & free[:, :-step]
    across = np.abs(pixels[:, step:] - pixels[:, :-step])[both]
    both = free[step:] & free[:-step]
    down = np.abs(pixels[step:] - pixels[:-step])[both]
    found = np.concatenate([across.ravel(), down.ravel()])
    return max(float(np.median(found)) if len(found) else 0.0, 0.004)
