"""Whether the marks that were found are wear, or things in the picture that look like it.

Wear lies anywhere. Things that look like marks lie where the picture has structure: ropes, branches, edges. So marks
in calm surroundings tell more than others, and many marks more than few. Long lines that the detector is sure of all
along are marks, too.
"""

import math
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..degradation.estimation.marks import is_calm

_SURE: Final = 2.94
"""Logit of a mark from which it counts in calm surroundings: 0.95."""
_AREA: Final = 384**2
"""Pixels of the pictures that the line below was fitted on. Larger ones have more of both kinds: the root is taken."""
_WEIGHTS: Final = (0.65, 2.31, 1.0)
_OFFSET: Final = -5.0
"""Of the three counts, as logarithms. The first two weights and the offset are a logistic regression on photographs
held out from training, clean, and with dust on 0.1 to 1 % or scratches on 0.2 to 2 %. The third one is set so that no
more of 70 clean crops count as worn than without it, which is 2.
"""
_LENGTH: Final = 40.0
"""Pixels of lines that count as one."""


class Counts(NamedTuple):
    """How many marks there are, how many of them are sure and lie in calm surroundings, and pixels of sure lines."""

    marks: int
    calm: int
    lines: int


def counted(measures: NDArray[np.float32], logits: NDArray[np.float32], lines: int) -> Counts:
    """Count marks.

    Args:
        measures: (N, F), of the candidates that were taken for marks, see degradation/estimation/marks.py.
        logits: (N,), the judge's.
        lines: pixels of long lines that the detector is sure of.
    """
    return Counts(len(logits), int((is_calm(measures) & (logits >= _SURE)).sum()), lines)


def evidence_of_wear(counts: Counts, pixels: int) -> float:
    """Return how surely a picture is worn: from 0 on it is.

    Args:
        counts: of its marks.
        pixels: of the picture.
    """
    larger = math.sqrt(max(pixels / _AREA, 1.0))
    every = (counts.marks, counts.calm, counts.lines / _LENGTH)
    return sum(weight * math.log1p(count / larger) for weight, count in zip(_WEIGHTS, every, strict=True)) + _OFFSET
