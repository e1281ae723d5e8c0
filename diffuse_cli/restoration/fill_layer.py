"""What was filled, on a transparent layer of its own: laid over the picture, it gives the result."""

import numpy as np
import torch
from numpy.typing import NDArray

from ..degradation.mask_shapes import resized
from ..degradation.operators import resize
from ..images.picture import Levels, Picture, Source, integers, to_levels, to_unit
from .problem import Problem

_CLOSE = 0.48
"""How far above the result, in levels, the sum of layer and picture may be: cut off or rounded, it is the result."""
_TRIES = 24
"""Alphas that are tried, each more opaque by one level, before a pixel becomes opaque."""

_EXACT = 1e-6

Floats = NDArray[np.float64]


def fill_layer(before: Picture, problem: Problem, after: Picture) -> Picture:
    """Return what was filled as a colour picture with alpha: opaque where it is all new, transparent elsewhere.

    Laid over the picture before, it gives the result in what was filled: exactly, if both hold integers and are opaque.
    Where the filling is blended with the picture, the layer is as opaque as the filling counts, or as it must be.

    Args:
        before: the picture.
        problem: what was known about it.
        after: its result.
    """
    hole, weight = _filled(problem, (after.pixels.shape[0], after.pixels.shape[1]))
    full = 2**after.depth - 1
    alpha = np.rint(weight * full).astype(np.float64)
    alpha[hole] = alpha[hole].clip(1)
    source = Source(icc=after.source.icc, dpi=after.source.dpi, white=after.source.white, pages=after.source.pages)
    if after.floating:
        alpha[hole] = full
        pixels = np.where(hole[..., None], after.pixels, np.float32(-1))
        return _layer(pixels, _as_seen(alpha, after, hole), after, source)
    levels = to_levels(after.pixels, after.depth, after.white).astype(np.float64)
    soft = hole & (alpha < full)
    if before.pixels.shape == after.pixels.shape and soft.any():
        beneath = to_levels(before.pixels, after.depth, after.white)[soft].astype(np.float64)
        levels[soft], alpha[soft] = _between(beneath, levels[soft], alpha[soft], full, after.white)
    if before.alpha is not None and before.alpha.shape == hole.shape:
        transparent = soft & (before.alpha < full)
        levels[transparent] = to_levels(after.pixels, after.depth, after.white)[transparent]
        alpha[transparent] = full
    levels[~hole] = 0
    pixels = to_unit(integers(levels, after.depth), after.depth, after.white)
    return _layer(pixels, _as_seen(alpha, after, hole), after, source)


def _filled(problem: Problem, size: tuple[int, int]) -> tuple[NDArray[np.bool_], NDArray[np.float32]]:
    """Return what was filled at the result's size, and how much of the filling counts; both (H, W)."""
    if problem.hole is None:
        return np.zeros(size, bool), np.zeros(size, np.float32)
    hole = resized(torch.from_numpy(problem.hole), size).numpy()
    cover = problem.finish.cover
    if cover is None:
        return hole, hole.astype(np.float32)
    if cover.shape != size:
        cover = resize(torch.from_numpy(cover)[None, None], size)[0, 0].clamp(0, 1).numpy()
    return hole, np.where(hole, cover, np.float32(0))


def _between(beneath: Floats, result: Floats, alpha: Floats, full: int, white: int) -> tuple[Floats, Floats]:
    """Return colours and alphas that give a result where they are laid over a picture.

    Args:
        beneath: (N, C), the levels of the picture.
        result: (N, C), those of the result.
        alpha: (N,), what the alphas are, unless no colour could give the result with so little.
        full: the alpha of what is opaque.
        white: the highest level.
    """
    room = np.where(result > beneath, white - beneath, beneath)
    needed = np.ceil(full * np.abs(result - beneath) / room.clip(1)).max(1)
    alpha, colour = np.maximum(alpha, needed), result.copy()
    left = np.arange(len(alpha))
    for _ in range(_TRIES):
        share, below, wanted = (alpha[left] / full)[:, None], beneath[left], result[left]
        tried = np.ceil((wanted - (1 - share) * below) / share - _EXACT).clip(0, white)
        over = share * tried + (1 - share) * below - wanted
        good = ((over >= -_EXACT) & (over <= _CLOSE)).all(1)
        colour[left[good]] = tried[good]
        left = left[~good]
        alpha[left] += 1
        left = left[alpha[left] < full]
    alpha[left], colour[left] = full, result[left]
    return colour, alpha.clip(None, full)


def _as_seen(alpha: Floats, after: Picture, hole: NDArray[np.bool_]) -> Levels:
    """Return the layer's alpha, no more opaque than the result."""
    if after.alpha is not None:
        alpha = np.where(hole, np.minimum(alpha, after.alpha), 0)
    return integers(alpha, after.depth)


def _layer(pixels: NDArray[np.float32], alpha: Levels, after: Picture, source: Source) -> Picture:
    """Return the layer: black where it is transparent, and three channels also of a gray picture."""
    colours = np.where(alpha[..., None] > 0, pixels, np.float32(-1))
    colours = np.ascontiguousarray(np.broadcast_to(colours, (*colours.shape[:2], 3)))
    return Picture(pixels=colours, alpha=alpha, depth=after.depth, floating=after.floating, source=source)
