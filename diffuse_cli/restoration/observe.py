"""A problem in the core's terms."""

import math
from dataclasses import replace

import torch
from torch import Tensor

from ..diffusion.conditioning import Conditioning, guided, no_state, varying, with_hole
from ..diffusion.denoiser import nothing_known
from ..diffusion.network import NetworkConfig
from .problem import Problem


def observe(y: Tensor, problem: Problem, config: NetworkConfig, *, gray: bool, sampling: bool) -> Conditioning:
    """Say a task in the core's terms.

    Args:
        y: (1, 3, H, W), the picture as it came.
        config: of the network that is to know it.
        sampling: one noise level goes through y, so that samples differ; the mean takes the picture as its state.
    """
    base = replace(nothing_known(1, config, y.device), gray=gray)
    hole = None if problem.hole is None or not problem.hole.any() else torch.from_numpy(problem.hole)
    if problem.guide is not None:
        size = problem.size or (y.shape[-2], y.shape[-1])
        seen = guided(base, y, problem.guide, size, hole)
        return Conditioning(
            observation=seen, x_t=no_state(size), sigma_t=math.inf, small=y if problem.consistent else None
        )
    if hole is not None:
        return with_hole(base, y, hole, problem.noise if problem.sigma_y is None else torch.from_numpy(problem.sigma_y))
    if problem.sigma_y is not None:
        return varying(base, y, torch.from_numpy(problem.sigma_y)[None, None], sampling=sampling)
    if sampling:
        sigma_y = torch.full((1, 1, 1, 1), problem.noise, device=y.device)
        return Conditioning(observation=replace(base, y=y, sigma_y=sigma_y), x_t=y, sigma_t=math.inf)
    return Conditioning(observation=base, x_t=y, sigma_t=problem.noise)
