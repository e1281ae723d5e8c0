"""Problems that a network solves which draws pictures of one size: holes, and small pictures."""

import math
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import find_objects, label
from torch import Tensor

from ..degradation.operators import resize
from ..diffusion.conditioning import Conditioning, no_state
from ..diffusion.data_step import LinearDamage
from ..diffusion.foreign.generative import GenerativeModel
from ..diffusion.generation import drawn
from ..diffusion.inference import Run
from ..diffusion.tiling import copied_picture
from ..errors import PictureError
from .hole_windows import windows_around
from .problem import Problem


def drawn_by(model: GenerativeModel, y: Tensor, problem: Problem, run: Run, *, gray: bool) -> Tensor:
    """Return a sample that explains a picture. One step asks for a mean, which such a model has not: the picture.

    Args:
        model: the network on its device.
        y: (1, 3, h, w), the picture.
        problem: what is known about it: a hole, or the size that it is enlarged to.
        run: how to compute.
        gray: the picture's channels are equal.

    Returns:
        (1, 3, H, W) of the result's size.

    Raises:
        PictureError: a hole or the result does not fit into what the network draws, or the result is not finite.
    """
    if run.settings.steps == 1:
        return y if problem.size is None else resize(y, problem.size)
    if problem.size is not None:
        return _enlarged(model, y, problem, run, gray=gray)
    return y if not problem.has_hole else _filled(model, y, problem, run, gray=gray)


def _enlarged(model: GenerativeModel, y: Tensor, problem: Problem, run: Run, *, gray: bool) -> Tensor:
    side, size = model.header.side, problem.size
    if size is None or size != (side, side):
        wanted = "" if size is None else f", and this result is {size[1]}x{size[0]}"
        raise PictureError(f"the model draws pictures of {side}x{side} alone{wanted}; crop it to a square")
    nothing = replace(model.nothing_known(1, y.device), gray=gray or model.gray)
    consistent = problem.guide is not None and problem.guide.consistent
    damage = None if consistent else LinearDamage(y=y, blur=0.0, noise=0.0)
    small = y if consistent else None
    return drawn(
        Conditioning(observation=nothing, x_t=no_state(size), sigma_t=math.inf, small=small, damage=damage), run
    )


def _filled(model: GenerativeModel, y: Tensor, problem: Problem, run: Run, *, gray: bool) -> Tensor:
    """Fill holes, each in a window of the size that the network draws. What lies beyond the picture is missing, too."""
    assert problem.hole is not None
    x, left, side = copied_picture(y), problem.hole.copy(), model.header.side
    _check_fits(left, side)
    windows = windows_around(left, side)
    for k, (rows, columns) in enumerate(windows):
        part, hole = x[..., rows, columns], torch.from_numpy(left[rows, columns])
        h, w = hole.shape
        seen, sigma_y = torch.zeros(1, 3, side, side), torch.full((1, 1, side, side), math.inf)
        seen[..., :h, :w] = part
        sigma_y[0, 0, :h, :w] = torch.where(hole, math.inf, 0.0)
        observation = replace(model.nothing_known(1, y.device), gray=gray or model.gray, y=seen, sigma_y=sigma_y)
        known = Conditioning(observation=observation, x_t=no_state((side, side)), sigma_t=math.inf)
        made = drawn(known, run.part(k / len(windows), (k + 1) / len(windows)))
        x[..., rows, columns] = torch.where(hole, made[..., :h, :w], part)
        left[rows, columns] = False
    return x


def _check_fits(hole: NDArray[np.bool_], side: int) -> None:
    """Check that something is known beside every hole, in what is drawn at once.

    Raises:
        PictureError: nothing is, in one direction.
    """
    across = max(span.stop - span.start for part in find_objects(label(hole, np.ones((3, 3)))[0]) for span in part)
    if across > side - 2:
        raise PictureError(f"a hole is {across} pixels wide, and the model draws {side}x{side} with what is around")
