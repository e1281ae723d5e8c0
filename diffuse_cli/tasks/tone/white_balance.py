"""The colour of the light in a picture, by three published estimators that have to agree."""

import itertools
import math

import torch
from torch import Tensor

from ...images.srgb import LUMINANCE

_NORM = 6
_LEFT_ALONE = 5.0
"""Degrees of cast."""
_AGREE, _DISAGREE = 5.0, 10.0
"""Degrees between estimates: below the first all of the correction is made, half up to the second, then none."""


def light_colour(light: Tensor, usable: Tensor) -> Tensor:
    """Estimate by shades of gray: the Minkowski norm of each channel, p = 6 (Finlayson and Trezzi 2004).

    Args:
        light: (1, 3, H, W), linear.
        usable: (1, 1, H, W), 1 where a pixel is neither clipped nor lost in noise.

    Returns:
        (3,), unit length.
    """
    return _norm(light.clamp_min(0) * usable, usable)


def edge_colour(light: Tensor, usable: Tensor) -> Tensor:
    """Estimate by gray edges: the same norm of the derivatives (van de Weijer, Gevers, Gijsenij 2007)."""
    both = usable[..., 1:, 1:] * usable[..., :-1, :-1]
    down = light[..., 1:, 1:] - light[..., :-1, 1:]
    across = light[..., 1:, 1:] - light[..., 1:, :-1]
    return _norm(torch.sqrt(down**2 + across**2) * both, both)


def _norm(values: Tensor, usable: Tensor) -> Tensor:
    mean: Tensor = values.double().pow(_NORM).sum((0, 2, 3)) / usable.double().sum().clamp_min(1)
    return _unit(mean.pow(1 / _NORM))


def _unit(colour: Tensor) -> Tensor:
    return torch.nn.functional.normalize(colour, dim=0)


def angle(a: Tensor, b: Tensor) -> float:
    """Return the degrees between two colours."""
    cosine = float((a @ b) / (a.norm() * b.norm()).clamp_min(1e-12))
    return math.degrees(math.acos(min(max(cosine, -1.0), 1.0)))


def white_patch(light: Tensor, usable: Tensor) -> Tensor:
    """Estimate by the brightest hundredth (Land and McCann 1971): (3,), unit length."""
    brightness = light.sum(1).flatten() * usable.flatten()
    count = max(int(0.01 * float(usable.sum())), 1)
    colour = light.flatten(2)[0][:, brightness.topk(count).indices].double().mean(1)
    return _unit(colour)


def gains(light: Tensor, usable: Tensor) -> tuple[tuple[float, float, float], float]:
    """Return the factors of R, G and B that make the light white. Luminance stays about the same.

    Dominant colours such as grass or a sunset fool every estimator, but rarely in the same way. If two of the three
    differ by more than 5 degrees, half of the correction is made. Beyond 10 degrees none is made. The estimators err by
    about 5 degrees in white light, too. So a small cast is left, and only the excess of a larger one is removed.

    Args:
        light: (1, 3, H, W), linear.
        usable: (1, 1, H, W), 1 where a pixel is neither clipped nor lost in noise.

    Returns:
        The factors, and the cast in degrees that they remove.
    """
    if float(usable.sum()) < 0.02 * usable.numel():
        return (1.0, 1.0, 1.0), 0.0
    found = [light_colour(light, usable), edge_colour(light, usable), white_patch(light, usable)]
    seen = torch.stack(found).mean(0)
    gray = torch.ones(3, dtype=torch.float64) / math.sqrt(3)
    apart = max(angle(a, b) for a, b in itertools.combinations(found, 2))
    cast = min(angle(colour, gray) for colour in found)
    share = 0.0 if apart > _DISAGREE else 0.5 if apart > _AGREE else 1.0
    share *= max(cast - _LEFT_ALONE, 0.0) / max(cast, 1e-12)
    if share == 0 or float(seen.min()) < 0.1:  # a channel that is all but missing is no matter of the light
        return (1.0, 1.0, 1.0), 0.0
    raw = (seen[1] / seen) ** share
    kept = 1 / float(raw @ torch.tensor(LUMINANCE, dtype=torch.float64))
    red, green, blue = (float(g) * kept for g in raw)
    return (red, green, blue), share * cast
