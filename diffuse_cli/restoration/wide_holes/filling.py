"""A wide hole filled, computed in its neighbourhood alone."""

import math
from dataclasses import replace

import torch
from torch import Tensor

from ...diffusion.conditioning import Conditioning
from ...diffusion.denoiser import Observation, nothing_known
from ...diffusion.inference import Progress, infer, part_of
from ...diffusion.model import Model
from ...diffusion.settings import Settings
from ...diffusion.tiling import copied_picture
from .patch_search import Matches, uniform
from .scales import coarse_to_fine
from .texture import textured
from .widths import REACH, WideHole

_COARSEST = 12
"""Pixels to which a hole is halved where it gets texture: two patches across, so that what is known has its say."""


def wide_filled(
    y: Tensor, wide: WideHole, settings: Settings, model: Model, progress: Progress | None, *, gray: bool
) -> Tensor:
    """The picture y (1, 3, H, W) with the wide part of its hole filled coarse to fine.

    The mean at every scale; or, if it is to have texture, the mean made of patches of what is known, and where samples
    are drawn, a sample of the coarsest scale in the place of its mean.
    """
    base = replace(nothing_known(1, model.network.config, y.device), gray=gray)
    drawn = settings.steps > 1
    levels = wide.levels(_COARSEST if settings.has_texture else REACH)
    found: Matches | None = None

    def solve(seen: Observation, halvings: int) -> Tensor:
        nonlocal found
        part = part_of(progress, (levels - halvings) / (levels + 1), (levels - halvings + 1) / (levels + 1))
        known = _known_exactly(seen)
        one = settings if drawn and found is None else replace(settings, steps=1)
        x = infer(known, one, model, part, stage=halvings)
        if not settings.has_texture or known.needed is None:
            return x
        draw = uniform(settings.seed, settings.sample, halvings)
        x, found = textured(x, torch.from_numpy(~known.needed), found, draw)
        return x

    rows, columns = wide.window
    window = y[..., rows, columns]
    missing, part = torch.from_numpy(wide.missing[rows, columns]), torch.from_numpy(wide.part[rows, columns])
    whole = coarse_to_fine(base, window, missing, levels, solve)
    y = copied_picture(y)
    y[..., rows, columns] = torch.where(part, whole, window)
    return y


def _known_exactly(seen: Observation) -> Conditioning:
    """Of a picture whose pixels are exact or missing, only the missing ones are to be computed."""
    assert seen.y is not None
    assert seen.sigma_y is not None
    missing = torch.isinf(seen.sigma_y[0, 0]).numpy()
    return Conditioning(observation=seen, x_t=seen.y, sigma_t=math.inf, given=seen.y, needed=missing)
