"""Copies of one picture as one observation: the inverse-variance mean of what they show, and the noise that is left."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch

from ...diffusion.fusion import fuse
from ...diffusion.shots_step import Shot
from ...images.picture import Picture
from ...images.tensors import to_array, to_tensor
from .copy import Copy, Describe, placed, reference
from .frequencies import Corrected, corrected
from .placing import grain_of
from .registration import Map
from .shots import shots_of, trusted
from .weighing import OFF, Weighed, weigh

LEAST_GRAIN: Final = 0.25
"""Noise of less grain counts as white."""
MOST_GRAIN: Final = 3.0

BETWEEN: Final = 0.5
"""Pixels by which copies differ that are not smoothed, where their pixels lie elsewhere."""

Unlike = Callable[[str], None]
"""Told the name of a copy that shows something else. It may raise."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Fused:
    """Several copies as one.

    Attributes:
        pixels: (H, W, C), [-1, 1] units.
        sigma: (H, W), std of the noise that is left.
        grain: how coarse that is, as `Degradation.grain` has it.
        quality: of the JPEG of which so much is left, 100 = none.
        copies: what was fused, the reference first.
        weights: (H, W) of each copy, in the same order. Their sum is 1.
        shots: the sharp copies as shots of the enlarged result. (): it is not enlarged.
        trusted: the std of their pixels, [-1, 1] units.
    """

    pixels: Map
    sigma: Map
    grain: float
    quality: float
    copies: tuple[Copy, ...]
    weights: tuple[Map, ...]
    shots: tuple[Shot, ...] = ()
    trusted: float = 0.0

    @property
    def is_coarse(self) -> bool:
        """Whether most of what was fused had noise that is not white."""
        return sum(s for s, c in zip(self.shares, self.copies, strict=True) if c.what.noise.grain is not None) > 0.5

    @property
    def shares(self) -> list[float]:
        """The mean weight of each copy."""
        return [float(w.mean()) for w in self.weights]


def fuse_copies(
    first: tuple[str, Picture],
    others: Iterable[tuple[str, Picture]],
    describe_it: Describe,
    is_unlike: Unlike,
    scale: float = 1.0,
) -> Fused | None:
    """Register copies, match their light, weigh and fuse them. None: no other copy shows the same.

    Args:
        first: the reference's name and its picture, on whose pixels the result lies.
        others: the other copies'.
        describe_it: tells what happened to a copy.
        is_unlike: told the name of a copy that shows something else.
        scale: the result's pixels per pixel of the reference.

    Raises:
        PictureError: the copies cannot be compared, or OpenCV is not installed.
    """
    copies = [reference(*first, describe_it, keep_own=scale > 1)]
    for number, (name, picture) in enumerate(others, start=1):
        copy = placed(name, picture, copies[0], number, describe_it, keep_own=scale > 1)
        if copy is None:
            is_unlike(name)
        else:
            copies.append(copy)
    return None if len(copies) == 1 else _fused(copies, weigh(copies, OFF if scale == 1 else BETWEEN), scale)


def _fused(copies: Sequence[Copy], weighed: Weighed, scale: float) -> Fused:
    """Fuse the copies one after the other; the order does not matter."""
    x, sigma = to_tensor(copies[0].pixels), torch.from_numpy(weighed.sigma[0])[None, None]
    for copy, other in zip(copies[1:], weighed.sigma[1:], strict=True):
        x, sigma = fuse(x, sigma, to_tensor(copy.pixels), torch.from_numpy(other)[None, None])
    weights = _weights(weighed.sigma)
    known = np.isfinite(sigma[0, 0].numpy())
    left = np.sum([w**2 * n for w, n in zip(weights, weighed.noise, strict=True)], axis=0)
    left = np.where(known, left, left.mean(where=known) if known.any() else 0)
    pixels = np.where(known[..., None], to_array(x, copies[0].pixels.shape[2]), copies[0].pixels)
    soft = [k for k, is_sharp in enumerate(weighed.sharp) if not is_sharp]
    better = corrected(pixels, float(left.mean()), [(copies[k], weighed.sigma[k]) for k in soft])
    weights = _with_shares(weights, soft, better)
    grain = min(_grain(copies, weights, weighed.noise), MOST_GRAIN)
    return Fused(
        pixels=better.pixels,
        sigma=np.sqrt(left * better.variance).astype(np.float32),
        grain=grain if grain >= LEAST_GRAIN else 0.0,
        quality=_quality(copies, weights),
        copies=tuple(copies),
        weights=weights,
        shots=shots_of(copies, weighed, scale) if scale > 1 else (),
        trusted=trusted(weighed),
    )


def _weights(sigmas: Sequence[Map]) -> tuple[Map, ...]:
    """Return the weights of observations in their inverse-variance mean; 0 where none tells anything."""
    precision = np.stack([1 / s**2 for s in sigmas])
    total = precision.sum(0)
    weights = np.divide(precision, total, out=np.zeros_like(precision), where=total > 0)
    return tuple(weights.astype(np.float32))


def _with_shares(weights: Sequence[Map], soft: Sequence[int], better: Corrected) -> tuple[Map, ...]:
    """Return the weights with the shares of the softer copies."""
    found = list(weights)
    for k, share in zip(soft, better.shares, strict=True):
        found = [w * (1 - share) for w in found]
        found[k] = found[k] + share
    return tuple(found)


def _grain(copies: Sequence[Copy], weights: Sequence[Map], noise: Sequence[Map]) -> float:
    """Return how coarse the noise is that is left: that of the same mean of noise that was drawn for each copy."""
    stds = [np.sqrt(float(n.mean()) / c.kept.variance) for n, c in zip(noise, copies, strict=True)]
    drawn = [np.float32(std * w.mean()) * c.kept.drawn for std, w, c in zip(stds, weights, copies, strict=True)]
    return grain_of(np.sum(drawn, axis=0))


def _quality(copies: Sequence[Copy], weights: Sequence[Map]) -> float:
    """Return the quality of the JPEG that leaves as much error as those of the copies do together.

    It is the geometric mean of what independent errors and equal ones would leave. For four JPEGs of quality 50 with
    their blocks elsewhere that is 78; told 75 to 85, the core did best.
    """
    errors = [float(w.mean()) * coder_error(c.what.quality) for w, c in zip(weights, copies, strict=True)]
    error = float(np.sqrt(sum(errors) * np.sqrt(sum(e**2 for e in errors))))
    qualities = np.arange(5.0, 100.0)
    return float(np.interp(-error, [-coder_error(q) for q in qualities], qualities, right=100.0))


def coder_error(quality: float) -> float:
    """Return a JPEG's error relative to others': the term of `Degradation.misfit` that depends on the quality."""
    return 0.0 if quality >= 100 else float((quality + 2) ** -0.8)
