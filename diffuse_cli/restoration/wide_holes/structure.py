"""Where the pieces come from that a hole is filled with, at its coarsest scale: lines and edges go on first.

Pieces of several sizes grow in from the rim. Of all of their shifts those with the least visible seams are taken.
"""

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import find_objects, label
from torch import Tensor

from .exemplars import Pieces, Sources, grown_in
from .patch_search import Draw
from .shifts import best_seams
from .widths import Mask

MOST_PIXELS = 2500
"""Most missing pixels of the coarsest scale."""
_PIECES = (Pieces(radius=3, farther=2.0), Pieces(radius=5, farther=0.5), Pieces(radius=7, farther=2.0))
_AROUND = 48
"""Pixels around a hole from which it is filled."""


def structured(x: Tensor, known: Tensor, draw: Draw | None) -> tuple[Tensor, Tensor] | None:
    """Return rows and columns (H, W) of the pixels that show each pixel; a known one shows itself.

    Args:
        x: (H, W, C), with an estimate of what is missing.
        known: (H, W) bool.
        draw: see `Pieces`.

    Returns:
        None if too little is known around a hole, or too much is missing.
    """
    if int((~known).sum()) > MOST_PIXELS:
        return None
    rows, columns = np.mgrid[: known.shape[0], : known.shape[1]]
    numbers, _ = label(~known.numpy(), structure=np.ones((3, 3)))
    for number, box in enumerate(find_objects(numbers), start=1):
        own = numbers == number
        rows_around, columns_around = (slice(max(span.start - _AROUND, 0), span.stop + _AROUND) for span in box)
        window = rows_around, columns_around
        sources = _of_one(x[window].numpy(), known[window].numpy(), own[window], draw)
        if sources is None:
            return None
        for target, source, span in zip((rows, columns), sources, window, strict=True):
            np.copyto(target[window], source + span.start, where=own[window])
    return torch.from_numpy(rows), torch.from_numpy(columns)


def _of_one(x: NDArray[np.float32], known: Mask, own: Mask, draw: Draw | None) -> Sources | None:
    """Return what shows each pixel of one hole (h, w)."""
    every = [grown_in(x, known, own, replace(pieces, draw=draw)) for pieces in _PIECES]
    proposals = [sources for sources in every if sources is not None]
    return best_seams(x, known, own, proposals) if proposals else None
