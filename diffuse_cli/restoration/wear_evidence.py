"""Whether the marks that were found are wear, or things in the picture that look like it.

Wear lies anywhere. Things that look like marks lie where the picture has structure: ropes, branches, edges. So marks
in calm surroundings tell more than others, and many marks more than few.
"""

import math
from typing import Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage

from ..degradation.mask_shapes import grown
from ..degradation.operators import box_mean

_CALM: Final = 12.0
"""Std around a mark, in levels, up to which its surroundings are calm."""
_AROUND: Final = 7
"""Reach of these surroundings, in pixels."""
_SURE: Final = 2.94
"""Logit of a mark, at its surest pixel, from which it counts in calm surroundings: 0.95."""
_AREA: Final = 384**2
"""Pixels of the pictures that the line below was fitted on. Larger ones have more of both kinds: the root is taken."""
_LINE: Final = (1.67, 0.58, -4.72)
"""Weights of both counts, as logarithms, and an offset: a logistic regression on 45 photographs held out from the
detector's training, clean, and with dust on 0.1 to 1 % or scratches on 0.2 to 2 %. The offset spares nine in ten of the
clean ones; three in four of the worn ones are seen to be worn.
"""
_TOUCHING: Final = np.ones((3, 3), bool)


class Counts(NamedTuple):
    """How many marks there are, and how many of them are sure and lie in calm surroundings."""

    marks: int
    calm: int


def counted(luma: NDArray[np.float32], marks: NDArray[np.bool_], logits: NDArray[np.float32]) -> Counts:
    """Count marks.

    Args:
        luma: (H, W), in levels.
        marks: (H, W), as they were found.
        logits: (H, W), of the network, see diffusion/mark_detector.py.
    """
    labels, count = ndimage.label(marks, _TOUCHING)
    if not count:
        return Counts(0, 0)
    each = np.arange(1, count + 1)
    surest = np.asarray(ndimage.maximum(logits, labels, each))
    calm = np.asarray(ndimage.mean(_unrest(luma, marks), labels, each)) <= _CALM
    return Counts(count, int((calm & (surest >= _SURE)).sum()))


def _unrest(luma: NDArray[np.float32], marks: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return the std around each pixel, (H, W), of pixels that are no marks."""
    x, free = torch.from_numpy(luma)[None, None], torch.from_numpy(~grown(marks, 1))[None, None].float()
    share = box_mean(free, _AROUND).clamp_min(1e-3)
    mean = box_mean(free * x, _AROUND) / share
    square = box_mean(free * x * x, _AROUND) / share
    return np.asarray((square - mean * mean).clamp_min(0).sqrt()[0, 0].numpy())


def evidence_of_wear(counts: Counts, pixels: int) -> float:
    """Return how surely a picture is worn: from 0 on it is.

    Args:
        counts: of its marks.
        pixels: of the picture.
    """
    larger = math.sqrt(max(pixels / _AREA, 1.0))
    weights = (math.log1p(counts.marks / larger), math.log1p(counts.calm / larger), 1.0)
    return sum(a * b for a, b in zip(_LINE, weights, strict=True))
