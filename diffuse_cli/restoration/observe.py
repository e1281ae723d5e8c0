"""A problem in the core's terms."""

import math
from dataclasses import replace

import torch
from torch import Tensor

from ..diffusion.conditioning import Conditioning, guided, no_state, varying, with_hole
from ..diffusion.data_step import LinearDamage
from ..diffusion.denoiser import Observation
from .problem import GuidePicture, NoisyPicture, Problem


def observe(y: Tensor, problem: Problem, nothing: Observation, *, gray: bool, sampling: bool) -> Conditioning:
    """Return what the core is told about a picture.

    Args:
        y: (1, 3, H, W), the picture.
        problem: what is known about it; not a repainting.
        nothing: what the model is told of a picture of which nothing is known.
        gray: the picture's channels are equal.
        sampling: a sample is drawn. One noise level is then an observation, so that samples differ; for the mean the
            picture is the diffusion state.
    """
    base = replace(nothing, gray=gray)
    hole = torch.from_numpy(problem.hole) if problem.hole is not None and problem.has_hole else None
    seen = problem.observation
    if isinstance(seen, GuidePicture):
        return _guide(y, seen, base, hole)
    assert isinstance(seen, NoisyPicture)
    sigma_y = None if seen.sigma_y is None else torch.from_numpy(seen.sigma_y)
    if hole is not None:
        return with_hole(base, y, hole, seen.noise if sigma_y is None else sigma_y)
    if sigma_y is not None:
        return varying(base, y, sigma_y[None, None], sampling=sampling)
    if sampling:
        everywhere = torch.full((1, 1, 1, 1), seen.noise, device=y.device)
        return Conditioning(observation=replace(base, y=y, sigma_y=everywhere), x_t=y, sigma_t=math.inf)
    return Conditioning(observation=base, x_t=y, sigma_t=seen.noise)


def _guide(y: Tensor, seen: GuidePicture, base: Observation, hole: Tensor | None) -> Conditioning:
    size = seen.size or (y.shape[-2], y.shape[-1])
    damage = None
    if seen.linear is not None:
        part = seen.linear
        damage = LinearDamage(y=y, blur=part.blur, noise=part.noise, hole=hole, kernel=part.kernel, shots=part.shots)
    if damage is not None and damage.kernel is not None:  # of which the network knows nothing
        return Conditioning(observation=base, x_t=no_state(size), sigma_t=math.inf, damage=damage, start=y)
    observation = guided(base, y, seen.degradation, size, hole)
    small = y if seen.consistent else None
    return Conditioning(observation=observation, x_t=no_state(size), sigma_t=math.inf, small=small, damage=damage)
