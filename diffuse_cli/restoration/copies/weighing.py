"""How far each copy is trusted at each pixel."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final

import numpy as np

from ...images.units import LEVEL
from .agreement import LEAST, Difference, by_light, difference, doubted, more_lost, typical, variances, widened
from .copy import Copy
from .describing import lost_detail, sharper_by
from .opencv import opencv
from .registration import Map

OFF: Final = 0.1
"""Pixels by which a registration may miss."""
CLEAN: Final = 1.0
"""Levels of noise of a mean that do not matter."""
ROUNDS: Final = 2
"""In how many rounds it is found what the copies have lost."""
LEAST_OF_PRIOR: Final = 0.25
"""The least share of the variance that the estimators tell of two copies which their difference may show."""
KEPT_BY_CORE: Final = 0.3
"""Share of the noise's variance that the core leaves in a picture: 10 levels become 5.5, in texture."""
ASIDE: Final = 30.0
"""Factor of the std of softer copies: pixel by pixel, they count where no other copy shows anything."""
MOST_PAIRS: Final = 24
"""Pairs of copies whose differences are measured."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Weighed:
    """The errors of the copies, in their order.

    Attributes:
        sigma: (H, W) each, std by which a copy is weighed, [-1, 1] units; inf where it tells nothing.
        noise: (H, W) each, variance of its noise.
        sharp: whether it shows as much detail as others do. What it shows less of counts by its frequencies.
    """

    sigma: tuple[Map, ...]
    noise: tuple[Map, ...]
    sharp: tuple[bool, ...]


def weigh(copies: Sequence[Copy], off: float = OFF) -> Weighed:
    """Find each copy's error at each pixel: its noise, the detail that it has lost, and where it shows something else.

    The estimators tell what happened to each copy. The differences of copies tell how much noise there is, and how it
    depends on brightness. What is coarse of the noise counts, since the rest is easily removed.

    Args:
        copies: the reference first.
        off: pixels by which copies may differ: a registration misses by as much, or what lies between the pixels shows.
    """
    rough, lost = _lost(copies)
    pairs = {
        (i, j): difference(copies[i].pixels, copies[j].pixels, copies[i].known & copies[j].known, lost[i] + lost[j])
        for i, j in _pairs(len(copies))
    }
    more = more_lost(list(pairs.values()))
    lost = [np.float32(more) * e for e in lost]
    noise = _noise(copies, pairs, more, rough)
    coarse = [n * np.float32(c.kept.coarse / c.kept.variance) for n, c in zip(noise, copies, strict=True)]
    missed = np.float32(off**2 / 2) * _slope(rough)
    sigmas = []
    for k, copy in enumerate(copies):
        variance = coarse[k] + lost[k] + (missed if copy.is_interpolated else 0)
        if k > 0:
            may_lose = widened(lost[0] + lost[k]) + missed
            apart, both = copy.pixels - copies[0].pixels, noise[0] + noise[k] + may_lose
            variance = variance + doubted(apart, both, coarse[0] + coarse[k] + may_lose)
        sigmas.append(np.where(copy.known, np.sqrt(variance), np.float32(np.inf)).astype(np.float32))
    sharp = worth_fusing([float(e.mean()) for e in lost], [float(n.mean()) for n in noise])
    if not all(sharp):
        among = {pair: one for pair, one in pairs.items() if sharp[pair[0]] and sharp[pair[1]]}
        noise = _noise(copies, among, more, rough)
        sigmas = [s if kept else s * np.float32(ASIDE) for s, kept in zip(sigmas, sharp, strict=True)]
    return Weighed(sigma=tuple(sigmas), noise=tuple(noise), sharp=tuple(sharp))


def worth_fusing(lost: Sequence[float], noise: Sequence[float]) -> list[bool]:
    """Return which copies make the result better. The core removes noise, and does not bring lost detail back.

    Sets of the sharpest copies are compared. Each has the error of the detail that its mean has lost, and of the noise
    that the core would leave in it.

    Args:
        lost: mean square of the detail that each copy has lost.
        noise: variance of each copy's noise.
    """
    order = sorted(range(len(lost)), key=lost.__getitem__)
    errors = []
    for count in range(1, len(order) + 1):
        chosen = order[:count]
        weights = [1 / max(lost[k] + noise[k], LEAST) for k in chosen]
        detail = sum(w * lost[k] for w, k in zip(weights, chosen, strict=True)) / sum(weights)
        left = sum(w**2 * noise[k] for w, k in zip(weights, chosen, strict=True)) / sum(weights) ** 2
        errors.append(detail + KEPT_BY_CORE * left)
    kept = set(order[: 1 + errors.index(min(errors))])
    return [k in kept for k in range(len(lost))]


def _lost(copies: Sequence[Copy]) -> tuple[Map, list[Map]]:
    """Return the mean of the copies, and the mean square of the detail that each has lost of it."""
    blurred = sharper_by([c.what for c in copies], [c.scale for c in copies])
    variance = [np.full(c.known.shape, np.float32(max(c.prior, LEVEL**-2))) for c in copies]
    rough, lost = copies[0].pixels, variance
    for _ in range(ROUNDS):  # what the best copies show, damaged as each of them is
        rough = _without_noise(mean(copies, variance), copies)
        lost = [lost_detail(rough, c.what, c.scale, b) for c, b in zip(copies, blurred, strict=True)]
        variance = [np.maximum(e + np.float32(c.prior), np.float32(LEAST)) for e, c in zip(lost, copies, strict=True)]
    return rough, lost


def _without_noise(picture: Map, copies: Sequence[Copy]) -> Map:
    """Return a mean without most of its noise, with its edges: of noise, a coder would seem to lose much."""
    cv2 = opencv()
    level = sum(1 / max(c.prior, LEVEL**-2) for c in copies) ** -0.5
    if level * LEVEL <= CLEAN:
        return picture
    smooth: Map = cv2.bilateralFilter(picture, 7, 3 * level, 2.0).reshape(picture.shape)
    return smooth


def _noise(copies: Sequence[Copy], pairs: dict[tuple[int, int], Difference], more: float, rough: Map) -> list[Map]:
    """Return the variance of each copy's noise at each pixel."""
    least = {(i, j): LEAST_OF_PRIOR * (copies[i].prior + copies[j].prior) for i, j in pairs}
    own = variances([c.prior for c in copies], {p: max(typical(d.noise(more)), least[p]) for p, d in pairs.items()})
    first = min((i for i, _ in pairs), default=0)
    factor = by_light([(d.noise(more), d.light) for (i, _), d in pairs.items() if i == first], _smooth(rough))
    even = np.ones(rough.shape[:2], np.float32) if factor is None else factor
    return [np.float32(v) * even for v in own]


def _pairs(count: int) -> list[tuple[int, int]]:
    """Return which copies are compared: all, or each with the reference and with the next one."""
    every = list(combinations(range(count), 2))
    if len(every) <= MOST_PAIRS:
        return every
    return [(0, k) for k in range(1, count)] + [(k, k + 1) for k in range(1, count - 1)]


def mean(copies: Sequence[Copy], variance: Sequence[Map]) -> Map:
    """Return the inverse-variance mean (H, W, C) of what the copies show.

    Args:
        copies: on the same pixels.
        variance: (H, W) of each.
    """
    weights = [np.where(c.known, 1 / v, 0)[..., None] for c, v in zip(copies, variance, strict=True)]
    total = np.maximum(sum(weights), 1e-12)
    found: Map = (sum(w * c.pixels for w, c in zip(weights, copies, strict=True)) / total).astype(np.float32)
    return found


def _smooth(pixels: Map) -> Map:
    """Return the light of a picture (H, W) without its noise."""
    smooth: Map = opencv().GaussianBlur(np.ascontiguousarray(pixels.mean(2)), (0, 0), 2.0)
    return smooth


def _slope(pixels: Map) -> Map:
    """Return the squared gradient of a picture (H, W), the mean of its channels."""
    smooth = opencv().GaussianBlur(pixels, (0, 0), 1.0).reshape(pixels.shape)
    down, right = np.gradient(smooth, axis=(0, 1))
    squared: Map = (down**2 + right**2).mean(2)
    return squared
