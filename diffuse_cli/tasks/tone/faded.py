"""Faded prints, told from low-key, foggy and plainly lit photographs.

Both have light blacks. A print's blacks were one black once, so its darkest tones lie close together. Its whites are
those of paper: bright, and not clipped.
"""

from torch import Tensor

from ...degradation.operators import blur
from ...images.units import LEVEL
from .statistics import quantile

_SMOOTHING = 1.0
"""Std of the blur, in pixels, under which tones are read: grain must not spread them."""
_TONES = (0.001, 0.05, 0.99, 0.999)
"""Quantiles: the darkest tone, up to where blacks reach, paper, and the lightest tone."""
_BLACKS = 0.2
"""Share of all tones that the darkest twentieth of the pixels spans, at most."""
_PAPER = 140.0
"""Least 8-bit level of paper."""
_CLIPPED = 250.0
LEAST_VEIL = 0.005
"""Least light of a veil."""


def is_faded(x: Tensor, veil: float) -> bool:
    """Return whether a picture with a veil is surely a faded print.

    Args:
        x: (1, 3, H, W), [-1, 1].
        veil: its light.
    """
    levels = (blur(x, _SMOOTHING).mean(1) + 1) * LEVEL
    black, dark, paper, lightest = (quantile(levels, share) for share in _TONES)
    is_print = dark - black <= _BLACKS * (lightest - black) and paper >= _PAPER and lightest <= _CLIPPED
    return veil >= LEAST_VEIL and bool(is_print)
