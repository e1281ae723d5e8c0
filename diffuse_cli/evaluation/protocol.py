"""The literature's test protocols: how a clean picture is damaged, and how what becomes of it is measured."""

import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray

from ..degradation.damage import Damage
from ..degradation.operators import Degradation, blur, resize
from ..degradation.random_masks import MaskKind, random_mask
from ..errors import UsageError
from ..images.image_io import Picture, through_jpeg, to_levels, to_unit
from ..images.units import LEVEL
from ..restoration.problem import GuidePicture, Problem
from ..tasks.denoise import Denoise
from ..tasks.restore import Restore
from .metrics import luma

Levels = NDArray[Any]
"""(H, W, C) in 8-bit levels: integers, or floats that are not clipped."""
TaskName = Literal["denoise", "inpaint", "super-resolve", "jpeg", "deblur", "restore"]
TASKS: tuple[TaskName, ...] = get_args(TaskName)


def task_named(name: str) -> TaskName:
    """The task of that name.

    Raises: UsageError: there is none.
    """
    for task in TASKS:
        if task == name:
            return task
    raise UsageError(f"--task must be one of {', '.join(TASKS)}, not {name}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Condition:
    """What is done to a clean picture.

    Attributes:
        level: noise std in 8-bit levels, hidden share in percent, factor, JPEG quality, blur std in pixels, or mixture.
        kind: of the mask.
        as_files: noise is clipped and rounded to 8 bits, as in a file.
        blind: the damage is estimated, not told: noise as `denoise`, anything else as `restore` does.
    Raises: UsageError: a level that this task cannot have.
    """

    task: TaskName
    level: float
    kind: MaskKind | None = None
    as_files: bool = False
    blind: bool = False

    def __post_init__(self) -> None:
        """Check the ranges."""
        low, high = _RANGES[self.task]
        if not low <= self.level <= high:
            raise UsageError(f"--level of {self.task} must lie in {low:g} .. {high:g}, not {self.level:g}")
        if self.task in ("jpeg", "restore") and self.level != int(self.level):
            raise UsageError(f"--level of {self.task} must be a whole number, not {self.level:g}")

    def __str__(self) -> str:
        """As a table names it: "noise 25", "x4", "text 13 %"."""
        if self.task == "inpaint":
            return f"{self.kind} {self.level:g} %"
        name = {"denoise": "noise ", "super-resolve": "x", "jpeg": "JPEG ", "deblur": "blur ", "restore": "mixture "}
        return f"{name[self.task]}{self.level:g}"


_RANGES: dict[TaskName, tuple[float, float]] = {
    "denoise": (0, 1000),
    "inpaint": (0.1, 90),
    "super-resolve": (1.05, 8),
    "jpeg": (1, 100),
    "deblur": (0.1, 10),
    "restore": (1, 3),
}
_USUAL: dict[TaskName, tuple[float, ...]] = {
    "denoise": (15, 25, 50),
    "super-resolve": (2, 3, 4),
    "jpeg": (10, 20, 40),
    "deblur": (0.8, 1.6, 2.4),
    "restore": (1, 2, 3),
}
_USUAL_MASKS: dict[MaskKind, float] = {"text": 13, "strokes": 21, "boxes": 10, "dust": 5}
MIXTURES = {
    1: Damage(noise=15, jpeg=75),
    2: Damage(blur=1.2, noise=10, jpeg=60),
    3: Damage(blur=0.8, scale=2, noise=10, jpeg=60),
}


def conditions(task: TaskName, levels: tuple[float, ...], *, as_files: bool, blind: bool) -> list[Condition]:
    """What to measure a task under: at these levels, or at the usual ones.

    Raises: UsageError: as `Condition`; --as-files or --blind with a task that has no use for it.
    """
    if as_files and task != "denoise":
        raise UsageError(f"--as-files is for --task denoise, not {task}")
    if blind and task in ("inpaint", "super-resolve"):
        raise UsageError(f"--blind is for damage that can be estimated, not for {task}")
    if task == "inpaint":
        pairs = [(kind, level) for kind, usual in _USUAL_MASKS.items() for level in levels or (usual,)]
        return [Condition(task=task, level=level, kind=kind) for kind, level in pairs]
    return [
        Condition(task=task, level=level, as_files=task == "denoise" and (as_files or blind), blind=blind)
        for level in levels or _USUAL[task]
    ]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Case:
    """One damaged picture.

    Attributes:
        condition: what was done.
        clean: (H, W, C) levels to compare with.
        damaged: what a method gets.
        problem: what the core is told.
        border: pixels left out at each side when measuring.
        on_luma: PSNR and SSIM are taken on Y.
    """

    condition: Condition
    clean: Levels
    damaged: Picture
    problem: Problem
    border: int = 0
    on_luma: bool = False

    def compared(self, levels: Levels) -> Levels:
        """The part of a result, or of the clean picture, that PSNR and SSIM look at."""
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
        name: the picture's, which seeds its mask.
    """
    make: dict[TaskName, Callable[[Levels, Condition, str], Case]] = {
        "denoise": _noisy, "inpaint": _hidden, "super-resolve": _small, "jpeg": _jpeg, "deblur": _blurred,
        "restore": _mixed,
    }  # fmt: skip
    return make[condition.task](clean, condition, name)


def _noisy(clean: Levels, condition: Condition, name: str) -> Case:
    """Noise in float with seed 0 for each picture; neither clipped nor rounded unless as files."""
    noisy = clean + np.random.RandomState(0).normal(0, condition.level, clean.shape)
    if condition.as_files:
        damaged = Picture(pixels=to_unit(_rounded(noisy), 8))
    else:
        damaged = Picture(pixels=(noisy / LEVEL - 1).astype(np.float32), depth=16)
    task = Denoise(noise="auto" if condition.blind else condition.level)
    return Case(condition=condition, clean=clean, damaged=damaged, problem=task.problem(damaged))


def _hidden(clean: Levels, condition: Condition, name: str) -> Case:
    """Marks of one kind, seeded by the picture's name; the pixels under them are white in what a method gets."""
    kind = condition.kind or "strokes"
    hole = random_mask(clean.shape[:2], kind, share=condition.level / 100, seed=zlib.crc32(name.encode()))
    damaged = Picture(pixels=to_unit(np.where(hole[..., None], np.uint8(255), clean), 8))
    return Case(condition=condition, clean=clean, damaged=damaged, problem=Problem(hole=hole))


def _small(clean: Levels, condition: Condition, name: str) -> Case:
    """Cropped to multiples of a whole factor, shrunk by antialiased bicubic (a = -0.5), rounded; Y, border cropped."""
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
    """Saved as JPEG by Pillow, 4:2:0 in colour."""
    damaged = Picture(pixels=to_unit(through_jpeg(clean, int(condition.level), "4:2:0"), 8))
    told = _guided(Degradation(quality=condition.level))
    return Case(condition=condition, clean=clean, damaged=damaged, problem=_told(told, damaged, condition))


def _blurred(clean: Levels, condition: Condition, name: str) -> Case:
    """Gaussian blur, rounded."""
    damaged = Picture(pixels=to_unit(_rounded(_array(blur(_tensor(clean), condition.level))), 8))
    told = _guided(Degradation(blur=condition.level))
    return Case(condition=condition, clean=clean, damaged=damaged, problem=_told(told, damaged, condition))


def _mixed(clean: Levels, condition: Condition, name: str) -> Case:
    """One of the mixtures, described to the core as it was made."""
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
    """What the core is told: the truth or, blind, what is found out; only a size that is wanted is always told."""
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
