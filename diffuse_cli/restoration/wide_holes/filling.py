"""A wide hole, filled coarse to fine in its neighbourhood alone."""

import math
from dataclasses import replace

import torch
from torch import Tensor

from ...degradation.mask_shapes import resized
from ...diffusion.conditioning import Conditioning
from ...diffusion.denoiser import Observation, nothing_known
from ...diffusion.inference import Run, infer
from ...diffusion.tiling import copied_picture
from .patch_search import Matches, uniform
from .scales import coarse_to_fine
from .texture import textured
from .widths import REACH, WideHole

_COARSEST = 12
"""Pixels to which a hole that gets texture is halved: two patches across, so that what is known has its say."""


def fill_wide(y: Tensor, wide: WideHole, run: Run, *, gray: bool, sources: Tensor | None = None) -> Tensor:
    """Fill the wide part of a hole coarse to fine.

    Every scale gets the posterior mean. If the hole is to have texture, the mean is made of patches of what is known;
    if a sample is drawn, the coarsest scale gets a sample in the place of its mean.

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
    base = replace(nothing_known(1, run.model.network.config, y.device), gray=gray)
    drawn = settings.steps > 1
    levels = wide.levels(_COARSEST if settings.has_texture else REACH)
    found: Matches | None = None

    def fill_scale(seen: Observation, halvings: int) -> Tensor:
        nonlocal found
        part = run.part((levels - halvings) / (levels + 1), (levels - halvings + 1) / (levels + 1))
        known = _known_exactly(seen)
        one = settings if drawn and found is None else replace(settings, steps=1)
        x = infer(known, replace(part, settings=one, stage=halvings, mean=None, on_step=None))
        if not settings.has_texture or known.needed is None:
            return x
        draw = uniform(settings.seed, settings.sample, halvings)
        size = (x.shape[-2], x.shape[-1])
        allowed = None if sources is None else resized(sources[rows, columns], size)
        x, found = textured(x, torch.from_numpy(~known.needed), found, draw, allowed)
        return x

    rows, columns = wide.window
    window = y[..., rows, columns]
    missing, part = torch.from_numpy(wide.missing[rows, columns]), torch.from_numpy(wide.part[rows, columns])
    whole = coarse_to_fine(base, window, missing, levels, fill_scale)
    y = copied_picture(y)
    y[..., rows, columns] = torch.where(part, whole, window)
    return y


def _known_exactly(seen: Observation) -> Conditioning:
    """Return what is known of a picture whose pixels are exact or missing; only the missing ones are computed."""
    assert seen.y is not None
    assert seen.sigma_y is not None
    missing = torch.isinf(seen.sigma_y[0, 0]).numpy()
    return Conditioning(observation=seen, x_t=seen.y, sigma_t=math.inf, given=seen.y, needed=missing)
