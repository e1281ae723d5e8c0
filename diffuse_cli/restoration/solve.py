"""Problem -> estimate: the choice of a strategy. Every command computes its result here."""

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from ..degradation.mask_shapes import resized
from ..diffusion.foreign.generative import GenerativeModel
from ..diffusion.foreign.model import ForeignModel
from ..diffusion.foreign.text import TextModel
from ..diffusion.inference import OnStep, Run, infer
from ..diffusion.model import Model
from ..diffusion.tiling import copied_picture
from ..images.picture import Picture
from ..images.tensors import to_array, to_tensor
from .finishing import extend_colour_under_alpha, feather
from .noise_levels import between_levels
from .observe import observe
from .on_grid import on_grid
from .problem import GuidePicture, NoisyPicture, Problem, Repainting
from .reach import in_reach
from .repainting import repaint
from .wide_holes.widths import REACH, TEXTURED, WideHole, widest


def solve(problem: Problem, picture: Picture, run: Run) -> Tensor:
    """Compute the posterior mean or, with more than one step, a posterior sample.

    Args:
        problem: what is known about the picture.
        picture: the file's.
        run: how to compute.

    Returns:
        (1, 3, H, W) of the result's size, before it is finished (see `to_picture`).

    Raises:
        PictureError: the result is not finite.
        OutOfMemoryError: not even the smallest tile fits.
    """
    picture = problem.picture or picture
    reach = None if isinstance(problem.observation, Repainting) else in_reach(problem, picture)
    if reach is None:
        return _solve(problem, picture, run)
    return reach.undone(_solve(reach.problem, reach.picture, reach.run(run)))


def _solve(problem: Problem, picture: Picture, run: Run) -> Tensor:
    if problem.has_hole and problem.finish.cover is not None:
        return _faded_in(problem, picture, run)
    picture = problem.picture or picture
    picture = extend_colour_under_alpha(picture)
    y, gray = to_tensor(picture.pixels), picture.is_gray
    if isinstance(problem.observation, Repainting):
        return repaint(y, problem.observation, run, gray=gray)
    by_other = _by_other_rules(y, problem, picture, run, gray=gray)
    if by_other is not None:
        return by_other
    if problem.strips:
        return _strip_by_strip(y, problem, picture, run)
    wide = _wide_hole(problem, textured=run.settings.has_texture)
    if wide is not None:
        return _filled(y, problem, wide, picture, run, gray=gray)
    nothing, sampling = run.prior.nothing_known(1, y.device), run.settings.steps > 1
    if _is_between_levels(problem, sampling=sampling):
        return between_levels(y, problem, run, gray=gray)
    placed = on_grid(y, problem, picture)
    known = observe(placed.y, placed.problem, nothing, gray=gray, sampling=sampling)
    estimate = placed.undone(infer(known, placed.run(run)))
    blocks = problem.finish.blocks
    if blocks is None:
        return estimate
    from .jpeg_blocks.finishing import within_intervals  # late, as fillings: every start would wait for scipy

    return within_intervals(estimate, picture, blocks.quality, blocks.origin, smooth=not sampling)


def _is_between_levels(problem: Problem, *, sampling: bool) -> bool:
    """Return whether an estimate lies between those for several levels of noise."""
    seen = problem.observation
    if isinstance(seen, NoisyPicture):
        return seen.by_levels and seen.sigma_y is not None and not sampling and not problem.has_hole
    return isinstance(seen, GuidePicture) and seen.sigma_y is not None


def _by_other_rules(y: Tensor, problem: Problem, picture: Picture, run: Run, *, gray: bool) -> Tensor | None:
    """Return what an imported model makes of a picture that is no denoiser told a level. None: the model is one."""
    model = run.model
    if isinstance(model, Model):
        return None
    from . import generative, text
    from .foreign import mapped

    if isinstance(model, GenerativeModel):
        return generative.drawn_by(model, y, problem, run, gray=gray)
    if isinstance(model, TextModel):
        return text.drawn_by(model, y, problem, run, gray=gray)
    if isinstance(model, ForeignModel) and not model.header.is_prior:
        return mapped(y, problem, picture, model, run, gray=gray)
    return None


def _faded_in(problem: Problem, picture: Picture, run: Run) -> Tensor:
    """Lay the filling of a hole over what the picture would be without one."""
    assert problem.hole is not None
    assert problem.finish.cover is not None
    uncovered = replace(problem, finish=replace(problem.finish, cover=None))
    filled = _solve(uncovered, picture, run)
    beneath = replace(uncovered, hole=None)
    if beneath.leaves_alone:
        whole = to_tensor(extend_colour_under_alpha(problem.picture or picture).pixels)
    else:
        whole = _solve(beneath, picture, replace(run.of_mean(), progress=None))
    return feather(whole, filled, problem.hole, problem.finish.cover)


def _strip_by_strip(y: Tensor, problem: Problem, picture: Picture, run: Run) -> Tensor:
    """Fill a hole in parts. What is filled of one may be continued by the next."""
    assert problem.hole is not None
    y, missing, count = copied_picture(y), problem.hole.copy(), len(problem.strips)
    for k, strip in enumerate(problem.strips):
        part, (rows, columns) = run.part(k / count, (k + 1) / count), strip.window
        mean = None if part.mean is None else part.mean[..., rows, columns]
        step = None if part.on_step is None else _on_whole(part.on_step, y, rows, columns)
        seen = replace(picture, pixels=to_array(y[..., rows, columns], picture.pixels.shape[2]), alpha=None)
        own = replace(problem, picture=None, hole=missing[rows, columns], strips=(), sources=strip.sources)
        y[..., rows, columns] = _solve(own, seen, replace(part, mean=mean, on_step=step))
        missing[rows, columns] = False
    return y


def _on_whole(on_step: OnStep, y: Tensor, rows: slice, columns: slice) -> OnStep:
    """Return the same listener for the estimates of a window: it hears the whole picture with them."""

    def told(sigma: float, denoised: Tensor) -> None:
        whole = copied_picture(y)
        whole[..., rows, columns] = denoised.to(whole)
        on_step(sigma, whole)

    return told


def _wide_hole(problem: Problem, *, textured: bool) -> WideHole | None:
    """Return what of the hole is too wide to be filled at once, at the result's size.

    Args:
        problem: what is known about the picture.
        textured: what is wide gets texture, which suits narrower holes than the mean of coarser scales does.
    """
    hole = problem.hole
    if hole is None or problem.at_once is None:
        return None
    if problem.size is not None:
        hole = resized(torch.from_numpy(hole), problem.size).numpy()
    return widest(hole, min(problem.at_once, TEXTURED) if textured else problem.at_once)


def _filled(y: Tensor, problem: Problem, wide: WideHole, picture: Picture, run: Run, *, gray: bool) -> Tensor:
    """Fill a hole that has a wide part.

    In an exact picture, the rest of the hole is filled at once. It comes first where the network sees across the wide
    part, and last where it does not.
    """
    from .wide_holes.filling import fill_wide  # late: every start would wait for scipy

    if not problem.is_exact:
        restored = _solve(replace(problem, at_once=None), picture, run.part(0, 0.5))
        return fill_wide(restored, replace(wide, missing=wide.part), run.part(0.5, 1), gray=gray)
    nothing, sampling = run.prior.nothing_known(1, y.device), run.settings.steps > 1
    sources = None if problem.sources is None else torch.from_numpy(np.ascontiguousarray(problem.sources))
    rest = replace(problem, hole=wide.missing & ~wide.part)
    if wide.across <= REACH and not rest.leaves_alone:
        y = infer(observe(y, problem, nothing, gray=gray, sampling=sampling), run.part(0, 0.2))
        return fill_wide(y, replace(wide, missing=wide.part), run.part(0.2, 1), gray=gray, sources=sources)
    filled = fill_wide(y, wide, run.part(0, 0.9), gray=gray, sources=sources)
    if rest.leaves_alone:
        return filled
    return infer(observe(filled, rest, nothing, gray=gray, sampling=sampling), run.part(0.9, 1))
