"""Pictures whose JPEG blocks begin elsewhere than in the corner. The core has learned blocks that begin there."""

from dataclasses import dataclass, replace

import numpy as np
import torch.nn.functional as F
from torch import Tensor

from ..diffusion.inference import Run
from ..images.picture import Picture
from .problem import Problem

_SIDE = 8


@dataclass(frozen=True, kw_only=True, slots=True)
class OnGrid:
    """A problem whose picture was continued upwards and to the left, to where a block begins.

    Attributes:
        y: (1, 3, H, W).
        problem: the same problem, for that picture.
        top: rows that were added.
        left: columns that were added.
    """

    y: Tensor
    problem: Problem
    top: int = 0
    left: int = 0

    def run(self, run: Run) -> Run:
        """Return the run for that picture: its mean is continued, and its steps are told without what was added."""
        if self.top == self.left == 0:
            return run
        step, mean = run.on_step, run.mean
        told = None if step is None else lambda sigma, x: step(sigma, self.undone(x))
        return replace(run, mean=None if mean is None else self._continued(mean), on_step=told)

    def undone(self, x: Tensor) -> Tensor:
        """Return an estimate without what was added."""
        return x[..., self.top :, self.left :]

    def _continued(self, x: Tensor) -> Tensor:
        return F.pad(x, (self.left, 0, self.top, 0), mode="replicate")


def on_grid(y: Tensor, problem: Problem, picture: Picture) -> OnGrid:
    """Continue a picture to where a block of its JPEG begins, if the core is told of the JPEG.

    At odd origins that brings 0.04 to 0.06 dB for qualities 20 and 50.

    Args:
        y: (1, 3, H, W), the picture.
        problem: what is known about it.
        picture: the file's, or what is restored in its place.
    """
    same = OnGrid(y=y, problem=problem)
    guide = problem.guide
    if guide is None or guide.size is not None or guide.degradation.quality >= 100:
        return same
    row, column = guide.origin or _origin_of_file(picture)
    top, left = -row % _SIDE, -column % _SIDE
    if top == left == 0:
        return same
    hole = problem.hole
    if hole is not None:
        problem = replace(problem, hole=np.pad(hole, ((top, 0), (left, 0))))
    placed = OnGrid(y=y, problem=problem, top=top, left=left)
    return replace(placed, y=placed._continued(y))


def _origin_of_file(picture: Picture) -> tuple[int, int]:
    """Return where blocks begin in a JPEG as it is displayed: turned, its last block may be a part of one."""
    coding = picture.source.jpeg
    if coding is None:
        return 0, 0
    height, width = picture.pixels.shape[:2]
    row = height % _SIDE if coding.orientation in (3, 4, 7, 8) else 0
    return row, width % _SIDE if coding.orientation in (2, 3, 6, 7) else 0
