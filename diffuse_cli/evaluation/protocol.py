"""The test protocols of the literature: how a clean picture is damaged, and where a result is measured."""

import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..degradation.damage import Damage
from ..degradation.operators import Degradation, blur, resize
from ..degradation.random_masks import random_mask
from ..images.image_io import Picture, through_jpeg, to_levels, to_unit
from ..images.units import LEVEL
from ..restoration.problem import GuidePicture, Problem
from ..tasks.denoise import Denoise
from ..tasks.restore import Restore
from .conditions import Condition, TaskName
from .metrics import luma

Levels = NDArray[Any]
"""(H, W, C) in 8-bit levels: integers, or floats that are not clipped."""
MIXTURES = {
    1: Damage(noise=15, jpeg=75),
    2: Damage(blur=1.2, noise=10, jpeg=60),
    3: Damage(blur=0.8, scale=2, noise=10, jpeg=60),
}


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Case:
    """One damaged picture.

    Attributes:
        condition: what was done.
        clean: (H, W, C) levels to compare with.
        damaged: the input of a method.
        problem: what the network is told.
        border: pixels at each side that are not measured.
        on_luma: PSNR and SSIM are taken on Y.
    """

    condition: Condition
    clean: Levels
    damaged: Picture
    problem: Problem
    border: int = 0
    on_luma: bool = False

    def compared(self, levels: Levels) -> Levels:
        """Return the part of a result, or of the clean picture, that PSNR and SSIM measure."""
        inner = levels[self.border : levels.shape[0] - self.border, self.border : levels.shape[1] - self.border]
        return luma(inner) if self.on_luma else inner

    @property
    def damaged_levels(self) -> Levels:
        """The damaged picture in 8-bit levels, rounded."""
        return to_levels(self.damaged.pixels, 8)


def case(clean: Levels, condition: Condition, name: str) -> Case:
    """Damage a clean picture.

    Args:
        clean: (H, W, C) uint8.
        condition: what is done.
        name: the picture's; it seeds the mask.
    """
    make: dict[TaskName, Callable[[Levels, Condition, str], Case]] = {
        "denoise": _noisy, "inpaint": _hidden, "super-resolve": _small, "jpeg": _jpeg, "deblur": _blurred,
        "restore": _mixed,
    }  # fmt: skip
    return make[condition.task](clean, condition, name)


def _noisy(clean: Levels, condition: Condition, name: str) -> Case:
    """Add noise in float with seed 0 for each picture; it is clipped and rounded only as files."""
    noisy = clean + np.random.RandomState(0).normal(0, condition.level, clean.shape)
    if condition.as_files:
        damaged = Picture(pixels=to_unit(_rounded(noisy), 8))
    else:
        damaged = Picture(pixels=(noisy / LEVEL - 1).astype(np.float32), depth=16)
    task = Denoise(noise="auto" if condition.blind else condition.level)
    return Case(condition=condition, clean=clean, damaged=damaged, problem=task.problem(damaged))


def _hidden(clean: Levels, condition: Condition, name: str) -> Case:
    """Hide pixels under marks of one kind, seeded by the picture's name; they are white in the input."""
    kind = condition.kind or "strokes"
    hole = random_mask(clean.shape[:2], kind, share=condition.level / 100, seed=zlib.crc32(name.encode()))
    damaged = Picture(pixels=to_unit(np.where(hole[..., None], np.uint8(255), clean), 8))
    return Case(condition=condition, clean=clean, damaged=damaged, problem=Problem(hole=hole))


def _small(clean: Levels, condition: Condition, name: str) -> Case:
    """Crop to multiples of a whole factor, shrink by antialiased bicubic (a = -0.5), round; measure Y inside it."""
    scale = condition.level
    if scale == int(scale):
        clean = clean[: clean.shape[0] // int(scale) * int(scale), : clean.shape[1] // int(scale) * int(scale)]
    size = (clean.shape[0], clean.shape[1])
    small = _rounded(_array(resize(_tensor(clean), (round(size[0] / scale), round(size[1] / scale)))))
    return Case(
        condition=condition, clean=clean, damaged=Picture(pixels=to_unit(small, 8)), border=int(np.ceil(scale)),
        problem=_guided(Degradation(scale=scale), size), on_luma=True,
    )  # fmt: skip


def _jpeg(clean: Levels, condition: Condition, name: str) -> Case:
    """Save as JPEG with Pillow, 4:2:0 in colour."""
    damaged = Picture(pixels=to_unit(through_jpeg(clean, int(condition.level), "4:2:0"), 8))
    told = _guided(Degradation(quality=condition.level))
    return Case(condition=condition, clean=clean, damaged=damaged, problem=_told(told, damaged, condition))


def _blurred(clean: Levels, condition: Condition, name: str) -> Case:
    """Blur with a Gaussian, and round."""
    damaged = Picture(pixels=to_unit(_rounded(_array(blur(_tensor(clean), condition.level))), 8))
    told = _guided(Degradation(blur=condition.level))
    return Case(condition=condition, clean=clean, damaged=damaged, problem=_told(told, damaged, condition))


def _mixed(clean: Levels, condition: Condition, name: str) -> Case:
    """Apply one of the mixtures; the network is told what was done."""
    what = MIXTURES[int(condition.level)]
    picture, _ = what.apply(Picture(pixels=to_unit(clean, 8)))
    levels: Levels = to_levels(picture.pixels, 8)
    levels = levels if what.jpeg is None else through_jpeg(levels, what.jpeg, what.subsampling)
    size = (clean.shape[0], clean.shape[1])
    damaged = Picture(pixels=to_unit(levels, 8))
    what_happened = Degradation(scale=what.scale, noise=what.noise / LEVEL, quality=what.jpeg or 100, blur=what.blur)
    told = _guided(what_happened, size if what.scale > 1 else None)
    return Case(condition=condition, clean=clean, damaged=damaged, problem=_told(told, damaged, condition, what.scale))


def _told(told: Problem, damaged: Picture, condition: Condition, scale: float = 1.0) -> Problem:
    """Return what the network is told: the truth or, if blind, the estimate. The size of the result is always told."""
    return sized(Restore(scale=scale).problem(damaged), told.size) if condition.blind else told


def sized(problem: Problem, size: tuple[int, int] | None) -> Problem:
    """Return the problem with a result of that size (height, width), if its picture is a guide."""
    if problem.guide is None:
        return problem
    return replace(problem, observation=replace(problem.guide, size=size))


def _guided(degradation: Degradation, size: tuple[int, int] | None = None) -> Problem:
    return Problem(observation=GuidePicture(degradation=degradation, size=size))


def _rounded(levels: Levels) -> NDArray[np.uint8]:
    return levels.round().clip(0, 255).astype(np.uint8)


def _tensor(levels: Levels) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(levels.transpose(2, 0, 1), dtype=np.float32))[None]


def _array(x: torch.Tensor) -> Levels:
    return x[0].permute(1, 2, 0).numpy()
