"""Problems that a text-conditioned pipeline solves: holes in windows of their own, and pictures drawn again."""

import logging
from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor

from ..degradation.operators import resize
from ..diffusion.foreign.text import TextModel
from ..diffusion.inference import Run, part_of
from ..diffusion.tiling import copied_picture
from ..diffusion.windowed_observation import filled_picture
from ..errors import PictureError
from .hole_windows import windows_around
from .problem import AsTrained, Problem

log = logging.getLogger("diffuse_cli")

_CONTEXT: Final = 1.5
"""Sides of the window around a wide hole, in those of the hole. More would be drawn smaller, and so softer."""
_SHRUNK: Final = 1.5
"""A factor of shrinking from which it is told: what is drawn is that much softer than the picture."""


def drawn_by(model: TextModel, y: Tensor, problem: Problem, run: Run, *, gray: bool) -> Tensor:
    """Return a picture with its hole filled, or drawn again where the problem says so. The other pixels are y's.

    Args:
        model: the pipeline, told its prompt.
        y: (1, 3, h, w), the picture.
        problem: a hole; or `AsTrained`, with a hole where the picture may change, None = everywhere.
        run: how to compute. One step asks for a mean, which there is not: the picture.
        gray: the picture's channels are equal.

    Raises:
        PictureError: all of the picture is missing, the folder's safety checker holds the result back, or it is not
            finite.
    """
    if run.settings.steps == 1:
        return y
    hole = None if problem.hole is None else torch.from_numpy(problem.hole)
    if isinstance(problem.observation, AsTrained):
        made = _repainted(model, y, run)
        made = made.mean(1, keepdim=True).expand(-1, 3, -1, -1) if gray else made
        return made if hole is None else torch.where(hole, made, y)
    if problem.hole is None or hole is None or not problem.has_hole:
        return y
    if bool(hole.all()):
        raise PictureError("all of the picture is to be filled; diffuse generate draws from a prompt alone")
    x, left = copied_picture(y), hole.clone()
    windows = windows_around(problem.hole, model.header.side, _CONTEXT)
    for k, (rows, columns) in enumerate(windows):
        part = run.part(k / len(windows), (k + 1) / len(windows))
        made = _filled(model, x[..., rows, columns], left[rows, columns], part)
        made = made.mean(1, keepdim=True).expand(-1, 3, -1, -1) if gray else made
        x[..., rows, columns] = torch.where(left[rows, columns], made, x[..., rows, columns])
        left[rows, columns] = False
    return x


def _filled(model: TextModel, y: Tensor, hole: Tensor, run: Run) -> Tensor:
    """Return what a window (1, 3, h, w) becomes with its hole (h, w) drawn."""
    size = (y.shape[-2], y.shape[-1])
    fitting = model.fitting(size)
    _tell(size, fitting)
    seen = resize(filled_picture(y, hole), fitting).clamp(-1, 1)
    mask = F.adaptive_max_pool2d(hole[None, None].float(), fitting)
    made = model.filled(seen, mask, run.settings, part_of(run.progress, 0, 1))
    return made if fitting == size else resize(made, size)


def _repainted(model: TextModel, y: Tensor, run: Run) -> Tensor:
    size = (y.shape[-2], y.shape[-1])
    fitting = model.fitting(size)
    _tell(size, fitting)
    made = model.repainted(resize(y, fitting).clamp(-1, 1), run.settings, part_of(run.progress, 0, 1))
    return made if fitting == size else resize(made, size)


def _tell(size: tuple[int, int], fitting: tuple[int, int]) -> None:
    factor = (size[0] * size[1] / (fitting[0] * fitting[1])) ** 0.5
    if factor >= _SHRUNK:
        log.warning(
            f"{size[1]}x{size[0]} pixels are drawn as {fitting[1]}x{fitting[0]}, which the model was trained on, and "
            f"enlarged {factor:.1f} times: softer than the picture"
        )
