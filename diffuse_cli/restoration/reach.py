"""Pictures brighter than white, as floating-point files hold them, and spans of scans. The core knows [-1, 1] alone."""

import math
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..diffusion.inference import Run
from ..images.picture import BRIGHTEST_WHITE, DARKEST_BLACK, Picture
from .problem import GuidePicture, NoisyPicture, Problem
from .span import Span

_RARE: Final = 0.001
"""Share of the brightest numbers that do not count: a lamp or a hot pixel must not make the rest dark."""


_ROUNDING: Final = 1e-4


@dataclass(frozen=True, kw_only=True, slots=True)
class InReach:
    """A problem whose light was divided until the core knows it.

    Attributes:
        picture: of [-1, 1], but for the noise.
        problem: the same problem, in that light.
        scale: what the light was divided by, of floating-point files a power of two, so that nothing is rounded.
        excess: (1, C, H, W), what was taken away beyond white or, of a span, beyond black; None = nothing.
        black: what is black in this light, [-1, 1] units of the file.
        keeps: pixels with an excess stay as they are.
    """

    picture: Picture
    problem: Problem
    scale: float
    excess: Tensor | None = None
    black: float = -1.0
    keeps: bool = False

    def run(self, run: Run) -> Run:
        """Return the run in this light: its mean and its steps are the file's."""
        step = run.on_step
        mean = None if run.mean is None else (run.mean - self.black) / self.scale - 1
        if mean is not None and self.excess is not None:
            mean = mean.clamp(min=-1 if self.keeps else None, max=2 * BRIGHTEST_WHITE - 1)
        told = None if step is None else lambda sigma, x: step(sigma * self.scale, self._lit(x))
        return replace(run, mean=mean, on_step=told)

    def undone(self, x: Tensor) -> Tensor:
        """Return an estimate in the file's own light. What was beyond white gets its excess again, unless filled."""
        if self.excess is not None and self.keeps:
            x = torch.where(self.excess == 0, x, self.excess.sign())
        if self.excess is not None:
            x = x + self.excess
        return self._lit(x)

    def _lit(self, x: Tensor) -> Tensor:
        """Return a picture in the file's own light."""
        return (x + 1) * self.scale + self.black


def in_reach(problem: Problem, picture: Picture) -> InReach | None:
    """Divide the light of a picture that is much brighter than white, and its noise, or narrow a scan to its span.

    None: neither is due.

    Of a ramp up to 8 the core made 7.9 of 7.5 without it, and 7.5 with it.

    Args:
        problem: what is known about the picture; not a repainting.
        picture: what is restored. Integers are in reach.
    """
    if problem.span is not None:
        return _in_span(problem, picture, problem.span)
    if not picture.floating:
        return None
    samples = (picture.pixels + np.float32(1)) / np.float32(2)
    if float(samples.max()) <= BRIGHTEST_WHITE and float(samples.min()) >= -DARKEST_BLACK:
        return None
    scale = light_scale(samples, rare=0.0 if problem.size is not None else _RARE)
    pixels = np.asarray(2 * samples / np.float32(scale) - 1, np.float32)
    excess = None
    if problem.size is None and pixels.max() > 2 * BRIGHTEST_WHITE - 1:
        beyond = np.maximum(pixels - np.float32(2 * BRIGHTEST_WHITE - 1), 0)
        pixels = np.minimum(pixels, np.float32(2 * BRIGHTEST_WHITE - 1))
        if problem.hole is not None:
            beyond = np.where(problem.hole[..., None], np.float32(0), beyond)
        excess = torch.from_numpy(beyond).permute(2, 0, 1)[None]
    darker = replace(picture, pixels=pixels)
    return InReach(picture=darker, problem=_fainter(problem, darker, scale), scale=scale, excess=excess)


def _in_span(problem: Problem, picture: Picture, span: Span) -> InReach:
    """Narrow a scan to its span. What lies beyond keeps its excess."""
    seen = span.seen(picture)
    excess = (picture.pixels - np.float32(span.low)) / np.float32(span.scale) - 1 - seen.pixels
    if problem.hole is not None:
        excess = np.where(problem.hole[..., None], np.float32(0), excess)
    return InReach(
        picture=seen, problem=_fainter(problem, seen, span.scale), scale=span.scale, black=span.low, keeps=True,
        excess=torch.from_numpy(excess).permute(2, 0, 1)[None],
    )  # fmt: skip


def _fainter(problem: Problem, picture: Picture, scale: float) -> Problem:
    """Return the problem of a picture whose light, and with it its noise, was divided."""
    seen = problem.observation
    if isinstance(seen, NoisyPicture):
        seen = replace(seen, noise=seen.noise / scale, sigma_y=_divided(seen.sigma_y, scale))
    elif isinstance(seen, GuidePicture):
        told = replace(seen.degradation, noise=seen.degradation.noise / scale)
        linear = None if seen.linear is None else replace(seen.linear, noise=seen.linear.noise / scale)
        seen = replace(seen, degradation=told, sigma_y=_divided(seen.sigma_y, scale), linear=linear)
    return replace(problem, picture=picture, observation=seen, span=None)


def dimmed(picture: Picture) -> tuple[Picture, float]:
    """Return a picture whose light is divided until the core knows it, and by what."""
    if not picture.floating:
        return picture, 1.0
    samples = (picture.pixels + np.float32(1)) / np.float32(2)
    scale = light_scale(samples, rare=_RARE)
    return (picture, 1.0) if scale == 1 else (replace(picture, pixels=2 * samples / np.float32(scale) - 1), scale)


def light_scale(samples: NDArray[np.float32], rare: float) -> float:
    """Return the power of two by which light is to be divided; 1 = it is in reach.

    Args:
        samples: 0 = black .. 1 = white, of any shape.
        rare: share of the brightest and of the darkest that may stay out of reach.
    """
    low, high = float(samples.min()), float(samples.max())
    if rare and (high > BRIGHTEST_WHITE or low < -DARKEST_BLACK):
        low, high = (float(x) for x in np.quantile(samples, [rare, 1 - rare]))
    most = max(high / BRIGHTEST_WHITE, -low / DARKEST_BLACK)
    return 2.0 ** max(math.ceil(math.log2(most) - _ROUNDING), 0) if most > 0 else 1.0


def _divided(sigma_y: NDArray[np.float32] | None, scale: float) -> NDArray[np.float32] | None:
    return None if sigma_y is None else sigma_y / np.float32(scale)
