"""Time of restoring without files: a whole picture, a box of a hundredth of it, and dust all over it."""

import time
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..degradation.noise_field import noise_field
from ..diffusion.inference import Run, infer
from ..diffusion.model import Model
from ..restoration.observe import observe
from ..restoration.problem import NoisyPicture, Problem

DUST_SHARE, SPECK = 0.002, 4
"""The share of the pixels that specks hide, and the side of a speck."""


def time_regions(model: Model, megapixels: float) -> list[dict[str, Any]]:
    """Return the seconds of `observe` and `infer` for each task, and their share of a whole picture's."""
    width = round((megapixels * 1e6 * 4 / 3) ** 0.5 / 16) * 16
    size = (width * 3 // 4, width)
    y = torch.from_numpy(0.3 * noise_field((64, 64), seed=0)).repeat(1, -(-size[0] // 64), -(-size[1] // 64))
    y = y[None, :, : size[0], : size[1]].contiguous(memory_format=torch.channels_last)
    tasks = {
        "denoise, the whole": Problem(observation=NoisyPicture(noise=15 / 127.5)),
        "inpaint, one box of a hundredth": Problem(hole=_box(size)),
        "inpaint, dust everywhere": Problem(hole=_dust(size)),
    }
    rows: list[dict[str, Any]] = []
    for name, problem in tasks.items():
        begin = time.perf_counter()
        known = observe(y, problem, model.nothing_known(1, y.device), gray=False, sampling=False)
        infer(known, Run(model=model))
        seconds = time.perf_counter() - begin
        rows.append({"task": name, "megapixels": size[0] * size[1] / 1e6, "seconds": seconds})
    return [row | {"of_the_whole": row["seconds"] / rows[0]["seconds"]} for row in rows]


def _box(size: tuple[int, int]) -> NDArray[np.bool_]:
    hole = np.zeros(size, bool)
    hole[size[0] // 3 : size[0] // 3 + size[0] // 10, size[1] // 3 : size[1] // 3 + size[1] // 10] = True
    return hole


def _dust(size: tuple[int, int]) -> NDArray[np.bool_]:
    rng, hole = np.random.default_rng(0), np.zeros(size, bool)
    specks = int(DUST_SHARE * size[0] * size[1] / SPECK**2)
    tops, lefts = rng.integers(0, size[0] - SPECK, specks), rng.integers(0, size[1] - SPECK, specks)
    for row in range(SPECK):
        for column in range(SPECK):
            hole[tops + row, lefts + column] = True
    return hole
