"""Two pictures composed into one, and how uncertain each pixel of it is."""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from ...degradation.noise_field import noise_field
from .matching import MOST_STOPS, MOST_STOPS_OF_A_THING, light_gains, lit, missing_blur, softened
from .membrane import corrected
from .placing import Layer
from .region import seam_distance

Blend = Literal["edge", "seam", "gradient", "alpha"]
_GRAIN_STAGE = 1 << 20
"""Which draw of noise the grain is; the samplers count theirs from 0."""
_SEAM = 1.0
"""Steps to each side of the seam in which nothing is believed."""
_MOST = 0.2
"""Std beside it, about as far as two photographs' detail differs."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Condition:
    """The condition of a picture, estimated.

    Attributes:
        noise: std of its noise, [-1, 1] units.
        blur: std of its blur, a Gaussian, in pixels; None = unknown.
    """

    noise: float
    blur: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Composed:
    """Two pictures composed.

    Attributes:
        x: (1, 3, H, W), [-1, 1].
        sigma_y: (1, 1, H, W), how far each pixel may be from the result: 0 = it is kept, inf = it is drawn anew.
        grain: (1, 3, H, W), noise that is added to the result, where the core takes too much of it or the insert has
            none.
        gains: factors of the insert's light in R, G and B.
        blurred: std of the blur of the insert, in pixels.
    """

    x: Tensor
    sigma_y: Tensor
    grain: Tensor
    gains: tuple[float, float, float]
    blurred: float


def compose(
    base: Tensor, layer: Layer, blend: Blend, band: int, *, of_base: Condition, of_layer: Condition, match: float,
    seed: int, gray: bool,
) -> Composed:  # fmt: skip
    """Put a layer into a picture.

    Args:
        base: (1, 3, H, W), [-1, 1]. It is kept where the layer covers nothing and the seam is farther than half the
            band.
        layer: the cut-out on the same canvas.
        blend: as in `tasks.compose.Compose`.
        band: width in pixels of what is drawn anew along the seam, both sides together.
        of_base: condition of the picture.
        of_layer: condition of the layer.
        match: share of the correction of the layer's light, 0..1.
        seed: of the grain.
        gray: the picture is gray, so its grain is gray too.

    Returns:
        The composition, before the core draws the band.
    """
    blurred = missing_blur(of_base.blur, of_layer.blur) if blend != "alpha" else 0.0
    most_stops = MOST_STOPS_OF_A_THING if blend == "edge" else MOST_STOPS
    gains = light_gains(base, layer, match, most_stops) if blend != "alpha" else (1.0, 1.0, 1.0)
    layer = softened(Layer(x=lit(layer.x, gains), cover=layer.cover), blurred)
    over = corrected(base, layer) if blend in ("seam", "gradient") else layer.x
    x = torch.where(layer.cover > 0, base + layer.cover * (over - base), base)
    left = of_layer.noise * (1 / (1 + 4 * math.pi * blurred**2) ** 0.5 if blurred else 1.0)
    noise = of_base.noise + layer.cover * (left - of_base.noise)
    sigma_y = torch.zeros_like(layer.cover)
    if blend == "seam":
        sigma_y = _uncertainty(layer.cover, band)
    if blend in ("edge", "seam") and left > of_base.noise:
        sigma_y = torch.maximum(sigma_y, torch.where(layer.cover > 0, layer.cover * left, 0.0))
    grain = torch.zeros_like(base) if blend == "alpha" else _grain(noise, sigma_y, of_base.noise, seed, gray)
    return Composed(x=x, sigma_y=sigma_y, grain=grain, gains=gains, blurred=blurred)


def _uncertainty(cover: Tensor, band: int) -> Tensor:
    """Return a std that rises from 0 at the band's borders to inf at the seam."""
    distance = seam_distance(cover, band // 2 + 1)
    near = (1 - distance / (band / 2)).clamp(0, 1)  # 0 at the borders, nearly 1 at the seam
    rise = _MOST * near**3
    if bool((distance > band / 2).all()):
        return torch.zeros_like(cover)
    return torch.where(distance <= _SEAM, math.inf, rise)


def _grain(noise: Tensor, sigma_y: Tensor, target: float, seed: int, gray: bool) -> Tensor:
    """Return the noise that the composition lacks beside the picture's own.

    The core takes noise away: noise of variance n^2 that is told as s^2 leaves about n^2 - s^2.
    """
    taken = torch.minimum(noise, torch.where(torch.isinf(sigma_y), noise, sigma_y))
    own = noise.new_tensor(target)  # rounded as `noise` is, so that nothing is missing where nothing is covered
    missing = (own**2 - noise**2 + taken**2).clamp_min(0).sqrt()
    field = noise_field((noise.shape[-2], noise.shape[-1]), seed=seed, step=_GRAIN_STAGE, gray=gray)
    return missing * torch.from_numpy(field)[None]
