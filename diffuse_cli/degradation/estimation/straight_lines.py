"""Straight scratches, followed along their direction as far as the picture shows them.

A scratch that was found in part goes on where it is fainter, and behind things of its own tone. So its direction is
measured, and it is followed both ways, block by block, as long as it is lighter, or darker, than both its sides.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

_SHORTEST: Final = 24.0
"""Pixels of a part that is followed, at least."""
_SLENDER: Final = 6.0
"""Its length in widths, at least."""
_WIDEST: Final = 8.0
_NEAR: Final = 2.0
"""Pixels from the line up to which a part's pixels belong to it."""
_BREAK: Final = 6
"""Pixels along a line that may be missing in what was found."""
_EACH: Final = 4
"""Lines of one part, at most: scratches cross."""
_MOST: Final = 200
"""Parts of a picture that are looked at, at most: the largest ones."""
_ANGLES: Final = 180
_BLOCK: Final = 6
"""Pixels along a line that are judged together."""
_FAINTER: Final = 0.2
"""Share of the found part's contrast that is followed."""
_LEAST: Final = 4.0
"""Levels of contrast that are followed, at least."""
_GAP: Final = (6.0, 60.0)
_VANISHED: Final = 0.25
"""Share of what was followed so far that a line may vanish for, within _GAP pixels."""
_OFF: Final = 6
"""Pixels by which a line may bend away from its direction."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Line:
    """A straight part: places are `middle + s * towards`, with s between `begin` and `end`; (y, x), in pixels."""

    middle: Floats
    towards: Floats
    begin: float
    end: float
    width: float

    @property
    def length(self) -> float:
        return self.end - self.begin


def followed_lines(luma: NDArray[np.float32], marks: Mask) -> Mask:
    """Return the straight lines among marks, from end to end.

    Args:
        luma: (H, W), in levels.
        marks: (H, W), what was found, without rims.

    Returns:
        (H, W), the lines alone.
    """
    out = np.zeros(luma.shape, bool)
    labels, _ = ndimage.label(marks, np.ones((3, 3), bool))
    boxes = list(enumerate(ndimage.find_objects(labels), 1))
    reach = {n: math.hypot(*(side.stop - side.start for side in box)) for n, box in boxes}
    long = sorted((n for n, _ in boxes if reach[n] >= _SHORTEST), key=lambda n: -reach[n])[:_MOST]
    for number in long:
        box = boxes[number - 1][1]
        places = np.argwhere(labels[box] == number) + [side.start for side in box]
        for line in _lines(places.astype(np.float64)):
            _follow(luma, line, out)
    return out


def _lines(places: Floats) -> Iterator[_Line]:
    """Yield the straight lines of a part, the longest first."""
    for _ in range(_EACH):
        if len(places) < _SHORTEST:
            return
        line, of_it = _longest(places)
        if line is not None:
            yield line
        places = places[~of_it]


def _longest(places: Floats) -> tuple[_Line | None, Mask]:
    """Return the line with most pixels, by a Hough transform and least squares, and which pixels it has."""
    middle = places.mean(0)
    off = places - middle
    angles = np.arange(_ANGLES) * math.pi / _ANGLES
    bins = np.rint((off @ np.stack([np.cos(angles), -np.sin(angles)])) / _NEAR).astype(np.int64)
    bins -= bins.min()
    most = bins.max() + 1
    votes = np.bincount((bins + np.arange(_ANGLES) * most).ravel(), minlength=_ANGLES * most)
    turn, shift = divmod(int(votes.argmax()), int(most))
    of_it = np.abs(bins[:, turn] - shift) <= 1
    for _ in range(3):
        middle = places[of_it].mean(0)
        _, _, axes = np.linalg.svd(places[of_it] - middle, full_matrices=False)
        of_it = np.abs((places - middle) @ axes[1]) <= _NEAR + 1
        if of_it.sum() < _SHORTEST:
            return None, of_it
    along = (places[of_it] - middle) @ axes[0]
    begin, end = _longest_run(along)
    inside = (along >= begin) & (along <= end)
    width = float(inside.sum() / max(end - begin + 1, 1))
    good = end - begin >= max(_SHORTEST, _SLENDER * width) and width <= _WIDEST
    return (_Line(middle=middle, towards=axes[0], begin=begin, end=end, width=width) if good else None), of_it


def _longest_run(along: Floats) -> tuple[float, float]:
    """Return the begin and end of the longest stretch without breaks."""
    places = np.sort(along)
    cuts = np.flatnonzero(np.diff(places) > _BREAK)
    begins, ends = places[np.r_[0, cuts + 1]], places[np.r_[cuts, len(places) - 1]]
    best = int((ends - begins).argmax())
    return float(begins[best]), float(ends[best])


def _follow(luma: NDArray[np.float32], line: _Line, out: Mask) -> None:
    """Mark a line as far as it is seen."""
    h, w = luma.shape
    reach = math.hypot(h, w)
    s = np.arange(math.floor(line.begin - reach), math.ceil(line.end + reach) + 1.0)
    centre = line.middle + s[:, None] * line.towards
    s = s[((centre >= -0.5) & (centre <= (h - 0.5, w - 0.5))).all(1)]
    core, side = line.width / 2, round(line.width / 2 + 1.5)
    far = _OFF + side + 2
    across = np.arange(-far, far + 1)
    normal = np.array([-line.towards[1], line.towards[0]])
    at = line.middle + s[:, None, None] * line.towards + across[:, None] * normal
    values = ndimage.map_coordinates(luma, at.transpose(2, 0, 1), order=1, mode="nearest").astype(np.float64)
    found = (s >= line.begin) & (s <= line.end)
    sign = _sign(values, found, far, core, side)
    if sign == 0:
        return
    contrast = _contrast(sign * values, far, core, side)
    usual = float(np.median(contrast[found, _OFF]))
    least = max(_FAINTER * usual, _LEAST)
    first, last = int(np.flatnonzero(found)[0]), int(np.flatnonzero(found)[-1])
    offsets = {k: 0 for k in range(first, last + 1)}
    for way in (range(last + 1, len(s)), range(first - 1, -1, -1)):
        offsets |= _walk(contrast, way, least, line.length)
    half = np.arange(-core, core + 0.25, 0.5)
    for k, off in offsets.items():
        for t in (s[k], s[k] + 0.5):
            rows, columns = np.rint(line.middle + t * line.towards + (off + half)[:, None] * normal).astype(int).T
            inside = (rows >= 0) & (rows < h) & (columns >= 0) & (columns < w)
            out[rows[inside], columns[inside]] = True


def _sign(values: Floats, found: Mask, far: int, core: float, side: int) -> int:
    """Return 1 for a light line, -1 for a dark one, and 0 for what is neither."""
    both = [float(np.median(_contrast(sign * values, far, core, side)[found, _OFF])) for sign in (1, -1)]
    if max(both) < _LEAST:
        return 0
    return 1 if both[0] >= both[1] else -1


def _contrast(values: Floats, far: int, core: float, side: int) -> Floats:
    """Return how far a light line stands out from its lighter side, by place along and offset across.

    Args:
        values: (S, 2 * far + 1), along and across.
        far: pixels across, to each side.
        core: half the width.
        side: pixels from the middle to what is beside the line.

    Returns:
        (S, 2 * _OFF + 1), means of a block along.
    """
    smooth = ndimage.uniform_filter1d(values, _BLOCK + 1, axis=0, mode="nearest")
    within = max(round(core - 0.5), 0)
    rows = []
    for off in range(-_OFF, _OFF + 1):
        middle = far + off
        inner = smooth[:, middle - within : middle + within + 1].mean(1)
        sides = [smooth[:, middle + k * side + (0 if k > 0 else -1) :][:, :2].mean(1) for k in (-1, 1)]
        rows.append(inner - np.maximum(*sides))
    return np.stack(rows, 1)


def _walk(contrast: Floats, places: range, least: float, length: float) -> dict[int, int]:
    """Return the places along that a line reaches one way, and its offset at each.

    After a gap the line must be seen for two blocks.
    """
    kept: dict[int, int] = {}
    waiting: dict[int, int] = {}
    off, seen = 0, 2
    for start in range(0, len(places), _BLOCK):
        block = places[start : start + _BLOCK]
        here = contrast[block[len(block) // 2]]
        near = range(max(off - 1, -_OFF), min(off + 1, _OFF) + 1)
        best = max(near, key=lambda o: here[o + _OFF])
        is_seen = here[best + _OFF] >= least
        off = best if is_seen else off
        waiting |= dict.fromkeys(block, off)
        seen = seen + 1 if is_seen else 0
        if seen >= (2 if len(waiting) > len(block) else 1):
            kept |= waiting
            waiting = {}
        elif len(waiting) > min(max(_VANISHED * (length + len(kept)), _GAP[0]), _GAP[1]) + _BLOCK * (1 + seen):
            break
    return kept
