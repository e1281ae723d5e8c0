"""Enhance a picture: its new tone, and the noise that it has there."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from ...degradation.operators import blur
from ...images.srgb import encoded, linear
from ...images.units import LEVEL
from .clarity import clarify
from .curve import Curve
from .light_noise import LightNoise, light_noise, rounding
from .statistics import MOST_EXPOSURE, ToneStatistics, black_level, exposure, look
from .white_balance import gains

_SLOPE_BLUR = 1.5
"""Std, in pixels, of the blur under which the curve's slope is read."""
_WHITE = 0.998
_MOST_CLARITY = 0.5
_VEIL_CLARITY = 4.0
"""Clarity for a veil of so much light; half the light gone into a veil calls for the most of it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ToneOptions:
    """The tone that is asked for; "auto" = as the picture needs.

    Attributes:
        exposure: in stops.
        contrast: slope in the middle tones; "auto" = remove a veil.
        clarity: local contrast; 0 = as it is.
        balanced: make the light white.
        strength: share of all of it, 0..1.
    """

    exposure: "float | Literal['auto']" = "auto"
    contrast: "float | Literal['auto']" = "auto"
    clarity: "float | Literal['auto']" = "auto"
    balanced: bool = True
    strength: float = 1.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Tone:
    """How a picture's tone is changed.

    Attributes:
        curve: of its light.
        cast: degrees of colour that it removes from the light.
        lifted: stops by which the shadows are lifted beyond the exposure.
        stops: exposure.
        clarity: how much is added.
        noise: of the picture's light.
        level: std of that noise, in 8-bit levels, as visible as after the lift.
    """

    curve: Curve
    cast: float
    lifted: float
    stops: float
    clarity: float
    noise: LightNoise
    level: float


@dataclass(frozen=True, kw_only=True, slots=True)
class ToneResult:
    """A picture in its new tone.

    Attributes:
        x: (1, 3, H, W) in [-1, 1], not clipped.
        sigma: (1, 1, H, W), std of its noise in [-1, 1] units; None = no noise was found.
        stops: exposure.
        lifted: stops by which the shadows were lifted beyond it.
        cast: degrees of colour removed from the light.
        black: light of the veil that was removed.
        clarity: how much was added.
        slope: of the curve on encoded values, median over the picture.
        noise: std before, in 8-bit levels, as visible as after the lift.
        tone: how it was changed.
    """

    x: Tensor
    sigma: Tensor | None
    stops: float
    lifted: float
    cast: float
    black: float
    clarity: float
    slope: float
    noise: float
    tone: Tone

    @property
    def level(self) -> float:
        """Root mean square of its noise in 8-bit levels; 0 = none was found."""
        return 0.0 if self.sigma is None else float(self.sigma.square().mean().sqrt()) * LEVEL

    @property
    def is_untouched(self) -> bool:
        """Whether the tone is as it was."""
        return self.stops == self.lifted == self.cast == self.black == self.clarity == 0


def enhance(
    x: Tensor, wish: ToneOptions, *, depth: int, level: float | None = None, like: Tone | None = None
) -> ToneResult:
    """Give a picture another tone.

    Args:
        x: (1, 3, H, W) in [-1, 1], equal channels for a gray picture.
        wish: the tone that is asked for.
        depth: bits of the file, whose rounding is noise, too.
        level: std of the picture's noise in 8-bit levels; None = estimate it.
        like: the tone of another picture, which this one is to match; None = as the picture needs.
    """
    light = linear((x + 1) / 2)
    tone = _tone(light, wish, level) if like is None else like
    toned, sigma = _apply(light, tone.curve, tone.clarity, tone.noise, depth)
    return ToneResult(
        x=2 * toned - 1, sigma=None if tone.noise.is_none else 2 * sigma, stops=tone.stops, lifted=tone.lifted,
        cast=tone.cast, black=tone.curve.black, clarity=tone.clarity,
        slope=_median_slope(look(light, tone.noise, _WHITE), tone.curve), noise=tone.level, tone=tone,
    )  # fmt: skip


def _tone(light: Tensor, wish: ToneOptions, level: float | None) -> Tone:
    """Return the tone that is asked for, or that a picture needs."""
    rough = look(light, LightNoise(), _WHITE)
    stops = exposure(rough)[0] if wish.exposure == "auto" else wish.exposure
    brighter = max(2.0**stops, 1.0)
    noise, found = light_noise(light, brighter) if level is None else (_even(level), level)
    seen = look(light, noise, _WHITE)
    curve, cast, lifted = _curve(seen, noise, wish, stops)
    return Tone(
        curve=curve, cast=cast, lifted=lifted, stops=stops * wish.strength, clarity=_clarity(seen, curve, wish),
        noise=noise, level=found,
    )  # fmt: skip


def _even(level: float) -> LightNoise:
    """Return noise that is even in encoded values: nearly proportional to light, matched at middle gray."""
    return LightNoise(gain=(level / 255 / 1.2) ** 2 / 0.18)


def _curve(seen: ToneStatistics, noise: LightNoise, wish: ToneOptions, stops: float) -> tuple[Curve, float, float]:
    """Return the curve, the cast that it removes, and the lift in stops."""
    s = wish.strength
    if wish.exposure == "auto":
        stops, lift = exposure(seen)
    else:  # what the highlights have no room for lifts the shadows instead
        room = max(-_log2(seen.white), 0.0)
        stops, lift = min(wish.exposure, room), max(wish.exposure - room, 0.0)
        stops = max(stops, -MOST_EXPOSURE)
    white, cast = gains(seen.light, seen.usable) if wish.balanced else ((1.0, 1.0, 1.0), 0.0)
    room = 1.0
    if max(white) > 1:  # a channel at white stays there
        top = seen.light.flatten(2).amax(2)[0] * 2.0**stops
        room = min(1.0, *(float(1 / (t * w)) for t, w in zip(top, white, strict=True) if t * w > 1), 1.0)
    gain = tuple((w * room * 2.0**stops) ** s for w in white)
    veil = black_level(seen, noise) * 2.0**stops * s if wish.contrast == "auto" else 0.0
    curve = Curve(
        gain=(gain[0], gain[1], gain[2]),
        black=min(veil, 0.5),
        lift=2.0 ** (lift * s),
        contrast=1.0 if wish.contrast == "auto" else wish.contrast**s,
    )
    return curve, cast * s, lift * s


def _log2(x: float) -> float:
    return float(torch.tensor(x, dtype=torch.float64).log2())


def _clarity(seen: ToneStatistics, curve: Curve, wish: ToneOptions) -> float:
    if wish.clarity != "auto":
        return wish.clarity * wish.strength
    return min(_VEIL_CLARITY * curve.black, _MOST_CLARITY) * wish.strength


def _median_slope(seen: ToneStatistics, curve: Curve) -> float:
    v, step = encoded(seen.light), 0.01
    slope = (curve(linear(v + step)) - curve(linear(v - step))) / (2 * step)
    return float(slope.median())


def _apply(light: Tensor, curve: Curve, clarity: float, noise: LightNoise, depth: int) -> tuple[Tensor, Tensor]:
    """Return the toned picture (1, 3, H, W), encoded, and the std of its noise (1, 1, H, W), one for the channels."""
    v = curve(light)
    sigma = torch.zeros_like(v[:, :1])
    if not noise.is_none:
        smooth = blur(light, _SLOPE_BLUR)
        std = torch.hypot(noise.sigma(smooth), rounding(smooth, depth))
        carried, bias = curve.through(smooth, std, clips=bool(light.min() >= 0))
        v = v - bias
        sigma = carried.square().mean(1, keepdim=True).sqrt()
    if clarity:
        v, grown = clarify(v, clarity)
        sigma = sigma * grown
    return v, sigma
