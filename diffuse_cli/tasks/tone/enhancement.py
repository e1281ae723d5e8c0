"""Enhance a picture: its new tone, and the noise that it has there."""

from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

from ...degradation.operators import blur
from ...images.srgb import encoded, linear
from ...images.units import LEVEL
from .clarity import clarify
from .curve import Curve
from .light_noise import LightNoise, light_noise, rounding
from .saturation import chroma, chroma_growth, saturate
from .statistics import MOST_EXPOSURE, ToneStatistics, black_level, exposure, look
from .white_balance import gains

_SLOPE_BLUR = 1.5
"""Std, in pixels, of the blur under which the curve's slope is read."""
_WHITE = 0.998
_MOST_CLARITY = 0.5
_CHROMA = 0.06
"""Chroma of a photograph of quiet colours. Fewer than half of all have less."""
_GRAY = 0.012
"""Less is a gray picture, toned or not."""
_MOST_SATURATION = 1.6
_PLAIN_VEIL = 0.02
"""Light of a veil from which on dull colours are its doing."""
_VEIL_CLARITY = 4.0
"""Clarity for a veil of so much light; half the light gone into a veil calls for the most of it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ToneOptions:
    """The tone that is asked for; "auto" = as the picture needs.

    Attributes:
        exposure: in stops.
        contrast: slope in the middle tones; "auto" = remove a veil.
        clarity: local contrast; 0 = as it is.
        saturation: factor of the colours; "auto" = dull ones come back where a veil was.
        balanced: make the light white.
        worn: it is a print with marks, which count for nothing. Where no veil is found, nothing changes.
        strength: share of all of it, 0..1.
    """

    exposure: "float | Literal['auto']" = "auto"
    contrast: "float | Literal['auto']" = "auto"
    clarity: "float | Literal['auto']" = "auto"
    saturation: "float | Literal['auto']" = "auto"
    balanced: bool = True
    worn: bool = False
    strength: float = 1.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Tone:
    """How a picture's tone is changed.

    Attributes:
        curve: of each channel's light.
        clarity: local contrast that is added.
        saturation: factor of the colours.
    """

    curve: Curve
    clarity: float = 0.0
    saturation: float = 1.0

    def __call__(self, x: Tensor) -> Tensor:
        """Change the tone of a picture (1, 3, H, W) in [-1, 1]. The result is not clipped."""
        return 2 * saturate(self.sharpened(self.curve(linear((x + 1) / 2)))[0], self.saturation) - 1

    def sharpened(self, v: Tensor) -> tuple[Tensor, Tensor | float]:
        """Add the clarity to encoded values (1, 3, H, W), and return the factor of their noise, too."""
        return clarify(v, self.clarity) if self.clarity else (v, 1.0)


@dataclass(frozen=True, kw_only=True, slots=True)
class ToneResult:
    """A picture in its new tone.

    Attributes:
        x: (1, 3, H, W) in [-1, 1], not clipped.
        tone: what was changed.
        sigma: (1, 1, H, W), std of its noise in [-1, 1] units; None = no noise was found.
        stops: exposure.
        lifted: stops by which the shadows were lifted beyond it.
        cast: degrees of colour removed from the light.
        slope: of the curve on encoded values, median over the picture.
        noise: std before, in 8-bit levels, as visible as after the lift.
        light_noise: the noise of the picture's light.
    """

    x: Tensor
    tone: Tone
    sigma: Tensor | None
    stops: float
    lifted: float
    cast: float
    slope: float
    noise: float
    light_noise: LightNoise

    @property
    def level(self) -> float:
        """Root mean square of its noise in 8-bit levels; 0 = none was found."""
        return 0.0 if self.sigma is None else float(self.sigma.square().mean().sqrt()) * LEVEL

    @property
    def is_untouched(self) -> bool:
        """Whether the tone is as it was."""
        return self.stops == self.lifted == self.cast == 0 and self.tone == Tone(curve=Curve(gain=self.tone.curve.gain))

    @property
    def black(self) -> float:
        """Light of the veil that was removed, in the channel that has the least."""
        return min(self.tone.curve.black)


def enhance(
    x: Tensor, wish: ToneOptions, *, depth: int, level: float | None = None, like: ToneResult | None = None
) -> ToneResult:
    """Give a picture another tone.

    Args:
        x: (1, 3, H, W) in [-1, 1], equal channels for a gray picture.
        wish: the tone that is asked for.
        depth: bits of the file, whose rounding is noise, too.
        level: std of the picture's noise in 8-bit levels; None = estimate it.
        like: a picture whose tone and noise this one is to have; None = as it needs.
    """
    light = linear((x + 1) / 2)
    if like is not None:
        toned, sigma = _apply(light, like.tone, like.light_noise, depth)
        return replace(like, x=2 * toned - 1, sigma=None if like.light_noise.is_none else 2 * sigma)
    rough = look(light, LightNoise(), _WHITE)
    stops = exposure(rough)[0] if wish.exposure == "auto" else wish.exposure
    brighter = max(2.0**stops, 1.0)
    noise, found = light_noise(light, brighter) if level is None else (_even(level), level)
    seen = look(light, noise, _WHITE, worn=wish.worn)
    curve, cast, lifted = _curve(seen, noise, wish, stops)
    tone = Tone(curve=curve, clarity=_clarity(seen, curve, wish), saturation=_saturation(seen, curve, wish))
    toned, sigma = _apply(light, tone, noise, depth)
    return ToneResult(
        x=2 * toned - 1, tone=tone, sigma=None if noise.is_none else 2 * sigma, stops=stops * wish.strength,
        lifted=lifted, cast=cast, slope=_median_slope(seen, curve), noise=found,
        light_noise=noise,
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
    veil = black_level(seen, noise) if wish.contrast == "auto" else (0.0, 0.0, 0.0)
    balanced = wish.balanced and (max(veil) > 0 or not wish.worn)
    bare = (seen.light - torch.tensor(veil)[:, None, None]).clamp_min(0)
    white, cast = gains(bare, seen.usable) if balanced else ((1.0, 1.0, 1.0), 0.0)
    room = 1.0
    if max(white) > 1:  # a channel at white stays there
        top = seen.light.flatten(2).amax(2)[0] * 2.0**stops
        room = min(1.0, *(float(1 / (t * w)) for t, w in zip(top, white, strict=True) if t * w > 1), 1.0)
    gain = tuple((w * room * 2.0**stops) ** s for w in white)
    black = tuple(min(g * level * s, 0.5) for g, level in zip(gain, veil, strict=True))
    curve = Curve(
        gain=(gain[0], gain[1], gain[2]),
        black=(black[0], black[1], black[2]),
        lift=2.0 ** (lift * s),
        contrast=1.0 if wish.contrast == "auto" else wish.contrast**s,
    )
    return curve, cast * s, lift * s


def _log2(x: float) -> float:
    return float(torch.tensor(x, dtype=torch.float64).log2())


def _clarity(seen: ToneStatistics, curve: Curve, wish: ToneOptions) -> float:
    if wish.clarity != "auto":
        return wish.clarity * wish.strength
    return min(_VEIL_CLARITY * min(curve.black), _MOST_CLARITY) * wish.strength


def _saturation(seen: ToneStatistics, curve: Curve, wish: ToneOptions) -> float:
    """Return the factor of the colours. Where a veil was, dull ones come back to what photographs have."""
    if wish.saturation != "auto":
        return float(wish.saturation**wish.strength)
    share = min(min(curve.black) / _PLAIN_VEIL, 1.0)  # nothing dulls a picture without a veil
    found = chroma(curve(seen.light))
    if found < _GRAY or share == 0:
        return 1.0
    factor = min(max(_CHROMA / found, 1.0), _MOST_SATURATION)
    return float(factor ** (share * wish.strength))


def _median_slope(seen: ToneStatistics, curve: Curve) -> float:
    v, step = encoded(seen.light), 0.01
    slope = (curve(linear(v + step)) - curve(linear(v - step))) / (2 * step)
    return float(slope.median())


def _apply(light: Tensor, tone: Tone, noise: LightNoise, depth: int) -> tuple[Tensor, Tensor]:
    """Return the toned picture (1, 3, H, W), encoded, and the std of its noise (1, 1, H, W), one for the channels."""
    v = tone.curve(light)
    sigma = torch.zeros_like(v[:, :1])
    if not noise.is_none:
        smooth = blur(light, _SLOPE_BLUR)
        std = torch.hypot(noise.sigma(smooth), rounding(smooth, depth))
        carried, bias = tone.curve.through(smooth, std, clips=bool(light.min() >= 0))
        v = v - bias
        sigma = carried.square().mean(1, keepdim=True).sqrt()
    v, grown = tone.sharpened(v)
    return saturate(v, tone.saturation), sigma * grown * chroma_growth(tone.saturation)
