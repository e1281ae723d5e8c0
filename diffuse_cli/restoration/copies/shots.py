"""Sharp copies as shots of the enlarged picture: where their own pixels lie in it, and how far each is trusted."""

import math
from collections.abc import Sequence
from typing import Final

import numpy as np
import torch

from ...diffusion.shots_step import Shot
from ...images.units import LEVEL
from .copy import Copy
from .opencv import opencv
from .registration import Map, coordinates
from .weighing import Weighed

LEAST: Final = 1.0 / LEVEL
"""The least std of a pixel, [-1, 1] units."""
STILL: Final = 0.05
"""Pixels of flow from which on a copy tells nothing between the pixels."""


def trusted(weighed: Weighed) -> float:
    """Return the std of the best sharp copy's pixels, [-1, 1] units.

    Args:
        weighed: the errors of copies.
    """
    return min(std for std, sharp in zip(_stds(weighed), weighed.sharp, strict=True) if sharp)


def shots_of(copies: Sequence[Copy], weighed: Weighed, scale: float) -> tuple[Shot, ...]:
    """Return the sharp copies as shots of a picture that is enlarged.

    Args:
        copies: the reference first.
        weighed: their errors.
        scale: the result's pixels per pixel of the reference.
    """
    best = trusted(weighed)
    return tuple(
        _shot(copy, copy.own, np.isfinite(sigma) * np.float32((best / std) ** 2), scale)
        for copy, sigma, std, sharp in zip(copies, weighed.sigma, _stds(weighed), weighed.sharp, strict=True)
        if sharp and copy.own is not None
    )


def _stds(weighed: Weighed) -> list[float]:
    """Return the std of each copy's pixels.

    It is that of noise, as copies differ by it. What else they differ by may lie between the pixels, which is wanted.
    """
    return [max(math.sqrt(float(noise.mean())), LEAST) for noise in weighed.noise]


def _shot(copy: Copy, own: Map, precision: Map, scale: float) -> Shot:
    cv2 = opencv()
    x, y = coordinates(np.linalg.inv(copy.matrix).astype(np.float64), (own.shape[0], own.shape[1]))
    if copy.flow is not None:
        precision = precision.copy()
        precision[np.abs(copy.flow).max(2) > STILL] = 0
    weight = cv2.remap(precision, x, y, cv2.INTER_NEAREST, borderMode=cv2.BORDER_CONSTANT, borderValue=0)
    values = own if own.shape[2] == 3 else np.repeat(own, 3, 2)
    places = [torch.from_numpy((np.float32(scale) * (at + 0.5) - 0.5).astype(np.float32).ravel()) for at in (x, y)]
    return Shot(
        values=torch.from_numpy(np.ascontiguousarray(values.reshape(-1, 3).T)), x=places[0], y=places[1],
        weight=torch.from_numpy(weight.ravel()), side=scale / copy.scale,
    )  # fmt: skip
