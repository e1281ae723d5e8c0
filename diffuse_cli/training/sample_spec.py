"""The degradation of each sample of a batch, drawn at random by its task."""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ..degradation.kernels import Kernel, defocus, motion
from ..degradation.operators import Degradation
from ..diffusion.denoiser import SIGMA_MAX, SIGMA_MIN
from .config import Mix, Objective

Rng = np.random.Generator
INF = math.inf
SMALLEST_GUIDE = 8
"""Width of the smallest guide, in pixels."""


def keyed(seed: int, step: int, sample: int) -> Rng:
    """Return the random generator of one sample of one step."""
    return np.random.Generator(np.random.SFC64(np.random.SeedSequence([seed, step, sample])))


@dataclass(frozen=True, kw_only=True, slots=True)
class Observed:
    """A pixelwise observation y of the clean picture.

    Attributes:
        level: std of its noise, [-1, 1] units; 0 = exact.
        varies: over the picture: not, as a smooth random field, or with the signal.
        shot: share of the signal-dependent part, where it varies with the signal.
        hole: some pixels are missing.
    """

    level: float
    varies: Literal["not", "field", "signal"] = "not"
    shot: float = 0.0
    hole: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class SampleSpec:
    """What is known about one sample.

    Attributes:
        task: whose sample it is.
        sigma_t: std of the diffusion state's noise; inf = no state.
        guide: what happened to the guide; None = no guide.
        kernel: blurs the guide in the place of the Gaussian that the network is told. None: the Gaussian does.
        subsampling: of the guide's JPEG.
        guide_hole: pixels of the guide are missing.
        observed: y, if there is one.
        fill: mu is the fill of y.
    """

    task: Objective
    sigma_t: float = INF
    guide: Degradation | None = None
    kernel: Kernel | None = None
    subsampling: str = "4:2:0"
    guide_hole: bool = False
    observed: Observed | None = None
    fill: bool = False


def draw(task: Objective, place: float, crop: int, rng: Rng, means: float = 0.5) -> SampleSpec:
    """Draw the degradation of a sample.

    Args:
        task: the sample's.
        place: 0..1, the sample's place among those of its task. Kinds within a task have fixed shares.
        crop: side of the clean crop in pixels.
        rng: the sample's.
        means: share of the samples that are restored in one call, where the objective leaves the choice.
    """
    if task == "denoise":
        return _denoise(place, rng, means)
    if task == "inpaint":
        observed = Observed(level=rng.random() * 0.4 if rng.random() < 0.25 else 0.0, hole=True)
        sigma_t = INF if rng.random() < 0.8 * means else _lognormal(rng, -0.4, 1.4)
        return SampleSpec(task=task, sigma_t=sigma_t, observed=observed, fill=True)
    if task == "generate":
        return SampleSpec(task=task, sigma_t=INF if rng.random() < 0.03 else _lognormal(rng, -0.2, 1.6))
    kernel = _kernel(place, rng) if task == "kernel" else None
    kinds = {"resize": _resized, "mixture": _mixture, "jpeg": _compressed, "camera": _photographed}
    what = kinds[task](place, crop, rng) if kernel is None else _blurred_by(kernel, rng)
    sigma_t = INF if rng.random() < means else _lognormal(rng, -0.6, 1.2, 0.01, 30.0) * what.sigma_p()
    return SampleSpec(
        task=task, sigma_t=sigma_t, guide=what, kernel=kernel,
        subsampling="4:2:0" if rng.random() < 0.7 else "4:4:4",
        guide_hole=bool(rng.random() < 0.15), observed=_also(rng) if rng.random() < 0.2 else None,
    )  # fmt: skip


def _denoise(place: float, rng: Rng, means: float) -> SampleSpec:
    if place >= 0.2:  # one level, the state's own
        common = rng.random() < 1.1 * (1 - means)
        sigma_t = _lognormal(rng, -1.2, 1.4) if common else _loguniform(rng, 0.01, 0.7)
        return SampleSpec(task="denoise", sigma_t=sigma_t)
    varies: Literal["field", "signal"] = "field" if rng.random() < 0.5 else "signal"
    observed = Observed(level=_loguniform(rng, 0.02, 0.5), varies=varies, shot=rng.random())
    sigma_t = INF if rng.random() < min(1.2 * means, 0.9) else _lognormal(rng, -1.0, 1.3)
    return SampleSpec(task="denoise", observed=observed, sigma_t=sigma_t)


def _resized(place: float, crop: int, rng: Rng) -> Degradation:
    scale = (2.0, 3.0, 4.0, rng.uniform(1.3, 8))[int(4 * place)]
    return Degradation(scale=_exact_scale(crop, scale))


def _mixture(place: float, crop: int, rng: Rng) -> Degradation:
    third = int(3 * place)
    scale = float(rng.choice([1.5, 2, 2, 3, 4])) if third == 2 else 1.0
    blurred = third != 1 and rng.random() < 0.6
    noisy, compressed = rng.random() < 0.7, rng.random() < 0.6
    return Degradation(
        scale=_exact_scale(crop, scale),
        blur=rng.uniform(0.4, 3.0) if blurred else 0.0,
        noise=rng.random() ** 2 * 0.4 if noisy else 0.0,
        quality=float(rng.integers(15, 96)) if compressed else 100.0,
    )


def _compressed(place: float, crop: int, rng: Rng) -> Degradation:
    return Degradation(quality=float(rng.integers(8, 96)))


def _photographed(place: float, crop: int, rng: Rng) -> Degradation:
    """Return the file alone; its noise is drawn with the crop (see shots)."""
    return Degradation(quality=float(rng.integers(60, 99)) if rng.random() < 0.6 else 100.0)


def _kernel(place: float, rng: Rng) -> Kernel:
    """Draw a motion or a disk, one half each, whose Gaussian is one that the network knows."""
    return motion(rng.uniform(3, 14), rng.uniform(0, 180)) if place < 0.5 else defocus(rng.uniform(1, 5))


def _blurred_by(kernel: Kernel, rng: Rng) -> Degradation:
    """Return what the network is told of a blur by a kernel, and what came after it."""
    noisy, compressed = rng.random() < 0.7, rng.random() < 0.3
    return Degradation(
        blur=kernel.spread,
        noise=rng.random() ** 2 * 0.1 if noisy else 0.0,
        quality=float(rng.integers(60, 96)) if compressed else 100.0,
    )


def _also(rng: Rng) -> Observed:
    """Draw an observation beside a guide: noisy everywhere, or of some pixels only and exact half of the time."""
    level = _loguniform(rng, 0.02, 0.5)
    if rng.random() < 0.5:
        return Observed(level=level)
    return Observed(level=level if rng.random() < 0.5 else 0.0, hole=True)


def _exact_scale(crop: int, scale: float) -> float:
    """Return the factor that shrinks a crop to a whole number of pixels."""
    return crop / max(round(crop / scale), min(SMALLEST_GUIDE, crop))


def _lognormal(rng: Rng, mean: float, std: float, low: float = SIGMA_MIN, high: float = SIGMA_MAX) -> float:
    return min(max(math.exp(rng.normal(mean, std)), low), high)


def _loguniform(rng: Rng, low: float, high: float) -> float:
    return float(low * (high / low) ** rng.random())


def layout(mix: Mix, batch: int) -> list[tuple[Objective, float]]:
    """Return task and place of every sample of a batch, in order."""
    return [(task, (k + 0.5) / n) for task, n in mix.counts(batch).items() for k in range(n)]


def validation(task: Objective, crop: int) -> SampleSpec:
    """Return the degradation by which a task is validated: a moderate one, for the posterior mean."""
    moved = motion(9, 30)
    fixed = {
        "denoise": SampleSpec(task="denoise", sigma_t=25 / 127.5),
        "resize": SampleSpec(task="resize", guide=Degradation(scale=_exact_scale(crop, 3.0))),
        "mixture": SampleSpec(task="mixture", guide=Degradation(blur=1.0, noise=10 / 127.5, quality=60.0)),
        "inpaint": SampleSpec(task="inpaint", observed=Observed(level=0.0, hole=True), fill=True),
        "jpeg": SampleSpec(task="jpeg", guide=Degradation(quality=20.0)),
        "camera": SampleSpec(task="camera", guide=Degradation(quality=90.0)),
        "kernel": SampleSpec(task="kernel", kernel=moved, guide=Degradation(blur=moved.spread, noise=2 / 127.5)),
        "generate": SampleSpec(task="generate", sigma_t=1.0),
    }
    return fixed[task]
