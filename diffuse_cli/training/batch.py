"""Batches as the network sees them: each sample is degraded by the operators that restoring uses."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.data import Dataset

from ..degradation.kernels import Kernel, blur_by
from ..degradation.operators import Degradation, degrade, resize, shrunk_size
from ..diffusion.denoiser import SIGMA_DATA, Observation, c_noise, precondition
from ..diffusion.fill import fill_guide, pull_push
from ..diffusion.fusion import fuse
from ..images.image_io import through_jpeg
from ..images.units import LEVEL, luma
from ..system.process import one_thread
from .bank import Bank
from .config import Objective, TrainConfig
from .holes import hole
from .sample_spec import Observed, Rng, SampleSpec, draw, keyed, layout, validation
from .shots import Shot, shot

INF = math.inf
VALIDATION_STEP = 2**31
"""The step that keys the validation crops, which no training reaches."""


class Batch(NamedTuple):
    """What a step needs, B samples of P x P pixels, fp32.

    Attributes:
        net_in: (B, 8, P, P), F's input.
        noise: (B,), c_noise(sigma_t).
        cond: (B, described + K).
        x0: (B, 3, P, P), clean.
        linear: (B, 3, P, P), the part of D = linear + c_out * F that does not depend on F.
        c_out: (B, 1, P, P).
        pictures: (B,), which picture of the bank each sample comes from.
    """

    net_in: Tensor
    noise: Tensor
    cond: Tensor
    x0: Tensor
    linear: Tensor
    c_out: Tensor
    pictures: Tensor

    def to(self, device: torch.device) -> "Batch":
        """Return the batch on another device."""
        return self if device.type == "cpu" else Batch(*(t.to(device, non_blocking=True) for t in self))


class Steps(Dataset[Batch]):
    """The batches of a run by step, as a map-style dataset for a DataLoader.

    A sample is a pure function of (seed, step, sample).
    """

    def __init__(self, bank: Bank, config: TrainConfig, *, rank: int = 0, world: int = 1) -> None:
        """Take the samples `rank`, `rank + world`, ... of every global batch.

        Args:
            bank: pictures to train on.
            config: of the run.
            rank: the number of this process.
            world: the number of processes.
        """
        self.bank, self.config = bank, config
        self.plan = list(enumerate(layout(config.mix, config.batch)))[rank::world]
        self.tasks: list[Objective] = [task for _, (task, _) in self.plan]

    def samples(self) -> list[int]:
        """Return the numbers of its samples in the global batch."""
        return [sample for sample, _ in self.plan]

    def __getitem__(self, step: int) -> Batch:
        """Return the batch of a step."""
        with one_thread():
            return self._batch(step)

    def _batch(self, step: int) -> Batch:
        config, crops, recipes, rngs = self.config, [], [], []
        for sample, (task, place) in self.plan:
            rng = keyed(config.seed, step, sample)
            crops.append(_clean(self.bank, config, rng))
            recipes.append(draw(task, place, config.crop, rng, config.means))
            rngs.append(rng)
        return collate(crops, recipes, rngs, config.described, len(self.bank.labels))


def validation_batch(bank: Bank, config: TrainConfig, task: Objective, count: int) -> Batch:
    """Return held-out crops under the task's fixed degradation, the same at every call.

    Args:
        bank: pictures to validate on.
        config: of the run.
        task: the task.
        count: samples.
    """
    crops, rngs = [], []
    for sample in range(count):
        rng = keyed(0, VALIDATION_STEP, sample)
        crops.append(_clean(bank, config, rng))
        rngs.append(rng)
    return collate(crops, [validation(task, config.crop)] * count, rngs, config.described, len(bank.labels))


class Clean(NamedTuple):
    """A clean crop (3, P, P), its label (-1 = none) and picture, and whether its channels are equal."""

    x0: Tensor
    label: int
    picture: int
    gray: bool


def _clean(bank: Bank, config: TrainConfig, rng: Rng) -> Clean:
    levels, picture = bank.crop(rng, config.textured)
    if config.flip and rng.random() < 0.5:
        levels = levels[:, ::-1]
    x0 = torch.from_numpy(np.ascontiguousarray(levels.transpose(2, 0, 1))).float() / LEVEL - 1
    gray = bool(rng.random() < config.gray)
    if gray:
        x0 = luma(x0[None])[0].expand(3, -1, -1)
    label = -1 if rng.random() < config.label_dropout else bank.label(picture)
    return Clean(x0, label, picture, gray or bank.is_gray)


def collate(
    crops: Sequence[Clean], recipes: Sequence[SampleSpec], rngs: Sequence[Rng], described: int, labels: int
) -> Batch:
    """Degrade the crops as their specifications say.

    Args:
        crops: clean.
        recipes: what happens to each.
        rngs: the generator of each.
        described: numbers of a degradation that the network is told.
        labels: labels that the network knows.
    """
    x0 = torch.stack([crop.x0 for crop in crops])
    recipes, shots = list(recipes), dict[int, Shot]()
    for k, (crop, recipe, rng) in enumerate(zip(crops, recipes, rngs, strict=True)):
        if recipe.task == "camera" and recipe.guide is not None:
            shots[k] = shot(x0[k : k + 1], recipe.guide, rng, gray=crop.gray, described=described)
            x0[k] = shots[k].x0[0]
            wider = shots[k].told.told(described).sigma_p() / recipe.guide.sigma_p()
            recipes[k] = replace(recipe, guide=shots[k].told, sigma_t=recipe.sigma_t * wider)
    count, _, size, _ = x0.shape
    x_t, y, mu = x0.clone(), x0.clone(), torch.zeros_like(x0)
    sigma_y = torch.full((count, 1, size, size), INF)
    sigma_p = torch.full((count, 1, size, size), SIGMA_DATA)
    cond = torch.zeros(count, described + labels)
    for k, (crop, recipe, rng) in enumerate(zip(crops, recipes, rngs, strict=True)):
        if math.isfinite(recipe.sigma_t):
            x_t[k] += recipe.sigma_t * _noise(size, rng, gray=crop.gray)
        if recipe.observed is not None:
            sigma_y[k] = _sigma_y(recipe.observed, x0[k], rng)
            known = torch.where(torch.isinf(sigma_y[k]), 0.0, sigma_y[k])
            y[k] += known * _noise(size, rng, gray=crop.gray)
        if recipe.guide is not None:
            told = recipe.guide.told(described)
            if k in shots:
                y_k = shots[k].x0 + shots[k].noise
            else:
                y_k = _degraded(x0[k : k + 1], told, recipe.kernel, rng, gray=crop.gray)
            mu[k], sigma_p[k] = _guide(y_k, size, recipe, told, rng)
            cond[k, :described] = torch.tensor(told.cond()[:described])
        if crop.label >= 0:
            cond[k, described + crop.label] = 1
    filled = [k for k, recipe in enumerate(recipes) if recipe.fill]
    if filled:
        mu[filled], sigma_p[filled] = pull_push(y[filled], sigma_y[filled])
    sigma_t = torch.tensor([recipe.sigma_t for recipe in recipes]).reshape(-1, 1, 1, 1)
    x, sigma = fuse(x_t, sigma_t, y, sigma_y)
    seen = Observation(mu=mu, sigma_p=sigma_p, cond=cond)
    net_in, linear, c_out = precondition(seen, x, sigma)
    pictures = torch.tensor([crop.picture for crop in crops])
    return Batch(net_in, c_noise(sigma_t).flatten(), cond, x0, linear, c_out, pictures)


def _noise(size: int, rng: Rng, *, gray: bool) -> Tensor:
    """Return standard normal noise (3, size, size), with equal channels for a gray picture."""
    drawn = rng.standard_normal((1 if gray else 3, size, size), dtype=np.float32)
    return torch.from_numpy(drawn).expand(3, -1, -1)


def _sigma_y(observed: Observed, x0: Tensor, rng: Rng) -> Tensor:
    """Return the std of y's noise, (1, P, P)."""
    size = x0.shape[-1]
    sigma = torch.full((1, size, size), observed.level)
    if observed.varies == "field":
        coarse = torch.from_numpy(rng.standard_normal((1, 1, 4, 4), dtype=np.float32))
        smooth = F.interpolate(coarse, size=(size, size), mode="bicubic", align_corners=False)[0]
        sigma = sigma * (0.5 * smooth).exp()
    elif observed.varies == "signal":
        shot = (observed.shot * (x0.mean(0, keepdim=True) + 1) / 2 + 0.05).sqrt()
        sigma = sigma * shot / shot.mean()
    if observed.hole:
        sigma = torch.where(torch.from_numpy(hole(size, rng)), INF, sigma)
    return sigma


def _degraded(x0: Tensor, what: Degradation, kernel: Kernel | None, rng: Rng, *, gray: bool) -> Tensor:
    """Return the degraded (1, 3, p, p) of a clean (1, 3, P, P), up to the coder. A kernel blurs for the Gaussian."""
    if kernel is not None:
        x0, what = blur_by(x0, kernel), replace(what, blur=0.0)
    size = x0.shape[-1]
    small = shrunk_size((size, size), what.scale)
    return degrade(x0, what, noise=_noise(small[0], rng, gray=gray)[None] if what.noise else torch.zeros(()))


def _guide(y: Tensor, size: int, recipe: SampleSpec, what: Degradation, rng: Rng) -> tuple[Tensor, Tensor]:
    """Return mu (3, P, P) and sigma_p (1, P, P) of a degraded (1, 3, p, p)."""
    guide = _as_file(y, what.quality, recipe.subsampling)
    missing = torch.from_numpy(hole(y.shape[-1], rng)) if recipe.guide_hole else None
    sigma_p = torch.full((1, size, size), what.sigma_p())
    if missing is None:
        return resize(guide, (size, size))[0], sigma_p
    mu, sigma_p = fill_guide(guide, missing, sigma_p, (size, size))
    return mu[0], sigma_p[0]


def _as_file(y: Tensor, quality: float, subsampling: str) -> Tensor:
    """Round (1, 3, h, w) as an 8-bit file does; below quality 100 as a JPEG."""
    levels = ((y.clamp(-1, 1) + 1) * LEVEL).round()
    if quality < 100:
        array = levels[0].permute(1, 2, 0).to(torch.uint8).contiguous().numpy()
        levels = torch.from_numpy(through_jpeg(array, int(quality), subsampling)).permute(2, 0, 1)[None].float()
    return levels / LEVEL - 1
