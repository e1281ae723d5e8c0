"""What a picture's tone lacks, read from smoothed linear light. A picture that lacks nothing stays as it is."""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ...degradation.operators import blur
from ...images.srgb import luminance
from .light_noise import LightNoise

MIDDLE = 0.18
"""Light of middle gray."""
MOST_EXPOSURE = 6.0
_LONG_EDGE = 1024
_SMOOTHING = 1.5
"""Std of the blur, in pixels, under which tone is read: noise is down by a factor of 5."""
_WHITE_SHARE = 0.001
_BLACK_SHARE = 0.001
_LIFT_BEYOND, _MOST_LIFT = 2.0, 1.0
"""Stops: how much too dark a picture is left whose highlights are white, and how much more is lifted at most."""
_FAINTEST_EXPOSURE, _PLAIN_EXPOSURE = 0.2, 0.5
_BRIGHT = 1.0
"""Stops by which the middle of a well exposed picture may lie above middle gray."""
_VEIL = 0.012
"""Light of the darkest pixels, beyond which it counts as a veil: a tenth of the way to white in encoded values."""
_MARK = 3
"""Half the width of a mark in pixels."""
_MOST_MARKED = 0.02
"""Of a picture, which dark marks cover at most."""
_MOST_TINT = 4.0
"""The most veil of a channel, as a multiple of the least."""
_WINDOW, _SHAPE, _SHAPES = 16, 0.25, 0.03
"""A picture shows things if, in a share of it, tones within a part of its shorter side differ by a share of all."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ToneStatistics:
    """Statistics that the tone is read from.

    Attributes:
        light: (1, 3, h, w), linear, smoothed.
        usable: (1, 1, h, w), 1 where a pixel is neither clipped nor lost in noise.
        noise: share of white noise's std that the smoothing leaves.
        black: light that all but a thousandth of the pixels stay above, one channel each.
        white: light of the brightest channel that all but a thousandth of the pixels stay below.
    """

    light: Tensor
    usable: Tensor
    noise: float
    black: tuple[float, float, float]
    white: float


def look(light: Tensor, noise: LightNoise, white: float, *, worn: bool = False) -> ToneStatistics:
    """Smooth a picture, and shrink it to a size that tells as much.

    Args:
        light: (1, 3, H, W), linear.
        noise: of the light.
        white: light from which on a channel counts as clipped.
        worn: a print with marks. What is dark and narrow is none of its blacks.
    """
    factor = max(max(light.shape[-2:]) // _LONG_EDGE, 1)
    clipped = (light.amax(1, keepdim=True) >= white).to(light.dtype)
    small = F.avg_pool2d(light, factor) if min(light.shape[-2:]) >= factor else light
    lost = F.max_pool2d(clipped, factor) if small is not light else clipped
    smooth = blur(small, _SMOOTHING)
    left = 1 / (2 * math.sqrt(math.pi) * _SMOOTHING * factor)  # what the smoothing leaves of white noise
    dark = smooth.amin(1, keepdim=True) <= 3 * left * noise.sigma(smooth).amax(1, keepdim=True)
    usable = (1 - lost) * (~dark).to(light.dtype)
    black = _black(light, smooth, noise)
    black = _wide_black(smooth, black) if worn else black
    return ToneStatistics(light=smooth, usable=usable, noise=left, black=black, white=_white(light, smooth, noise))


def _black(light: Tensor, smooth: Tensor, noise: LightNoise) -> tuple[float, float, float]:
    """Return the black point of each channel, as `_white` does. Smoothing makes small dark things lighter."""

    def of(channel: int) -> float:
        sharp = quantile(light[:, channel], _BLACK_SHARE)
        sharp += 3 * float(noise.sigma(torch.tensor(max(sharp, 0.0))))
        return min(quantile(smooth[:, channel], _BLACK_SHARE), sharp)

    return of(0), of(1), of(2)


def _wide_black(smooth: Tensor, black: tuple[float, float, float]) -> tuple[float, float, float]:
    """Return the black point of each channel of what is no mark, by a morphological closing.

    Marks are few. Where more is dark and narrow, it belongs to the picture, and the plain black point holds.
    """
    across = 2 * _MARK + 1
    wide = -F.max_pool2d(-F.max_pool2d(smooth, across, 1, _MARK), across, 1, _MARK)
    red, green, blue = (quantile(wide[:, channel], _BLACK_SHARE) for channel in range(3))
    darker = smooth.amin(1) < min(red, green, blue) / 2
    return black if float(darker.float().mean()) > _MOST_MARKED else (red, green, blue)


def _white(light: Tensor, smooth: Tensor, noise: LightNoise) -> float:
    """Return the white point, from the sharp picture, which has the small highlights.

    Its brightest pixels have noise in them, of 3 stds at most.
    """
    sharp = quantile(light.amax(1), 1 - _WHITE_SHARE)
    sharp -= 3 * float(noise.sigma(torch.tensor(max(sharp, 0.0))))
    return max(quantile(smooth.amax(1), 1 - _WHITE_SHARE), sharp, 1e-4)


def exposure(seen: ToneStatistics) -> tuple[float, float]:
    """Return the stops of gain, and of lift of the shadows beyond it.

    The mean of the logarithm between the 5th and 95th percentile goes towards middle gray, as far as the highlights
    leave room. Bright pictures stay as they are: snow is bright.
    """
    y = luminance(seen.light).flatten().clamp_min(1e-5)
    low, high = quantile(y, 0.05), quantile(y, 0.95)
    mean = float(y[(y >= low) & (y <= high)].log2().mean())
    wanted, room = math.log2(MIDDLE) - mean, max(-math.log2(seen.white), 0.0)
    gain = min(max(min(wanted + _BRIGHT, room), 0.0), MOST_EXPOSURE)
    lift = min(max(wanted - gain - _LIFT_BEYOND, 0.0), _MOST_LIFT)
    return gain * _ramp(gain, _FAINTEST_EXPOSURE, _PLAIN_EXPOSURE), lift


def black_level(seen: ToneStatistics, noise: LightNoise) -> tuple[float, float, float]:
    """Return the light of a veil in each channel; 0 = too thin to tell.

    It is the light of the darkest thousandth, less the share of the noise. Whether there is a veil is told by the
    darkest channel. The others have more of it where dyes have faded, but not much more: a picture may have no dark
    red at all. A sky alone has none: its darkest tone is not that of black things.
    """
    if not _shows_things(seen.light):
        return 0.0, 0.0, 0.0

    def of(darkest: float) -> float:
        return max(darkest - 2 * seen.noise * float(noise.sigma(torch.tensor(darkest))), 0.0)

    found = [of(darkest) for darkest in seen.black]
    least = min(found)
    share = _ramp(least / seen.white, _VEIL, 3 * _VEIL)
    red, green, blue = (share * min(level, _MOST_TINT * least) for level in found)
    return red, green, blue


def _shows_things(light: Tensor) -> bool:
    """Return whether a picture is more than a smooth surface, like a sky or a wall."""
    tones = luminance(light).clamp_min(0).sqrt()
    height, width = tones.shape[-2:]
    side = max(min(height, width) // _WINDOW, 2)
    window = min(side, height), min(side, width)
    span = F.max_pool2d(tones, window, 1) + F.max_pool2d(-tones, window, 1)
    most = quantile(tones, 1 - _WHITE_SHARE) - quantile(tones, _BLACK_SHARE)
    return float((span > _SHAPE * most).float().mean()) > _SHAPES


def _ramp(value: float, low: float, high: float) -> float:
    return min(max((value - low) / (high - low), 0.0), 1.0)


def quantile(x: Tensor, share: float) -> float:
    """Return the number that a share of all numbers lies below."""
    return float(x.flatten().kthvalue(min(int(share * x.numel()) + 1, x.numel())).values)
