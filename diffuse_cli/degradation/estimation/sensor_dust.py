"""Soft dark spots of dust on a camera's sensor, found by their looks.

Dust shades the sensor: a round spot with a soft rim, darker by a share that is the same in all colours. It shows in
skies and on walls. Candidates are dark blobs: peaks of differences of Gaussians at several sizes (Lindeberg 1998).
Each must stand out from the ring around it, where the picture must be smooth.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Levels = NDArray[np.float32]
Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

_SIZES: Final = (2.24, 3.17, 4.48, 6.34)
"""Std of the Gaussians of an octave, in pixels. A blob is what one of twice the std takes away."""
_BLOB: Final = 1.25
"""Size of a blob in stds of the smaller Gaussian."""
_MOST_PIXELS: Final = 2**21
"""Pixels of the largest octave. Spots of larger pictures are larger."""
_LEAST_SIDE: Final = 48
"""Of the picture in its smallest octave."""
_LARGEST: Final = 32.0
"""Size of a blob in pixels of the largest octave; larger ones are shadows."""
_STANDS_OUT: Final = 5.0
"""Response of a blob in multiples of the usual one around it, at least."""
_FAINTEST: Final = 0.004
"""The same as a share of the brightness."""
_SHADE: Final = (0.015, 0.45)
"""Share of the light that a spot takes away."""
_DARKEST: Final = 30.0
"""Level around a spot, at least: what is beneath is noise."""
_NEUTRAL: Final = 0.65
"""Difference of the colours' shades, in multiples of the shade, at most."""
_ROUND: Final = 0.7
"""Axes of a spot: the shorter by the longer one."""
_STEADY: Final = 0.35
"""Shade of the faintest eighth of a spot's middle, in multiples of the shade."""
_CLEAR: Final = (10.0, 4.2)
"""Shade of a spot in multiples of the root mean square, and of the largest, of what else is in its ring; at strength
0.5."""
_SPAN: Final = 1.5
"""How far --mask-strength moves the logarithm of these."""
_EVEN: Final = 0.15
"""Root mean square of what its middle and rim have beside rings of one shade and noise, in multiples of the shade."""
_RIM: Final = 0.12
"""A spot ends where its shade falls below this share of its middle's."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Spot:
    """A spot.

    Attributes:
        y: row of its middle.
        x: column of its middle.
        radius: in pixels.
        clearness: the share of the light that its middle takes away, in multiples of the largest thing around it.
    """

    y: float
    x: float
    radius: float
    clearness: float


def find_sensor_dust(levels: Levels, strength: float = 0.5) -> list[Spot]:
    """Return the spots, the clearest first.

    Args:
        levels: (H, W, C), 0..255.
        strength: 0 = only what is surely dust .. 1 = whatever may be.
    """
    found = sorted(_spots(levels, math.exp(_SPAN * (0.5 - strength))), key=lambda spot: -spot.clearness)
    kept: list[Spot] = []
    for spot in found:
        if all(math.hypot(spot.y - k.y, spot.x - k.x) > spot.radius + k.radius for k in kept):
            kept.append(spot)
    return kept


def dust_mask(size: tuple[int, int], spots: list[Spot]) -> Mask:
    """Return the pixels of the spots, (H, W).

    Args:
        size: (H, W).
        spots: on it.
    """
    mask = np.zeros(size, bool)
    for spot in spots:
        reach = math.ceil(spot.radius)
        top, left = max(round(spot.y) - reach, 0), max(round(spot.x) - reach, 0)
        part = mask[top : round(spot.y) + reach + 1, left : round(spot.x) + reach + 1]
        rows, columns = np.ogrid[: part.shape[0], : part.shape[1]]
        part |= np.hypot(rows + top - spot.y, columns + left - spot.x) <= spot.radius
    return mask


def _spots(levels: Levels, clear: float) -> Iterator[Spot]:
    x, shrunk, first = levels, 1, 0
    while min(x.shape[:2]) >= _LEAST_SIDE:
        if x.shape[0] * x.shape[1] <= _MOST_PIXELS:
            first = first or shrunk
            if shrunk * _SIZES[0] > _LARGEST * first:
                return
            middle = (shrunk - 1) / 2
            for spot in _spots_of_octave(x, clear):
                yield replace(
                    spot, y=spot.y * shrunk + middle, x=spot.x * shrunk + middle, radius=spot.radius * shrunk
                )  # fmt: skip
        x, shrunk = _halved(x), 2 * shrunk


def _halved(x: Levels) -> Levels:
    h, w = x.shape[0] // 2 * 2, x.shape[1] // 2 * 2
    x = x[:h, :w]
    return np.asarray((x[::2, ::2] + x[1::2, ::2] + x[::2, 1::2] + x[1::2, 1::2]) / 4, dtype=np.float32)


def _spots_of_octave(levels: Levels, clear: float) -> Iterator[Spot]:
    light = levels.mean(2)
    smooth = [ndimage.gaussian_filter(light, size, mode="reflect") for size in _SIZES]
    for k, std in enumerate(_SIZES[:-2]):
        size, response = _BLOB * std, smooth[k + 2] - smooth[k]
        peaks = response == ndimage.maximum_filter(response, int(2 * size) | 1)
        stands_out = response > _STANDS_OUT * _usual(np.abs(response), size)
        for y, x in np.argwhere(peaks & stands_out & (response > _FAINTEST * light)).tolist():
            spot = _centred(levels, y, x, size, clear)
            if spot is not None:
                yield spot


def _usual(response: NDArray[np.float32], size: float) -> NDArray[np.float32]:
    """Return the mean response around each place, without the place itself, as the std of normal noise."""
    outer, inner = 2 * round(6 * size) + 1, 2 * round(2.5 * size) + 1
    around = ndimage.uniform_filter(response, outer, mode="reflect") * outer**2
    around -= ndimage.uniform_filter(response, inner, mode="reflect") * inner**2
    return np.asarray(1.25 * np.maximum(around, 0) / (outer**2 - inner**2) + 0.05, dtype=np.float32)


def _centred(levels: Levels, y: int, x: int, size: float, clear: float) -> Spot | None:
    """Judge a candidate, and once more with its middle where its weight is."""
    seen = _seen(levels, y, x, size)
    if seen is None:
        return None
    down, across = (round(float(np.clip(shift, -size, size))) for shift in _weights(seen)[0])
    moved = _seen(levels, y + down, x + across, size) if down or across else None
    return _judged(seen, y, x, clear) if moved is None else _judged(moved, y + down, x + across, clear)


class _Seen(NamedTuple):
    """The shade around a candidate (h, w, C), smoothed (h, w), and places relative to its middle in sizes (h, w)."""

    shade: Floats
    smooth: Floats
    down: Floats
    across: Floats
    distance: Floats
    ring: Mask
    level: float
    size: float


def _seen(levels: Levels, y: int, x: int, size: float) -> _Seen | None:
    height, width = levels.shape[:2]
    if not (2 * size <= y <= height - 2 * size and 2 * size <= x <= width - 2 * size):
        return None
    reach = round(6 * size)
    top, left = max(y - reach, 0), max(x - reach, 0)
    part = levels[top : y + reach + 1, left : x + reach + 1].astype(np.float64)
    rows, columns = np.mgrid[top : top + part.shape[0], left : left + part.shape[1]]
    down, across = (rows - y) / size, (columns - x) / size
    distance = np.hypot(down, across)
    ring = (distance > 3) & (distance < 6)
    terms = np.stack([np.ones_like(down), down, across, down**2, across**2, down * across], -1)
    light = terms @ np.linalg.lstsq(terms[ring], part[ring], rcond=None)[0]
    shade = 1 - part / np.maximum(light, 1)
    smooth = ndimage.gaussian_filter(shade.mean(2), 0.6 * size, mode="nearest")
    return _Seen(shade, smooth, down, across, distance, ring, float(light[ring].mean()), size)


def _weights(seen: _Seen) -> tuple[tuple[float, float], float]:
    """Return where the weight of a spot is, in pixels from its middle, and its shorter by its longer axis."""
    weight = np.clip(seen.smooth - 0.25 * _middle(seen), 0, None) * (seen.distance < 3)
    total = weight.sum() + 1e-9
    y, x = float((weight * seen.down).sum() / total), float((weight * seen.across).sum() / total)
    down, across = seen.down - y, seen.across - x
    moments = np.array([
        [(weight * down * down).sum(), (weight * down * across).sum()],
        [(weight * down * across).sum(), (weight * across * across).sum()],
    ])  # fmt: skip
    shorter, longer = np.linalg.eigvalsh(moments / total)
    return (y * seen.size, x * seen.size), math.sqrt(max(shorter, 0) / max(longer, 1e-9))


def _middle(seen: _Seen) -> float:
    return float(seen.shade[seen.distance < 0.8].mean())


def _judged(seen: _Seen, y: int, x: int, clear: float) -> Spot | None:
    shade = _middle(seen)
    darkest = float(seen.shade[seen.distance < 0.3].mean())
    if not (shade > _SHADE[0] and max(shade, darkest) < _SHADE[1] and seen.level > _DARKEST):
        return None
    rest = seen.smooth[seen.ring]
    clearness = shade / max(float(np.abs(rest).max()), 1e-4)
    is_clear = clearness > clear * _CLEAR[1] and shade > clear * _CLEAR[0] * float(np.sqrt(np.mean(rest**2)))
    profile = _profile(seen)
    falls = profile[0] >= 0.8 * profile.max()
    round_and_even = _weights(seen)[1] > _ROUND and _is_steady(seen, shade) and _unevenness(seen) < _EVEN * shade
    if not (is_clear and falls and _is_neutral(seen) and round_and_even):
        return None
    within = int(np.argmax(profile < _RIM * profile[0])) or len(profile)
    return Spot(y=y, x=x, radius=max(0.5 * seen.size * (within + 0.5), 2.0), clearness=clearness)


def _profile(seen: _Seen) -> Floats:
    """Return the mean shade of rings that are half a size wide, from the middle to three sizes."""
    rings = np.minimum((2 * seen.distance).astype(int), 6)
    light = seen.shade.mean(2)
    return np.bincount(rings.ravel(), light.ravel(), 7)[:6] / np.bincount(rings.ravel(), minlength=7)[:6]


def _unevenness(seen: _Seen) -> float:
    """Return the root mean square that a spot has beside rings of one shade, without the noise of its surroundings.

    Birds, stones and sharp things have some: only a soft round spot is nothing but rings.
    """
    light, rings = seen.shade.mean(2), np.minimum((4 * seen.distance).astype(int), 8)
    counts = np.bincount(rings.ravel(), minlength=9)[:8]
    means = np.bincount(rings.ravel(), light.ravel(), 9)[:8] / np.maximum(counts, 1)
    centres = (np.arange(8) + 0.5) / 4
    inside = seen.distance < 2
    beside = light[inside] - np.interp(seen.distance[inside], centres[counts > 0], means[counts > 0])
    return math.sqrt(max(float(beside.var() - light[seen.ring].var()), 0.0))


def _is_neutral(seen: _Seen) -> bool:
    """Return whether a spot takes the same share of all colours, as far as the noise tells."""
    inside = seen.distance < 1.5
    shades = seen.shade[inside].mean(0)
    noise = 2 * float(seen.shade[seen.ring].std()) / math.sqrt(inside.sum())
    return float(np.ptp(shades)) - noise < _NEUTRAL * float(shades.mean())


def _is_steady(seen: _Seen, shade: float) -> bool:
    """Return whether all eighths around a spot's middle are shaded."""
    inside = seen.distance < 0.8
    eighth = ((np.arctan2(seen.down, seen.across)[inside] / math.pi + 1) * 4).astype(int) % 8
    sums = np.bincount(eighth, seen.shade.mean(2)[inside], 8) / np.maximum(np.bincount(eighth, minlength=8), 1)
    return bool(sums.min() > _STEADY * shade)
