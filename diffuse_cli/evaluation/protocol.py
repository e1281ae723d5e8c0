"""The test protocols of the literature: how a clean picture is damaged, and where a result is measured."""

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..degradation.camera import describe_noise
from ..degradation.damage import Damage
from ..degradation.operators import Degradation, blur, resize
from ..degradation.random_masks import random_mask
from ..images.image_io import Picture, read_pages, through_jpeg, to_levels, to_unit
from ..images.jpeg_writer import jpeg_file
from ..images.tensors import to_tensor
from ..images.units import LEVEL
from ..restoration.linear_part import linear_part
from ..restoration.noise_reading import LEAST_GRAIN, FoundNoise, NoiseReader
from ..restoration.problem import GuidePicture, Problem
from ..tasks.denoise import Denoise
from ..tasks.restore import Restore
from .conditions import Condition
from .metrics import luma

Levels = NDArray[Any]
"""(H, W, C) in 8-bit levels: integers, or floats that are not clipped."""
NO_NOISE = FoundNoise(level=0.0)
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
        noise: the noise as it truly is.
        besides: what else the network is told and is measured, by the name of the method.
    """

    condition: Condition
    clean: Levels
    damaged: Picture
    problem: Problem
    border: int = 0
    on_luma: bool = False
    noise: FoundNoise = NO_NOISE
    besides: Mapping[str, Problem] = field(default_factory=dict)

    def compared(self, levels: Levels) -> Levels:
        """Return the part of a result, or of the clean picture, that PSNR and SSIM measure."""
        inner = levels[self.border : levels.shape[0] - self.border, self.border : levels.shape[1] - self.border]
        return luma(inner) if self.on_luma else inner

    @property
    def damaged_levels(self) -> Levels:
        """The damaged picture in 8-bit levels, rounded."""
        return to_levels(self.damaged.pixels, 8)


Make = Callable[[Levels, Condition, str, NoiseReader | None], Case]
"""Damages a clean picture."""


def case(clean: Levels, condition: Condition, name: str, read_noise: NoiseReader | None = None) -> Case:
    """Damage a clean picture.

    Args:
        clean: (H, W, C) uint8.
        condition: what is done.
        name: the picture's; it seeds the mask, and the noise of cameras and film.
        read_noise: reads the noise of photographs where it is not told; None: only white noise is found.
    """
    make: dict[str, Make] = {
        "denoise": _noisy, "inpaint": _hidden, "super-resolve": _small, "jpeg": _jpeg, "deblur": _blurred,
        "restore": _mixed, "camera": _photographed, "film": _photographed,
    }  # fmt: skip
    return make[condition.task](clean, condition, name, read_noise)


def photograph(
    condition: Condition, clean: Levels, damaged: Picture, noise: FoundNoise, read: NoiseReader | None
) -> Case:
    """Return a noisy photograph as `denoise` and `restore` find it by default, and told the truth.

    Args:
        condition: where it comes from.
        clean: (H, W, C) levels.
        damaged: as its file was read.
        noise: as it truly is.
        read: reads the noise of photographs.
    """
    besides = {
        "diffuse restore": Restore().problem(damaged, read),
        "diffuse, told": Problem(observation=noise.observation(damaged)),
    }
    return Case(
        condition=condition, clean=clean, damaged=damaged, problem=Denoise().problem(damaged, read), noise=noise,
        besides=besides,
    )  # fmt: skip


def noise_between(clean: Levels, noisy: Levels) -> FoundNoise:
    """Return the noise of a picture: its level, and its grain unless the noise is white.

    Args:
        clean: (H, W, C) levels.
        noisy: the same picture with noise.
    """
    difference = (noisy.astype(np.float32) - clean.astype(np.float32)) / np.float32(LEVEL)
    level, grain = describe_noise(to_tensor(difference))
    return FoundNoise(level=level * LEVEL, grain=grain if grain >= LEAST_GRAIN else None)


def _noisy(clean: Levels, condition: Condition, name: str, read: NoiseReader | None) -> Case:
    """Add noise in float with seed 0 for each picture; it is clipped and rounded only as files."""
    noisy = clean + np.random.RandomState(0).normal(0, condition.level, clean.shape)
    if condition.jpeg is not None:
        return _stored(clean, _rounded(noisy), condition, read)
    if condition.as_files:
        damaged = Picture(pixels=to_unit(_rounded(noisy), 8))
    else:
        damaged = Picture(pixels=(noisy / LEVEL - 1).astype(np.float32), depth=16)
    noise = FoundNoise(level=condition.level)
    problem = Denoise().problem(damaged, read) if condition.blind else Problem(observation=noise.observation(damaged))
    return Case(condition=condition, clean=clean, damaged=damaged, problem=problem, noise=noise)


def _photographed(clean: Levels, condition: Condition, name: str, read: NoiseReader | None) -> Case:
    """Add the noise of a camera or of film, as `degrade` does; the picture's name seeds it."""
    iso, film = (condition.level if condition.task == task else None for task in ("camera", "film"))
    damage = Damage(camera=iso, film=film, seed=zlib.crc32(name.encode()))
    noisy, _ = damage.apply(Picture(pixels=to_unit(clean, 8)))
    return _stored(clean, to_levels(noisy.pixels, 8), condition, read)


def _stored(clean: Levels, noisy: Levels, condition: Condition, read: NoiseReader | None) -> Case:
    """Store a noisy picture, as a JPEG of the condition's quality if it has one, and read it again."""
    noise = noise_between(clean, noisy)
    noisy = noisy.astype(np.uint8)
    damaged = Picture(pixels=to_unit(noisy, 8))
    if condition.jpeg is not None:
        damaged = next(read_pages(Path("noisy.jpg"), data=jpeg_file(noisy, condition.jpeg, "4:2:0")))
    return photograph(condition, clean, damaged, noise, read)


def _hidden(clean: Levels, condition: Condition, name: str, read: NoiseReader | None) -> Case:
    """Hide pixels under marks of one kind, seeded by the picture's name; they are white in the input."""
    kind = condition.kind or "strokes"
    hole = random_mask(clean.shape[:2], kind, share=condition.level / 100, seed=zlib.crc32(name.encode()))
    damaged = Picture(pixels=to_unit(np.where(hole[..., None], np.uint8(255), clean), 8))
    return Case(condition=condition, clean=clean, damaged=damaged, problem=Problem(hole=hole))


def _small(clean: Levels, condition: Condition, name: str, read: NoiseReader | None) -> Case:
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


def _jpeg(clean: Levels, condition: Condition, name: str, read: NoiseReader | None) -> Case:
    """Save as JPEG with Pillow, 4:2:0 in colour."""
    damaged = Picture(pixels=to_unit(through_jpeg(clean, int(condition.level), "4:2:0"), 8))
    told = _guided(Degradation(quality=condition.level))
    return Case(condition=condition, clean=clean, damaged=damaged, problem=_told(told, damaged, condition, read))


def _blurred(clean: Levels, condition: Condition, name: str, read: NoiseReader | None) -> Case:
    """Blur with a Gaussian, and round."""
    damaged = Picture(pixels=to_unit(_rounded(_array(blur(_tensor(clean), condition.level))), 8))
    told = _guided(Degradation(blur=condition.level))
    return Case(condition=condition, clean=clean, damaged=damaged, problem=_told(told, damaged, condition, read))


def _mixed(clean: Levels, condition: Condition, name: str, read: NoiseReader | None) -> Case:
    """Apply one of the mixtures; the network is told what was done."""
    what = MIXTURES[int(condition.level)]
    picture, _ = what.apply(Picture(pixels=to_unit(clean, 8)))
    levels: Levels = to_levels(picture.pixels, 8)
    levels = levels if what.jpeg is None else through_jpeg(levels, what.jpeg, what.subsampling)
    size = (clean.shape[0], clean.shape[1])
    damaged = Picture(pixels=to_unit(levels, 8))
    what_happened = Degradation(scale=what.scale, noise=what.noise / LEVEL, quality=what.jpeg or 100, blur=what.blur)
    told = _guided(what_happened, size if what.scale > 1 else None)
    problem = _told(told, damaged, condition, read, what.scale)
    return Case(condition=condition, clean=clean, damaged=damaged, problem=problem)


def _told(
    told: Problem, damaged: Picture, condition: Condition, read: NoiseReader | None, scale: float = 1.0
) -> Problem:
    """Return what the network is told: the truth or, if blind, the estimate. The size of the result is always told."""
    return sized(Restore(scale=scale).problem(damaged, read), told.size) if condition.blind else told


def sized(problem: Problem, size: tuple[int, int] | None) -> Problem:
    """Return the problem with a result of that size (height, width), if its picture is a guide."""
    if problem.guide is None:
        return problem
    return replace(problem, observation=replace(problem.guide, size=size))


def _guided(degradation: Degradation, size: tuple[int, int] | None = None) -> Problem:
    linear = linear_part(degradation, degradation.blur)
    return Problem(observation=GuidePicture(degradation=degradation, size=size, linear=linear))


def _rounded(levels: Levels) -> NDArray[np.uint8]:
    return levels.round().clip(0, 255).astype(np.uint8)


def _tensor(levels: Levels) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(levels.transpose(2, 0, 1), dtype=np.float32))[None]


def _array(x: torch.Tensor) -> Levels:
    return x[0].permute(1, 2, 0).numpy()
