"""Gradient-domain blending: the cut-out plus a smooth correction that makes it meet the picture at the seam."""

import math

import torch
from torch import Tensor

from ...degradation.mask_shapes import steps_inside
from ...degradation.operators import blur
from ...diffusion.fill import pull_push
from .placing import Layer

_RIM = 2
_SMOOTHING = 1.5
_EDGES = 0.8
"""Share of the rim's pixels, by the picture's gradient, that count: across an edge its colour would be dragged in."""


def corrected(base: Tensor, layer: Layer) -> Tensor:
    """Correct a layer by a membrane, so that its seam does not show.

    This is seamless cloning (Perez et al. 2003) with the membrane of Farbman et al. 2009: insert + fill of (base -
    insert). The pull-push fill of the difference along the rim stands in for its harmonic interpolation.

    Returns:
        (1, 3, H, W), for where the layer covers.
    """
    inside = layer.cover >= 0.5
    steps = steps_inside(inside, _RIM + 1)
    rim = (steps > 0) & (steps <= _RIM)
    if not rim.any():
        return layer.x
    smooth = blur(base, _SMOOTHING)
    own = blur(layer.x * layer.cover, _SMOOTHING) / blur(layer.cover, _SMOOTHING).clamp_min(1e-3)
    rim &= _gradient(smooth) <= torch.quantile(_gradient(smooth)[rim], _EDGES)
    difference = torch.where(rim, smooth - own, 0.0)
    fill = pull_push(difference, torch.where(rim, 0.0, math.inf))[0]
    return layer.x + blur(fill, 2.0)


def _gradient(x: Tensor) -> Tensor:
    """Return the length of the gradient of (B, 3, H, W), all channels together: (B, 1, H, W)."""
    down = torch.nn.functional.pad(x[..., 1:, :] - x[..., :-1, :], (0, 0, 0, 1))
    across = torch.nn.functional.pad(x[..., 1:] - x[..., :-1], (0, 1))
    return (down**2 + across**2).sum(1, keepdim=True).sqrt()
