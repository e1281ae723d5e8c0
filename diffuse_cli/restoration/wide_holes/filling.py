"""A wide hole, filled coarse to fine in its neighbourhood alone."""

import math
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from ...degradation.mask_shapes import resized
from ...diffusion.conditioning import Conditioning
from ...diffusion.denoiser import Observation
from ...diffusion.inference import Run, infer
from ...diffusion.tiling import copied_picture
from .patch_search import Matches, uniform
from .scales import coarse_to_fine
from .structure import MOST_PIXELS
from .texture import textured
from .widths import REACH, WideHole

_COARSEST = 12
"""Pixels to which a hole that gets texture is halved: two patches across, so that what is known has its say."""
_STRUCTURED = 24
"""The same where pieces continue the lines of the picture, which are lost in smaller ones."""


def fill_wide(y: Tensor, wide: WideHole, run: Run, *, gray: bool, sources: Tensor | None = None) -> Tensor:
    """Fill the wide part of a hole coarse to fine.

    Every scale gets the posterior mean. If the hole is to have texture, the coarsest mean is made of pieces of what is
    known, and further scales of the same ones. If a sample is drawn, it takes the place of the coarsest mean.

    Args:
        y: (1, 3, H, W), exact where nothing is missing.
        wide: the part of the hole that is filled.
        run: how to compute; its `mean` and `on_step` are for the whole picture, and have no say here.
        gray: the picture's channels are equal.
        sources: (H, W) bool, where pieces of the picture may be taken from. None: anywhere.

    Returns:
        (1, 3, H, W), y with the wide part filled, in host memory.
    """
    settings = run.settings
    base = replace(run.prior.nothing_known(1, y.device), gray=gray)
    drawn = settings.steps > 1
    levels = _levels(wide, sources) if settings.has_texture else wide.levels(REACH)
    found: Matches | None = None

    def fill_scale(seen: Observation, halvings: int) -> Tensor:
        nonlocal found
        part = run.part((levels - halvings) / (levels + 1), (levels - halvings + 1) / (levels + 1))
        known, before = _known_exactly(seen), found
        draw = uniform(settings.seed, settings.sample, halvings)
        assert seen.y is not None
        size = (seen.y.shape[-2], seen.y.shape[-1])
        allowed = None if sources is None else resized(sources[rows, columns], size)
        if before is not None and sources is None and known.needed is not None:
            assert seen.mu is not None
            missing = torch.from_numpy(known.needed)
            x, found = textured(torch.where(missing, seen.mu, known.x_t), ~missing, before, draw, allowed)
            if found is not None:
                if part.progress is not None:
                    part.progress(1, 1)
                return x
        one = settings if drawn and before is None else replace(settings, steps=1)
        x = infer(known, replace(part, settings=one, stage=halvings, mean=None, on_step=None))
        if (before is None or sources is not None) and settings.has_texture and known.needed is not None:
            best_guess = settings.seed == settings.sample == 0
            x, found = textured(x, torch.from_numpy(~known.needed), before, draw, allowed, best_guess=best_guess)
        return x

    rows, columns = wide.window
    window = y[..., rows, columns]
    missing, part = torch.from_numpy(wide.missing[rows, columns]), torch.from_numpy(wide.part[rows, columns])
    whole = coarse_to_fine(base, window, missing, levels, fill_scale)
    y = copied_picture(y)
    y[..., rows, columns] = torch.where(part, whole, window)
    return y


def _levels(wide: WideHole, sources: Tensor | None) -> int:
    """Return how often a picture is halved before its hole gets texture."""
    if sources is not None:
        return wide.levels(_COARSEST)
    levels = wide.levels(_STRUCTURED)
    if levels > 0 and np.count_nonzero(wide.missing[wide.window]) >> 2 * levels <= MOST_PIXELS:
        return levels
    return max(wide.levels(_COARSEST), 1)


def _known_exactly(seen: Observation) -> Conditioning:
    """Return what is known of a picture whose pixels are exact or missing; only the missing ones are computed."""
    assert seen.y is not None
    assert seen.sigma_y is not None
    missing = torch.isinf(seen.sigma_y[0, 0]).numpy()
    return Conditioning(observation=seen, x_t=seen.y, sigma_t=math.inf, given=seen.y, needed=missing)
