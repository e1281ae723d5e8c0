"""Match a cut-out to a picture: the light of its surroundings, their sharpness, and their grain.

It is matched before it is blended, as in Sunkavalli et al. 2010, "Multi-scale image harmonization".
"""

import math

import torch
from torch import Tensor

from ...degradation.mask_shapes import steps_inside
from ...degradation.operators import blur
from ...images.srgb import encoded, linear
from .placing import Layer

MOST_STOPS, _MOST_TINT = 2.0, 0.4
"""How far exposure, and each channel's part in it, is moved: what lies beside the seam may have another colour."""
MOST_STOPS_OF_A_THING = 1.0
"""The same of a cut-out with an edge of its own, which may well be darker or brighter than what is behind it."""
_RIM = 0.08
"""Width of the rims that are compared, of the shorter side of what is covered."""
_DARKEST = 0.003
_LEAST_BLUR = 0.3


def rim_width(cover: Tensor) -> int:
    """Return the width in pixels, 4 to 48, of the rims that are compared."""
    inside = cover[0, 0] >= 0.5
    rows, columns = int(inside.any(1).sum()), int(inside.any(0).sum())
    return min(max(round(_RIM * min(rows, columns)), 4), 48)


def light_gains(base: Tensor, layer: Layer, share: float, most_stops: float = MOST_STOPS) -> tuple[float, float, float]:
    """Return the factors of the layer's R, G and B in linear light.

    They are the ratio, outside to inside, of the means of the logarithm beside the seam.

    Args:
        base: (1, 3, H, W), [-1, 1].
        layer: the cut-out on the same canvas.
        share: share of the correction, 0..1.
        most_stops: how far exposure is corrected, before the share is taken.
    """
    width, inside = rim_width(layer.cover), layer.cover >= 0.5
    in_steps, out_steps = steps_inside(inside, width + 1), steps_inside(~inside, width + 1)
    within = (in_steps > 0) & (in_steps <= width) & (layer.cover > 0.99)
    around = (out_steps > 0) & (out_steps <= width) & (layer.cover == 0)
    if not (within.any() and around.any()):
        return 1.0, 1.0, 1.0

    def mean_log(x: Tensor, where: Tensor) -> Tensor:
        light = linear((x[:, :, where[0, 0]] + 1) / 2).clamp_min(_DARKEST)
        return light.log2().mean(2)[0]

    apart = mean_log(base, around) - mean_log(layer.x, within)
    exposure = apart.mean().clamp(-most_stops, most_stops)
    stops = (exposure + (apart - apart.mean()).clamp(-_MOST_TINT, _MOST_TINT)) * share
    red, green, blue = (2.0**s for s in stops.tolist())
    return red, green, blue


def lit(x: Tensor, gains: tuple[float, float, float]) -> Tensor:
    """Return a picture (1, 3, H, W) in [-1, 1] under another light. White stays white: the curve has a shoulder."""
    if gains == (1.0, 1.0, 1.0):
        return x
    g = torch.tensor(gains)[:, None, None]
    light = linear((x + 1) / 2)
    brighter = g * light / (1 + (g - 1).clamp_min(0) * light.clamp_min(0) ** 2)
    return 2 * encoded(brighter) - 1


def missing_blur(base: float | None, insert: float | None) -> float:
    """Return the std of the Gaussian that makes a sharper cut-out as soft as the picture; 0 = it is not sharper."""
    if base is None or insert is None or base <= insert:
        return 0.0
    std = math.sqrt(base**2 - insert**2)
    return std if std >= _LEAST_BLUR else 0.0


def softened(layer: Layer, std: float) -> Layer:
    """Return the layer blurred, with its colours weighted by what they cover."""
    if std == 0:
        return layer
    weight = blur(layer.cover, std).clamp_min(1e-3)
    x = torch.where(layer.cover > 0, blur(layer.x * layer.cover, std) / weight, layer.x)
    return Layer(x=x, cover=layer.cover)
