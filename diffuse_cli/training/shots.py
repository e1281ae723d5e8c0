"""Samples of the `camera` objective: crops as lenses leave them, their noise, and what the network is told of it."""

import math
from dataclasses import replace
from typing import NamedTuple

from torch import Tensor

from ..degradation.camera import MAX_GRAIN, describe_noise, drawn_noise
from ..degradation.operators import Degradation, blur
from ..images.units import LEVEL
from .sample_spec import Rng

_KNOWN = 0.12
"""Std of ln noise as told where doubt is 0: nobody measures better."""
_LEAST_NOISE = 0.002


class Shot(NamedTuple):
    """A photograph: the clean crop and its noise (1, 3, P, P), and what the network is told."""

    x0: Tensor
    noise: Tensor
    told: Degradation


def shot(x0: Tensor, what: Degradation, rng: Rng, *, gray: bool, described: int) -> Shot:
    """Photograph a clean crop.

    The network is told noise and grain a little wrong, as estimates are. If it knows `doubt`, two thirds of the shots
    have one of 0.1 to 1.5, and their noise is told that much more wrong. If that doubt is above 0.5, three in ten of
    these have no noise at all and are told some.

    Args:
        x0: (1, 3, P, P), clean, [-1, 1] units.
        what: what happens to it besides; its noise, grain and doubt are drawn here.
        rng: draws them.
        gray: the noise has equal channels.
        described: how many numbers the network is told.
    """
    if rng.random() < 0.5:
        x0 = blur(x0, rng.uniform(0.3, 1.0))
    doubt = rng.uniform(0.1, 1.5) if described > 5 and rng.random() < 0.67 else 0.0
    if doubt > 0.5 and rng.random() < 0.3:
        level = math.exp(rng.uniform(math.log(0.7), math.log(15))) / LEVEL
        return Shot(x0, x0.new_zeros(x0.shape), replace(what, noise=level, grain=rng.uniform(0, 1.2), doubt=doubt))
    noise = drawn_noise(x0, rng, gray=gray)
    level, grain = describe_noise(noise)
    level = max(level, _LEAST_NOISE) * math.exp(rng.normal(0, max(doubt, _KNOWN)))
    grain += rng.normal(0, 0.06 + 0.2 * doubt)
    told = replace(what, noise=min(max(level, _LEAST_NOISE), 1.0), grain=min(max(grain, 0.0), MAX_GRAIN), doubt=doubt)
    return Shot(x0, noise, told)
