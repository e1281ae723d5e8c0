"""Local contrast: make detail stronger against a base that keeps its edges, at two radii."""

import torch
from torch import Tensor

from ...images.units import luma
from .guided import guided_filter

_RADII = (0.008, 0.03)
"""Of the windows, as shares of the longer side."""
_EPS = 0.02
"""Variance of encoded luma below which a window is flat: edges of more than about 0.3 are left as they are."""


def clarify(v: Tensor, amount: float) -> tuple[Tensor, Tensor]:
    """Strengthen local contrast in encoded luma, or soften it with amount < 0. Colours keep their ratios to luma.

    Args:
        v: (1, 3, H, W), encoded, 0..1.
        amount: -1..2; 0 = nothing changes.

    Returns:
        The picture, and the factor of noise in its luma (1, 1, H, W): g - (g - 1) a with g = 1 + amount. The base keeps
        the share a of noise, too.
    """
    before = luma(v)
    out, grown = before, torch.ones_like(before)
    for share in _RADII:
        radius = max(round(share * max(v.shape[-2:])), 1)
        base, kept = guided_filter(before, radius, _EPS)
        detail = before - base
        out = out + 0.5 * amount * detail
        grown = grown + 0.5 * amount * (1 - kept)
    # Towards black and white less, so that nothing is pushed over the ends.
    room = (4 * before.clamp(0, 1) * (1 - before.clamp(0, 1))).clamp(0, 1)
    return v + room * (out - before), 1 + room * (grown - 1)
