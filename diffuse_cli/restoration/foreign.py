"""Problems that imported models solve: told to a prior in its own terms, or mapped by a network."""

from dataclasses import replace
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import find_objects, label
from torch import Tensor

from ..degradation.kernels import gaussian
from ..degradation.operators import Degradation
from ..diffusion.foreign.header import ForeignHeader
from ..diffusion.foreign.mapping import Call, enlarged, filled
from ..diffusion.foreign.mapping import mapped as through
from ..diffusion.foreign.model import WHOLE_MEMORY, ForeignModel
from ..diffusion.inference import Run, tile_counter
from ..diffusion.tiling import copied_picture, widened
from ..diffusion.windowed_observation import filled_picture
from ..errors import PictureError, UsageError
from ..images.picture import Picture
from .jpeg_blocks.finishing import within_intervals
from .linear_part import kernel_part
from .problem import GuidePicture, NoisyPicture, Problem
from .wide_holes.widths import dilated

_CONTEXT: Final = 128
"""Pixels around a hole that a network sees at least; around a larger hole, as many as its longer side."""
_NEAR: Final = 32
"""Holes that are no further apart than twice this are filled together."""


def fitted(problem: Problem, header: ForeignHeader) -> Problem:
    """Return a problem as an imported model is told it.

    Gaussian denoisers know white noise alone. A blur is undone by data steps around them. JPEG compression stays.

    Args:
        problem: what is known about a picture.
        header: of the model.

    Raises:
        UsageError: a prior cannot solve it.
    """
    guide = problem.guide
    if not header.is_prior or guide is None:
        return problem
    what, name = guide.degradation, header.architecture
    if guide.size is not None:
        raise UsageError(f"{name} removes noise, and enlarges nothing; leave --scale out")
    if what.grain > 0:
        raise UsageError(f"{name} knows white noise alone; leave --grain out")
    findings, finish = problem.findings, replace(problem.finish, blocks=None, uncoded=False)
    if what.quality < 100:
        notes = (*findings.notes, f"JPEG compression stays: {name} removes white noise alone")
        findings = replace(findings, notes=notes)
    blur = what.blur if guide.linear is None else guide.linear.blur
    kernel = None if guide.linear is None else guide.linear.kernel
    if kernel is None and blur > 0:
        kernel = gaussian(blur)
    seen: NoisyPicture | GuidePicture = NoisyPicture(noise=what.noise, sigma_y=guide.sigma_y)
    if kernel is not None:
        seen = GuidePicture(degradation=Degradation(noise=what.noise), linear=kernel_part(what, kernel))
    return replace(problem, observation=seen, finish=finish, findings=findings)


def mapped(y: Tensor, problem: Problem, picture: Picture, model: ForeignModel, run: Run, *, gray: bool) -> Tensor:
    """Return what a network that maps pictures to pictures makes of one.

    Args:
        y: (1, 3, h, w), the picture.
        problem: what is known about it.
        picture: the file's, or what is restored in its place.
        model: the network on its device.
        run: how to compute.
        gray: the picture's channels are equal.

    Returns:
        (1, 3, H, W) of the result's size.

    Raises:
        PictureError: all of the picture is missing, or the result is not finite.
        OutOfMemoryError: not even the smallest tile fits.
    """
    hole = problem.hole if problem.has_hole else None
    if model.header.role == "inpaint":
        x = y if hole is None else _filled(y, hole, model, run, gray=gray)
    else:
        y = y if hole is None else filled_picture(y, torch.from_numpy(hole))  # impulses
        quality = problem.degradation.quality
        call = Call(
            settings=run.settings, gray=gray, quality=quality if quality < 100 else None,
            counter=lambda total: tile_counter(run.progress, total),
        )  # fmt: skip
        x = through(model, y, call) if problem.size is None else enlarged(model, y, problem.size, call)
    if not bool(x.isfinite().all()):
        raise PictureError("the result is not finite; the model may be damaged (diffuse models verify)")
    blocks = problem.finish.blocks
    return x if blocks is None else within_intervals(x, picture, blocks.quality, blocks.origin, smooth=False)


def _filled(y: Tensor, hole: NDArray[np.bool_], model: ForeignModel, run: Run, *, gray: bool) -> Tensor:
    """Fill holes, each in a window of its own with at least as much around it as it is wide."""
    if hole.all():
        raise PictureError("all of the picture is to be filled, so there is nothing to fill it from")
    x, memory = copied_picture(y), run.settings.memory or WHOLE_MEMORY
    windows = _windows(hole)
    tick = tile_counter(run.progress, len(windows))
    left = hole.copy()
    for window in windows:
        part = torch.from_numpy(left[window])
        y_window, ensemble = x[..., window[0], window[1]], run.settings.ensemble
        made, _ = filled(model, y_window, part, memory, gray=gray, ensemble=ensemble)
        x[..., window[0], window[1]] = made
        left[window] = False
        tick()
    return x


def _windows(hole: NDArray[np.bool_]) -> list[tuple[slice, slice]]:
    """Return windows that hold all holes with their context; one of the whole picture if that is cheaper."""
    h, w = hole.shape
    groups, _ = label(dilated(hole, _NEAR))
    windows = []
    for rows, columns in find_objects(groups):
        around = max(_CONTEXT, rows.stop - rows.start - 2 * _NEAR, columns.stop - columns.start - 2 * _NEAR)
        windows.append((widened(rows, around - _NEAR, h), widened(columns, around - _NEAR, w)))
    area = sum((rows.stop - rows.start) * (columns.stop - columns.start) for rows, columns in windows)
    return windows if area < h * w else [(slice(0, h), slice(0, w))]
