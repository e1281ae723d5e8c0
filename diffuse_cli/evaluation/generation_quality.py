"""The distance of generated pictures from photographs, between two sets of pictures."""

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..diffusion.checkpoint import CheckpointInfo
from ..diffusion.generation import generate
from ..diffusion.model import Model
from ..diffusion.settings import Settings
from ..errors import DiffuseError, PictureError
from .evaluate import Outcome, Turn, failures, heading
from .metrics import colour_tensor, sliced_wasserstein
from .picture_sets import clean_levels
from .protocol import Levels

SIDE = 64
"""Side of the pictures that are compared; smaller ones are compared at their own size."""
MIN_SIDE = 28


def evaluate_generation(
    sets: dict[str, list[Path]], settings: Settings, model: Model, info: CheckpointInfo, turn: Turn
) -> Outcome:
    """Generate as many pictures as a set has, and measure the distance of their patches from those of the set.

    The set's pictures are cropped at a seeded place. The distance between two sets of such crops is measured too: it is
    the best that a generator can be expected to reach.

    Args:
        sets: picture files by the name of their set.
        settings: how to compute.
        model: what is measured.
        info: of the checkpoint that `model` is.
        turn: entered for each picture, by its name.

    Returns:
        A report whose rows hold `swd` (metrics.sliced_wasserstein) and no single images.
    """
    failed: list[tuple[Path, DiffuseError]] = []
    table: list[dict[str, Any]] = []
    for name, paths in sets.items():
        real = list(_readable(paths, failed))
        if not real:
            continue
        side = min(SIDE, *(min(levels.shape[:2]) for _, levels in real))
        crops, others = (_crops([levels for _, levels in real], side, seed) for seed in (0, 1))
        made, begin = [], time.perf_counter()
        for k, (path, _) in enumerate(real):
            with turn(path.name):
                made.append(generate((side, side), replace(settings, sample=k), model).clamp(-1, 1) / 2 + 0.5)
        seconds = (time.perf_counter() - begin) / (len(real) * side * side / 1e6)
        drawn = sliced_wasserstein(crops, torch.cat(made))
        table.append(_row(name, f"diffuse, {settings.steps} steps", len(real), side, drawn, seconds))
        table.append(
            _row(name, "the pictures, cropped elsewhere", len(real), side, sliced_wasserstein(crops, others), 0)
        )
    return Outcome(report=heading(settings, model, info) | {"failed": failures(failed), "rows": table}, failed=failed)


def _readable(paths: list[Path], failed: list[tuple[Path, DiffuseError]]) -> list[tuple[Path, Levels]]:
    found = []
    for path in paths:
        try:
            levels = clean_levels(path, gray=False)
            if min(levels.shape[:2]) < MIN_SIDE:
                raise PictureError(f"{path}: smaller than {MIN_SIDE} pixels a side, too small to compare")
            found.append((path, levels))
        except DiffuseError as error:
            failed.append((path, error))
    return found


def _crops(pictures: list[Levels], side: int, seed: int) -> Tensor:
    """Return crops (N, 3, side, side) in 0..1, one of each picture."""
    rng = np.random.default_rng(seed)
    corners = [[int(rng.integers(n - side + 1)) for n in levels.shape[:2]] for levels in pictures]
    return torch.cat(
        [
            colour_tensor(levels[top : top + side, left : left + side])
            for levels, (top, left) in zip(pictures, corners, strict=True)
        ]
    )


def _row(folder: str, method: str, count: int, side: int, distance: float, seconds: float) -> dict[str, Any]:
    return {
        "set": folder, "task": "generate", "condition": f"{side}x{side}", "level": side, "protocol": "", "gray": False,
        "method": method, "pictures": count, "mean": {"swd": round(distance, 3)}, "interval": {"swd": None},
        "seconds_per_megapixel": round(seconds, 4), "images": [],
    }  # fmt: skip
