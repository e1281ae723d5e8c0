"""How far copies agree: the noise that their differences show, and where something moved."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ...images.units import LEVEL
from .describing import near
from .opencv import opencv

Map = NDArray[np.float32]
Mask = NDArray[np.bool_]

BLOCK: Final = 8
BINS: Final = 8
"""Of brightness."""
MOST_MORE: Final = 4.0
"""The most by which more detail may be lost than was simulated."""
LEAST_RISE: Final = 0.2
"""Share of the energy by which the lost detail must differ from block to block: less is lost in the noise."""
LEAST_BLOCKS: Final = 30
"""Blocks of one brightness that tell its noise."""
LEAST: Final = (0.25 / LEVEL) ** 2
"""The least variance that a copy may have, [-1, 1] units: files are rounded."""
ROUNDS: Final = 40
DOUBT: Final = 1.3
"""Factor of the square between a copy and the reference that noise explains."""
MOST_APART: Final = 3.0
"""The same factor, beyond which a copy shows another thing."""
SLACK: Final = 4.0
"""Times the square that is not explained is added to a copy's variance."""
BROAD: Final = 15
"""Side in pixels of the window in which faint shadows are looked for: noise averages out there."""
BROAD_DOUBT: Final = 4.0
BROAD_MOST: Final = 16.0
BROAD_SLACK: Final = 16.0
LIGHT: Final = (0.5 / LEVEL) ** 2
"""Square of the difference in light that two copies may have anywhere."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """What two copies show of each other, in blocks where both show something: (n,) each.

    Attributes:
        energy: mean square of their difference.
        lost: of the detail that both have lost, as it was simulated.
        light: their mean.
    """

    energy: Map
    lost: Map
    light: Map

    def noise(self, factor: float) -> Map:
        """Return the energy without the lost detail, times a factor."""
        return self.energy - np.float32(factor) * self.lost


def difference(one: Map, other: Map, known: Mask, lost: Map) -> Difference:
    """Measure the difference of two copies.

    Args:
        one: (H, W, C), a copy, [-1, 1] units.
        other: (H, W, C), another.
        known: (H, W), where both show something.
        lost: (H, W), the mean square of the detail that both have lost.
    """
    height, width = (n // BLOCK for n in known.shape)
    rows, columns = height * BLOCK, width * BLOCK

    def means(values: Map) -> Map:
        parts: Map = values[:rows, :columns].reshape(height, BLOCK, width, BLOCK).mean((1, 3))
        return parts

    whole = known[:rows, :columns].reshape(height, BLOCK, width, BLOCK).all((1, 3))
    energy, light = means(((one - other) ** 2).mean(2)), means((one + other).mean(2) / 2)
    return Difference(energy=energy[whole], lost=means(lost)[whole], light=light[whole])


def more_lost(measured: Sequence[Difference]) -> float:
    """Return the factor by which more detail is lost than was simulated: the picture for that had lost some itself.

    It is the median slope from the blocks that lose least to those that lose most.

    Args:
        measured: pairs of copies.
    """
    slopes = []
    for one in measured:
        if len(one.lost) < 2 * LEAST_BLOCKS or not one.lost.any():
            continue
        low, high = np.quantile(one.lost, [0.3, 0.7])
        few, many = one.lost <= low, one.lost >= high
        rise = float(np.median(one.lost[many]) - np.median(one.lost[few]))
        if rise > max(LEAST, LEAST_RISE * float(np.median(one.energy))):
            slopes.append(float(np.median(one.energy[many]) - np.median(one.energy[few])) / rise)
    return float(np.clip(np.median(slopes), 1, MOST_MORE)) if slopes else 1.0


def typical(energy: Map) -> float:
    """Return the noise that blocks show: half of them may have moved."""
    return max(float(np.median(energy)), LEAST) if len(energy) else LEAST


def variances(prior: Sequence[float], pairs: dict[tuple[int, int], float]) -> list[float]:
    """Return the variance of each copy, whose sums are those of the pairs.

    Of two copies, the estimators' ratio is kept. Of more, the pairs decide.

    Args:
        prior: of each copy, as the estimators tell.
        pairs: the sum of two variances, as their difference tells.
    """
    found = np.maximum(np.array(prior, np.float64), LEAST)
    for _ in range(ROUNDS):
        factor, count = np.zeros_like(found), np.zeros_like(found)
        for (i, j), total in pairs.items():
            ratio = total / (found[i] + found[j])
            factor[[i, j]] += ratio
            count[[i, j]] += 1
        found = np.where(count > 0, found * factor / np.maximum(count, 1), found)
    return [max(float(v), LEAST) for v in found]


def by_light(measured: Sequence[tuple[Map, Map]], picture: Map) -> Map | None:
    """Return the factor (H, W) of the noise's variance by brightness. None: too little is seen of it.

    Args:
        measured: the noise and the light of pairs of copies, in blocks.
        picture: (H, W), the light of the picture, without noise.
    """
    if not measured:
        return None
    light = np.concatenate([at for _, at in measured])
    energy = np.concatenate([e / max(typical(e), LEAST) for e, _ in measured])
    if len(light) < BINS * LEAST_BLOCKS:
        return None
    edges = np.quantile(light, np.linspace(0, 1, BINS + 1))
    centres, factors = [], []
    for low, high in pairwise(edges):
        of_bin = (light >= low) & (light <= high)
        if of_bin.sum() >= LEAST_BLOCKS:
            centres.append(float(light[of_bin].mean()))
            factors.append(float(np.clip(np.median(energy[of_bin]), 0.05, 10)))
    if len(centres) < 2:
        return None
    factor: Map = np.interp(picture, centres, factors).astype(np.float32)
    return factor


def widened(values: Map) -> Map:
    """Return the largest value around each pixel (H, W): a coder's errors come in blocks, here or there."""
    cv2 = opencv()
    most: Map = cv2.dilate(values, np.ones((2 * BLOCK - 1, 2 * BLOCK - 1), np.uint8))
    return most


def doubted(off: Map, variance: Map, coarse: Map) -> Map:
    """Return what is added to a copy's variance (H, W) where it shows something else than the reference; inf: all.

    Args:
        off: (H, W, C), the copy minus the reference.
        variance: (H, W), of the difference, as it is explained.
        coarse: (H, W), the variance of the white noise that has as much of what is coarse.
    """
    apart, explained = near((off**2).mean(2)), near(variance)
    faint = sum(near(off[..., c], BROAD) ** 2 for c in range(off.shape[2])) / off.shape[2]
    alike = near(coarse, BROAD) / BROAD**2
    added = SLACK * np.maximum(apart - DOUBT * explained, 0)
    added = added + BROAD_SLACK * np.maximum(faint - BROAD_DOUBT * alike - LIGHT, 0)
    moved = (apart > MOST_APART * explained + LIGHT) | (faint > BROAD_MOST * alike + 4 * LIGHT)
    result: Map = np.where(moved, np.float32(np.inf), added).astype(np.float32)
    return result
