"""A guide whose noise varies: the core is told one noise level, so the estimate lies between those for several."""

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from ..diffusion.inference import Run, infer
from .observe import observe
from .problem import Problem

_LEVELS = 3


def between_levels(y: Tensor, problem: Problem, run: Run, *, gray: bool) -> Tensor:
    """Interpolate, pixel by pixel, between the estimates for three noise levels.

    For noise of 8 to 36 levels by place that was stored as JPEG 90 it measured 0.6 dB better than one level, and 0.7 dB
    better than taking the noise as white.

    Args:
        y: (1, 3, H, W), the picture.
        problem: of a guide with a map of its noise.
        run: how to compute.
        gray: the picture's channels are equal.

    Returns:
        (1, 3, H, W).
    """
    guide = problem.guide
    assert guide is not None
    assert guide.sigma_y is not None
    low, high = np.quantile(guide.sigma_y, [0.05, 0.95])
    levels = np.unique(np.linspace(low, high, _LEVELS)).tolist()
    nothing, sampling = run.prior.nothing_known(1, y.device), run.settings.steps > 1
    parts: list[Tensor] = []
    for i, level in enumerate(levels):
        even = replace(guide, degradation=replace(guide.degradation, noise=level), sigma_y=None)
        known = observe(y, replace(problem, observation=even), nothing, gray=gray, sampling=sampling)
        part = infer(known, run.part(i / len(levels), (i + 1) / len(levels)))
        share = np.interp(guide.sigma_y, levels, np.eye(len(levels))[i])
        parts.append(torch.from_numpy(share.astype(np.float32)) * part)
    return torch.stack(parts).sum(0)
