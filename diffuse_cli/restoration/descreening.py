"""Halftone screens taken out of a picture, as far as a filter can: the core does the rest."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, gaussian_filter1d

from ..degradation.estimation.screen import Frequency, Screen, amplitude_in
from ..images.picture import Picture
from ..images.units import LEVEL
from .finishing import extend_colour_under_alpha

_WIDTH: Final = 0.25
"""Std of a notch, as a share of the screen's frequency. Detail shifts the dots, so their carriers are not sharp."""
_STRONG: Final = 50.0
"""Levels: the notches of a screen of less amplitude are narrower, as less of their sides shows."""
_BLUR: Final = 0.12
"""Std of a blur that takes the rings which notches leave of hard dots, as a share of the period."""
_REMAINS: Final = 0.12
"""What remains of the dots, as a share of what was removed."""
_ROSETTE: Final = 0.05
"""Std of the notches between two inks' carriers, as a share of the frequency."""
_BETWEEN: Final = (0.4, 2.0)
"""Such frequencies, as shares of the carriers': what is lower is the picture's."""
_ABSENT: Final = 1.5
"""Levels: a screen of less amplitude is not in this channel. An ink shows in one or two of three."""
_ORDERS: Final = 8

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True)
class Descreened:
    """A picture whose dots are filtered out.

    Attributes:
        picture: the same picture without dots.
        remains: rms of what remains of the dots, in 8-bit levels, as far as it can be known.
    """

    picture: Picture
    remains: float


def descreened(picture: Picture, screens: Sequence[Screen]) -> Descreened:
    """Take screens out of a picture by notches at all sums of their carriers, and blur what is left of hard dots.

    Of nine blurs and noise levels that the core was told after it, this measured best for cells of 3 to 8 pixels.

    Args:
        picture: the file's.
        screens: that were found in it; at least one.
    """
    pixels = extend_colour_under_alpha(picture).pixels
    smooth = np.empty_like(pixels)
    for channel in range(pixels.shape[2]):
        smooth[..., channel] = _without_dots(pixels[..., channel], screens)
    removed = LEVEL * float(np.sqrt(((smooth - pixels).astype(np.float64) ** 2).mean()))
    return Descreened(picture=replace(picture, pixels=smooth), remains=_REMAINS * removed)


def _without_dots(plane: NDArray[np.float32], screens: Sequence[Screen]) -> Floats:
    """Return a channel without the screens that show in it."""
    smooth = plane.astype(np.float64)
    amplitudes = [amplitude_in(LEVEL * smooth, screen) for screen in screens]
    strength = min(1.0, math.hypot(*amplitudes) / _STRONG)
    shown = [screen for screen, amplitude in zip(screens, amplitudes, strict=True) if amplitude >= _ABSENT]
    for screen in shown:
        width = _WIDTH * math.sqrt(strength) / screen.period
        smooth = smooth - _waves(smooth, _lattice(screen, 0.5 + 2 * width), width)
    for one, other in combinations(shown, 2):
        smooth = smooth - _waves(smooth, _between(one, other), _ROSETTE / one.period)
    longest = max((screen.period for screen in shown), default=0.0)
    blurred: Floats = gaussian_filter(smooth, _BLUR * strength**2 * longest, mode="nearest")
    return blurred


def _waves(plane: Floats, frequencies: Iterable[Frequency], width: float) -> Floats:
    """Return the waves of some frequencies in a channel, each with the amplitude that it has nearby.

    The amplitudes are Gaussian means. At the borders they are means of what there is, so the waves go on to the edge.

    Args:
        plane: (H, W).
        frequencies: and their negatives.
        width: std of the notches, in cycles a pixel.
    """
    from scipy import fft

    reach = 1 / (2 * math.pi * width)
    smooth = reach * 2 * math.pi * _WIDTH
    detail = plane - gaussian_filter(plane, smooth, mode="constant") / _inside(plane.shape, smooth)
    size = [fft.next_fast_len(n + math.ceil(4 * reach), real=True) for n in plane.shape]
    down, across = fft.fftfreq(size[0]), fft.rfftfreq(size[1])
    share = np.zeros((len(down), len(across)))
    for y, x in frequencies:
        share += np.outer(_bell(down - y, width), _bell(across - x, width))
    waves = fft.irfft2(fft.rfft2(detail, s=size) * np.minimum(share, 1), s=size)
    found: Floats = waves[: plane.shape[0], : plane.shape[1]] / _inside(plane.shape, reach)
    return found


def _inside(shape: tuple[int, ...], std: float) -> Floats:
    """Return the share of a Gaussian around each pixel that lies in the picture."""
    rows, columns = (gaussian_filter1d(np.ones(n), std, mode="constant") for n in shape)
    share: Floats = np.outer(rows, columns)
    return share


def _bell(distance: Floats, std: float) -> Floats:
    bell: Floats = np.exp(-0.5 * (distance / std) ** 2)
    return bell


def _lattice(screen: Screen, most: float) -> Iterator[Frequency]:
    """Yield the sums of a screen's carriers up to a frequency, without zero."""
    (p, q), (r, s) = screen.carriers
    for i in range(-_ORDERS, _ORDERS + 1):
        for j in range(-_ORDERS, _ORDERS + 1):
            y, x = i * p + j * r, i * q + j * s
            if (i, j) != (0, 0) and max(abs(y), abs(x)) <= most:
                yield y, x


def _between(one: Screen, other: Screen) -> Iterator[Frequency]:
    """Yield the differences of two screens' carriers, with both signs: where inks overlap, they make rosettes."""
    least, most = (share / one.period for share in _BETWEEN)
    for y, x in one.carriers:
        for a, b in other.carriers:
            for sign in (1, -1):
                down, across = y + sign * a, x + sign * b
                if least <= math.hypot(down, across) <= most:
                    yield down, across
                    yield -down, -across
