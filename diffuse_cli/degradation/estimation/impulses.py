"""Impulses: single pixels whose value has nothing to do with the picture (salt and pepper, hot and dead pixels).

A pixel is suspect if it lies far outside its neighbours, as seen in the spread among these (after Garnett et al. 2005,
"A universal noise removal algorithm with an impulse detector", IEEE TIP 14:1747). Pictures have such pixels of their
own: glitter, small stars, the dots of text and of dithering. Impulses differ in four ways. They stand alone. They are
there in flat places, too. They are as frequent everywhere. Few of them are faint.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from ...system.arrays import equal_channels, row_blocks

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]
Places = tuple[NDArray[np.intp], NDArray[np.intp]]
"""Rows and columns of pixels."""

_REACH: Final = 3
"""Pixels around a suspect that are looked at."""
_LEAST_PIXELS: Final = 500
_FEWEST_LEVELS: Final = 24
"""Scans of one bit, sprites and dithered pictures of few colours have no impulses that could be told from them."""
_SAMPLES: Final = 60_000
"""Pixels that stand for the whole picture."""

_LEAST_SALT, _MOST_SALT, _EVEN_SALT = 0.002, 0.3, 0.6
"""Frequency of salt, or pepper, alone: least, most, and of the usual one what is nearly everywhere."""
_IN_A_PLACE, _PLACES = 16, 8
"""Pixels of salt that tell its frequency in a part of the picture, and of how many parts it is known, at least."""
_CLUSTERED: Final = (1.5, 0.01)
"""Pixels beside salt that are salt, too, have its frequency; more are a part of the picture."""
_BESIDE_SALT: Final = 16.0
_MOST_BESIDE: Final = 0.1
"""Pixels within so many levels of salt, for each that is salt, where there are few of the picture's own."""

_LEAST_HEIGHT: Final = 30.0
"""Levels by which an impulse lies outside its neighbours in a flat place, at least."""
_HEIGHT: Final = 6.0
"""The same, in multiples of the spread of flat places."""
_SURE: Final = 4.0
"""Multiple of the spread around an impulse, once it is known that there are some."""
_FLAT_SHARE: Final = 0.4
"""This share of a picture counts as flat, if the spread there is between the next two."""
_FLATTEST, _ROUGHEST = 1.5, 30.0
_LEAST_FLAT: Final = 0.03
"""Share of a picture that is flat enough to tell anything."""
_RAISED: Final = 0.12
"""Neighbours that are raised by this share of the height show a small star, or a dot that was blurred."""
_BESIDE: Final = 0.35
"""One neighbour that is raised by this share shows a part of something larger."""
_FEWEST: Final = 12
"""Impulses in flat places that are enough to tell."""
_LEAST_SHARE: Final = 2e-5
"""Of the pixels of flat places."""
_BAND: Final = 64
"""Rows. Of a large picture every fourth band of so many is looked at first."""
_TELLING: Final = 16.0
"""Impulses that these bands must hold where there are enough to tell. Where they would hold fewer, all is looked at."""
_RARE: Final = 0.6
"""Share of these that is too few. By chance, less is seen of 16 in 4 % of cases, and of 32 in 1 %."""
_MOST_FAINT, _MOST_DOUBTFUL = 1.0, 4.0
"""Suspects of half the height, for each of the full height. Of more, not even doubt is told."""
_MOST_UNEVEN: Final = 0.5
"""Variance of the frequency over the picture, in squares of its mean."""
_SAME_VALUE: Final = 0.75
"""Of the impulses on one side. Then these have this value, as dead pixels do."""
_ALIKE: Final = 24.0
"""Levels from salt up to which a neighbour may be of the same surface."""
_CHUNK: Final = 50_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Impulses:
    """The impulses of a picture.

    Attributes:
        where: (H, W), True at an impulse in any channel.
        share: of the pixels that are opaque.
        evidence: "high" = they are impulses; "low" = they may be the picture's own, so `where` marks none.
    """

    where: Mask
    share: float
    evidence: Literal["high", "low"]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Suspects:
    """Pixels (N,) that lie outside their neighbours.

    Attributes:
        row: of the pixel.
        column: of the pixel.
        value: in levels.
        height: over the median of what is around, in levels, with a sign.
        spread: of what is around, as a std in levels.
        is_flat: what is around is flat.
        is_alone: no neighbour is raised with it.
    """

    row: NDArray[np.intp]
    column: NDArray[np.intp]
    value: Floats
    height: Floats
    spread: Floats
    is_flat: Mask
    is_alone: Mask


def find_impulses(levels: Floats, opaque: Mask | None = None) -> Impulses:
    """Find the impulses of a picture.

    Args:
        levels: (H, W, C), 0..255.
        opaque: (H, W), True where the picture is seen. None: everywhere.
    """
    h, w, channels = levels.shape
    where, doubtful = np.zeros((h, w), bool), 0.0
    if min(h, w) <= 2 * _REACH:
        return Impulses(where=where, share=0.0, evidence="high")
    seen = max(int(opaque.sum()) if opaque is not None else h * w, 1)
    inside = opaque
    opaque = None if opaque is None else np.pad(opaque, _REACH)
    equal = channels == 3 and equal_channels(levels)
    for channel in range(1 if equal else channels):
        found, share = _in_plane(np.pad(levels[..., channel], _REACH, mode="reflect"), opaque)
        if found is None:
            doubtful = max(doubtful, share)
        else:
            where |= found[_REACH:-_REACH, _REACH:-_REACH]
    if inside is not None:
        where &= inside
    if where.any():
        return Impulses(where=where, share=float(where.sum()) / seen, evidence="high")
    return Impulses(where=where, share=doubtful, evidence="low" if doubtful > 0 else "high")


def _in_plane(x: Floats, opaque: Mask | None) -> tuple[Mask | None, float]:
    """Return the impulses of a plane, and 0; or None, and the share of what may be some.

    Args:
        x: (H, W), levels, with a rim of `_REACH` pixels, which is only looked at.
        opaque: (H, W). None: all but the rim.
    """
    nothing = np.zeros(x.shape, bool)
    at, every = _grid(x.shape, opaque)
    if len(at[0]) < _LEAST_PIXELS or len(np.unique(x[at])) < _FEWEST_LEVELS:
        return nothing, 0.0
    salted = _salt_and_pepper(x, at)
    found, doubtful = _outliers(x, opaque, at, every)
    if salted.any():
        return salted if found is None else salted | found, 0.0
    return found, doubtful


def _outliers(x: Floats, opaque: Mask | None, at: Places, every: float) -> tuple[Mask | None, float]:
    """Return the impulses of any value of a plane, as `_in_plane` does.

    Args:
        x: (H, W), levels.
        opaque: (H, W). None: all but the rim.
        at: rows and columns of pixels that stand for all.
        every: for how many each stands.
    """
    nothing = np.zeros(x.shape, bool)
    spread = _local_spread(x, *at)
    flat = float(np.clip(np.quantile(spread, _FLAT_SHARE), _FLATTEST, _ROUGHEST))
    is_flat = spread <= flat
    height, exposed = max(_LEAST_HEIGHT, _HEIGHT * flat), float(is_flat.sum()) * every
    if is_flat.mean() < _LEAST_FLAT or _are_rare(x, opaque, height, flat, _LEAST_SHARE * exposed):
        return nothing, 0.0
    suspects = _suspects(x, opaque, height / 2, flat)
    proof = suspects.is_flat & suspects.is_alone
    strong = proof & (np.abs(suspects.height) >= height)
    count, faint = int(strong.sum()), int((proof & (np.abs(suspects.height) < height)).sum())
    share = count / max(exposed, 1.0)
    if count < _FEWEST or share < _LEAST_SHARE:
        return nothing, 0.0
    uneven, chance = _unevenness(
        (suspects.row[strong], suspects.column[strong]), (at[0][is_flat], at[1][is_flat]), x.shape
    )
    if faint <= _MOST_FAINT * count and uneven <= _MOST_UNEVEN + chance:
        return _marked(x, suspects, strong, height), 0.0
    doubtful = faint <= _MOST_DOUBTFUL * count and uneven <= 2 * _MOST_UNEVEN
    return (None, share) if doubtful else (nothing, 0.0)


def _are_rare(x: Floats, opaque: Mask | None, height: float, flat: float, least: float) -> bool:
    """Return whether a quarter of a large plane holds far fewer impulses than its share of the least.

    Impulses are all over a picture, or there are none. So most pictures are looked through at a quarter of the cost.

    Args:
        x: (H, W), levels.
        opaque: (H, W). None: all but the rim.
        height: of an impulse.
        flat: the most spread of flat places.
        least: impulses in the plane that are enough to tell.
    """
    if least / 4 < _TELLING:
        return False
    count = 0
    for top in range(0, len(x) - 2 * _REACH, 4 * _BAND):
        band = slice(top, top + _BAND + 2 * _REACH)
        found = _suspects(x[band], None if opaque is None else opaque[band], height / 2, flat)
        count += int((found.is_flat & found.is_alone & (np.abs(found.height) >= height)).sum())
    return count < _RARE * least / 4


def _salt_and_pepper(x: Floats, at: Places) -> Mask:
    """Return the pixels that have the lowest or the highest value without a reason, if these are everywhere.

    The picture's own pixels of these values are in few places, and side by side.
    """
    found = np.zeros(x.shape, bool)
    for value in (x.min(), x.max()):
        same = x == value
        rate, crowd = _rates(same, at, x.shape)
        low, usual = np.quantile(rate, (0.2, 0.5)) if len(rate) else (0.0, 0.0)
        if len(rate) < _PLACES or not _LEAST_SALT <= usual <= _MOST_SALT or low < _EVEN_SALT * usual:
            continue
        if np.median(crowd) > _CLUSTERED[0] * usual + _CLUSTERED[1]:
            continue
        beside = _rates((np.abs(x - value) <= _BESIDE_SALT) & ~same, at, x.shape)[0]
        if np.quantile(beside, 0.2) > _MOST_BESIDE * usual:
            continue  # noise that was clipped at the end of the range
        found |= _of_value(x, float(value), float(usual))
    return found


def _rates(same: Mask, at: Places, shape: tuple[int, ...]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return how frequent marked pixels are in each part of the picture, and among their own neighbours."""
    row, column = at
    hits = same[row, column]
    near = np.zeros(len(row), np.float32)
    steps = [(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1) if i or j]
    for i, j in steps:
        near += same[row + i, column + j]
    parts = int(np.clip(np.sqrt(hits.sum() / _IN_A_PLACE), 1, 10))
    place = row * parts // shape[0] * parts + column * parts // shape[1]
    total = np.bincount(place, minlength=parts**2)
    count = np.bincount(place, hits, parts**2)
    touching = np.bincount(place, hits * near / len(steps), parts**2)
    used = total >= 0.2 * total.mean()
    return count[used] / total[used], touching[used] / np.maximum(count[used], 1)


def _grid(shape: tuple[int, ...], opaque: Mask | None) -> tuple[Places, float]:
    """Return rows and columns of pixels that stand for all, and for how many each stands."""
    h, w = shape[0] - 2 * _REACH, shape[1] - 2 * _REACH
    chosen = np.arange(h * w) if h * w <= _SAMPLES else np.random.default_rng(0).integers(0, h * w, _SAMPLES)
    row, column = chosen // w + _REACH, chosen % w + _REACH
    every = h * w / len(chosen)
    if opaque is not None:
        inside = opaque[row, column]
        row, column = row[inside], column[inside]
    return (row, column), every


def _windows(
    x: Floats, row: NDArray[np.intp], column: NDArray[np.intp], reach: int = _REACH
) -> Iterator[tuple[slice, Floats]]:
    """Yield what is around pixels, (n, 48), in parts; the eight neighbours come first, then the rest of 5 x 5."""
    side = range(-reach, reach + 1)
    offsets = sorted(((i, j) for i in side for j in side if i or j), key=lambda o: max(abs(o[0]), abs(o[1])))
    down, across = np.array(offsets).T
    for start in range(0, len(row), _CHUNK):
        part = slice(start, start + _CHUNK)
        yield part, x[row[part, None] + down, column[part, None] + across]


def _local_spread(x: Floats, row: NDArray[np.intp], column: NDArray[np.intp]) -> Floats:
    """Return the std around pixels, (N,), as `_trimmed` tells it."""
    spread = np.empty(len(row), np.float32)
    for part, around in _windows(x, row, column, 2):
        spread[part] = _trimmed(np.sort(around, 1))
    return spread


def _spread(ordered: Floats) -> Floats:
    """Return the std that quantiles of sorted values (N, 48) tell."""
    half = (ordered[:, 35] - ordered[:, 12]) / 1.35
    most = (ordered[:, 40] - ordered[:, 7]) / 2.07
    return np.asarray(np.maximum(half, most), np.float32)


def _trimmed(ordered: Floats) -> Floats:
    """Return the std that the range of sorted values (N, 24) tells, without two on each side."""
    return np.asarray((ordered[:, -3] - ordered[:, 2]) / 2.8, np.float32)


def _suspects(x: Floats, opaque: Mask | None, height: float, flat: float) -> _Suspects:
    """Return the pixels that lie this much above or below at least six of their eight neighbours."""
    row, column = np.nonzero(_outstanding(x, opaque, height))
    count = len(row)
    value = x[row, column]
    median, spread = np.empty(count, np.float32), np.empty(count, np.float32)
    is_flat, is_alone = np.empty(count, bool), np.empty(count, bool)
    for part, around in _windows(x, row, column):
        ordered, near = np.sort(around, 1), np.sort(around[:, :24], 1)
        median[part], spread[part] = (ordered[:, 23] + ordered[:, 24]) / 2, _spread(ordered)
        is_flat[part] = _trimmed(near) <= flat
        own = value[part] - median[part]
        own[own == 0] = np.inf
        rise = np.sort((around[:, :8] - median[part, None]) / own[:, None], 1)
        slack = flat / np.abs(own)
        is_alone[part] = (rise[:, 7] < _BESIDE + slack) & ((rise[:, 3] + rise[:, 4]) / 2 < _RAISED)
    return _Suspects(
        row=row, column=column, value=value, height=value - median, spread=spread, is_flat=is_flat, is_alone=is_alone
    )


def _moved(x: Floats, rows: slice, down: int, across: int) -> Floats:
    """Return the neighbours of some rows inside the rim of a plane."""
    r = _REACH
    inside = slice(rows.start + r + down, min(rows.stop, x.shape[0] - 2 * r) + r + down)
    return x[inside, r + across : x.shape[1] - r + across]


def _outstanding(x: Floats, opaque: Mask | None, height: float) -> Mask:
    found = np.zeros(x.shape, bool)
    r = _REACH
    inner = x[r:-r, r:-r]
    steps = [(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1) if i or j]
    for rows in row_blocks(inner):
        mine = inner[rows]
        sides = [_moved(x, rows, i, j) for i, j in steps[:3]]  # of eight, six are exceeded, so one of any three
        lowest = np.minimum(np.minimum(sides[0], sides[1]), sides[2])
        highest = np.maximum(np.maximum(sides[0], sides[1]), sides[2])
        row, column = np.nonzero((mine - lowest >= height) | (highest - mine >= height))
        value = mine[row, column]
        above, below = np.zeros(len(row), np.uint8), np.zeros(len(row), np.uint8)
        for i, j in steps:
            other = _moved(x, rows, i, j)[row, column]
            above += value - other >= height
            below += other - value >= height
        stands_out = (above >= 6) | (below >= 6)
        found[row[stands_out] + rows.start + r, column[stands_out] + r] = True
    return np.asarray(found if opaque is None else found & opaque)


def _unevenness(
    found: Places,
    places: Places,
    shape: tuple[int, ...],
) -> tuple[float, float]:
    """Return the variance of the frequency over the picture, in squares of its mean, and how far chance may move it.

    Args:
        found: rows and columns of impulses in flat places.
        places: rows and columns of pixels in flat places.
        shape: of the plane.
    """
    parts = int(np.clip(np.sqrt(len(found[0]) / 3), 2, 10))
    edges = [np.linspace(0, side, parts + 1) for side in shape]
    count = np.histogram2d(*found, bins=edges)[0].ravel()
    exposed = np.histogram2d(*places, bins=edges)[0].ravel()
    used = exposed >= 0.2 * exposed.mean()
    count, exposed = count[used], exposed[used]
    if len(count) < 3 or count.sum() < _FEWEST:
        return float("inf"), 0.0
    expected = exposed * count.sum() / exposed.sum()
    chi2, mean = float(((count - expected) ** 2 / expected).sum()), float(count.mean())
    return (chi2 / (len(count) - 1) - 1) / mean, float(np.sqrt(2 / (len(count) - 1))) / mean


def _marked(x: Floats, suspects: _Suspects, strong: Mask, height: float) -> Mask:
    """Return the impulses of a plane that has some."""
    found = np.zeros(x.shape, bool)
    own = np.maximum(height, _SURE * suspects.spread)
    sure = suspects.is_alone & (np.abs(suspects.height) >= own)
    found[suspects.row[sure], suspects.column[sure]] = True
    for side in (suspects.height > 0, suspects.height < 0):
        values, counts = np.unique(suspects.value[strong & side], return_counts=True)
        if counts.sum() >= _FEWEST / 2 and counts.max() >= _SAME_VALUE * counts.sum():
            found |= _of_value(x, float(values[counts.argmax()]), float(found.mean()))
    return found


def _of_value(x: Floats, value: float, rate: float) -> Mask:
    """Return the pixels that have an impulse's value and lie outside those around them.

    Args:
        x: (H, W), levels.
        value: in levels.
        rate: share of the pixels that are impulses of this value.
    """
    found: Mask = np.asarray(x == np.float32(value))
    row, column = np.nonzero(found[_REACH:-_REACH, _REACH:-_REACH])
    row, column = row + _REACH, column + _REACH
    keep = np.empty(len(row), bool)
    most = 24 * rate + 3 * np.sqrt(24 * rate) + 1
    width = 1.0 if rate > 0.004 else 1.3
    for part, around in _windows(x, row, column):
        outer = np.where(around[:, :24] == np.float32(value), np.float32(np.nan), around[:, :24])
        near = np.sort(outer, 1)
        rest = 24 - np.isnan(near).sum(1)
        few = (24 - rest > most) | (rest < 4)
        last = np.maximum(rest, 4) - 1
        low, median, high = (near[np.arange(len(near)), (share * last).astype(int)] for share in (0.2, 0.5, 0.8))
        apart = np.abs(median - value) > np.maximum(10, width * (high - low))
        alike = (np.abs(outer - value) <= _ALIKE).sum(1)
        keep[part] = ~few & (apart | (alike <= 1))
    found[:] = False
    found[row[keep], column[keep]] = True
    return found
