"""Where the pieces come from that a hole is filled with, at its coarsest scale: lines and edges go on first.

Pieces of several sizes grow in from the rim. Of all of their shifts those with the least visible seams are taken.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import find_objects, label
from torch import Tensor

from .exemplars import Sources, grown_in
from .shifts import best_seams
from .widths import Mask

MOST_PIXELS = 2500
"""Most missing pixels of the coarsest scale."""
_RADII = (3, 5, 7)
_AROUND = 48
"""Pixels around a hole from which it is filled."""


def structured(x: Tensor, known: Tensor) -> tuple[Tensor, Tensor] | None:
    """Return rows and columns (H, W) of the pixels that show each pixel; a known one shows itself.

    Args:
        x: (H, W, C), with an estimate of what is missing.
        known: (H, W) bool.

    Returns:
        None if too little is known around a hole.
    """
    rows, columns = np.mgrid[: known.shape[0], : known.shape[1]]
    numbers, _ = label(~known.numpy(), structure=np.ones((3, 3)))
    for number, box in enumerate(find_objects(numbers), start=1):
        own = numbers == number
        rows_around, columns_around = (slice(max(span.start - _AROUND, 0), span.stop + _AROUND) for span in box)
        window = rows_around, columns_around
        sources = _of_one(x[window].numpy(), known[window].numpy(), own[window])
        if sources is None:
            return None
        for target, source, span in zip((rows, columns), sources, window, strict=True):
            np.copyto(target[window], source + span.start, where=own[window])
    return torch.from_numpy(rows), torch.from_numpy(columns)


def _of_one(x: NDArray[np.float32], known: Mask, own: Mask) -> Sources | None:
    """Return what shows each pixel of one hole (h, w)."""
    every = [grown_in(x, known, own, radius) for radius in _RADII]
    proposals = [sources for sources in every if sources is not None]
    return best_seams(x, known, own, proposals) if proposals else None
