"""The part of the damage that is undone exactly: a blur, and a shrinking after it."""

import math
from dataclasses import dataclass, replace
from typing import Final

from ..degradation.kernels import Kernel
from ..degradation.operators import Degradation
from ..diffusion.shots_step import Shot
from ..images.units import LEVEL

LEAST_NOISE, LEAST_NOISE_ESTIMATED = 0.5, 1.0
"""Levels of noise that are assumed at least, where the blur's std is given and where it is estimated.

On crops of Set14, blur 1.6 without noise, a std 10 % too large or small, then 20 % too large, they measured +0.1 and
+0.6 dB, then -1.3 dB (of 1 level); +2 levels -0.3 and +0.6, then -0.4 dB; none at all +0.7 and -0.2, then -3.4 dB.
"""
_APART: Final = 1.12
"""A given and an estimated std that are further apart, as a factor, contradict each other."""
_CODED: Final = 0.45
"""The share of a coder's errors that an exact step takes for noise."""
_LARGEST_MISTAKE: Final = 1.25
"""The factor by which a given std is thought to be too large at most."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LinearPart:
    """What is undone exactly.

    Attributes:
        blur: std of the Gaussian in pixels of the result.
        noise: std of what it leaves unexplained, [-1, 1] units.
        kernel: a blur that is no Gaussian, in its place.
        shots: of one scene, in the place of a blur.
    """

    blur: float
    noise: float
    kernel: Kernel | None = None
    shots: tuple[Shot, ...] = ()


def linear_part(what: Degradation, blur: float, least_noise: float = LEAST_NOISE) -> LinearPart | None:
    """Return what can be undone exactly. None: nothing, or what comes after the blur is not white noise.

    Coders and grain leave errors that are not white: exact steps measured -1.4 to +0.2 dB there. Of pictures that were
    shrunk after the blur, with two levels of noise, they gain 0.04 dB where the blur is known, and lose 0.2 where not.

    Args:
        what: all that happened to the picture.
        blur: std of the Gaussian in pixels of the result; the network may be told less.
        least_noise: levels of noise that are assumed at least.
    """
    if blur == 0 or what.scale > 1 or what.quality < 100 or what.grain > 0:
        return None
    return LinearPart(blur=blur, noise=max(what.misfit(), least_noise / LEVEL))


def kernel_part(what: Degradation, kernel: Kernel) -> LinearPart:
    """Return how a blur by a kernel is undone. A coder's errors count in part: the rest is no noise.

    Args:
        what: what else happened to the picture, after the blur.
        kernel: the blur.
    """
    alone = replace(what, quality=100.0).misfit()
    coded = replace(what, noise=0.0).misfit()
    return LinearPart(blur=0.0, noise=max(math.hypot(alone, _CODED * coded), LEAST_NOISE / LEVEL), kernel=kernel)


def looks_smaller(given: float, estimated: float | None) -> bool:
    """Return whether a std was given that is clearly larger than the one that the picture shows."""
    return estimated is not None and given > _APART * estimated


def linear_part_given(what: Degradation, blur: float, estimated: float | None) -> LinearPart | None:
    """Return what can be undone exactly of a blur whose std was given, maybe not well.

    Of a std that is 20 % too large, an exact step makes ringing. So it is taken to be smaller if the picture shows
    clearly less. Undoing too little costs little.

    Args:
        what: all that happened to the picture.
        blur: std as it was given, in pixels of the result.
        estimated: std as the picture shows it; None = it shows none.
    """
    if estimated is None:
        return linear_part(what, blur)
    if looks_smaller(blur, estimated):
        smaller = max(estimated, blur / _LARGEST_MISTAKE)  # much fine texture looks like less blur
        return linear_part(what, smaller, LEAST_NOISE_ESTIMATED)
    return linear_part(what, blur, 0.0 if estimated > _APART * blur else LEAST_NOISE)
