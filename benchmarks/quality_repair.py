"""How well damage is estimated, and what that costs.

python -m benchmarks.quality_repair PART --data DIR ... [--limit N]

    estimators   findings against the truth, for damage alone and mixed
    oracle       restore with everything on auto, against the same network told the truth
    undegraded   what restore does to pictures that nothing happened to

Prints JSON, as checkpoints/measured/repair-PART.json holds it. PSNR counts all channels together, of 8-bit results.
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from diffuse_cli.degradation.damage import Damage
from diffuse_cli.degradation.estimation.compression import estimate_compression
from diffuse_cli.degradation.estimation.estimate import estimate_degradation
from diffuse_cli.diffusion.checkpoint import find, to_recipe
from diffuse_cli.diffusion.model import Model
from diffuse_cli.diffusion.settings import Settings
from diffuse_cli.evaluation.conditions import Condition, TaskName
from diffuse_cli.evaluation.metrics import psnr
from diffuse_cli.evaluation.picture_sets import clean_levels, pictures
from diffuse_cli.evaluation.protocol import Levels, case, sized
from diffuse_cli.images.image_io import Picture, through_jpeg, to_levels, to_unit
from diffuse_cli.restoration.problem import Problem
from diffuse_cli.restoration.restore import restore
from diffuse_cli.tasks.restore import Restore

Row = dict[str, Any]


@dataclass(frozen=True)
class Clean:
    """A picture of a test set."""

    set: str
    name: str
    levels: Levels


def clean(folders: list[Path], limit: int | None) -> Iterator[Clean]:
    for folder in folders:
        for path in pictures(folder, limit):
            yield Clean(folder.name, path.name, clean_levels(path, gray=False))


# Estimators ----------------------------------------------------------------------------------------------------------

DAMAGE: dict[str, dict[str, Any]] = {
    "none": {},
    "noise 5": {"noise": 5},
    "noise 15": {"noise": 15},
    "noise 25": {"noise": 25},
    "noise 50": {"noise": 50},
    "shot noise 2": {"poisson": 2},
    "JPEG 30": {"jpeg": 30},
    "JPEG 80": {"jpeg": 80},
    "blur 1.2": {"blur": 1.2},
    "blur 2.4": {"blur": 2.4},
    "noise 15, then JPEG 80": {"noise": 15, "jpeg": 80},
    "blur 1.6, then noise 10": {"blur": 1.6, "noise": 10},
    "shrunk x2, then JPEG 70": {"scale": 2, "jpeg": 70},
}


def damaged(levels: Levels, what: dict[str, Any]) -> Picture:
    """As a PNG would hold it: a JPEG is coded, decoded, and its tables forgotten."""
    picture = Picture(pixels=to_unit(levels, 8))
    if not what:
        return picture
    inflicted = to_levels(Damage(**what).apply(picture)[0].pixels, 8).astype(np.uint8)
    return Picture(pixels=to_unit(through_jpeg(inflicted, what["jpeg"], "4:2:0") if "jpeg" in what else inflicted, 8))


def estimators(folders: list[Path], limit: int | None) -> Row:
    """Mean absolute error of each finding, and how often what did not happen was found."""
    found: dict[str, list[Row]] = {name: [] for name in DAMAGE}
    qualities: list[tuple[int, int | None]] = []
    for one in clean(folders, limit):
        for name, what in DAMAGE.items():
            seen = estimate_degradation(damaged(one.levels, what))
            found[name].append({
                "set": one.set, "picture": one.name, "noise": seen.noise.value, "jpeg": seen.jpeg.value,
                "blur": seen.blur.value, "gain": seen.noise_model.gain, "confidence": {
                    key: getattr(seen, key).confidence for key in ("noise", "jpeg", "blur")
                },
            })  # fmt: skip
        for quality in (10, 20, 30, 40, 50, 60, 70, 80, 90, 95):
            for chroma in ("4:2:0", "4:4:4"):
                coded = through_jpeg(one.levels, quality, chroma).astype(np.float32)
                qualities.append((quality, estimate_compression(coded).quality))
        print(one.name, file=sys.stderr)
    rows = [{"damage": name, "truth": DAMAGE[name], "images": images} for name, images in found.items()]
    right = sum(q == read for q, read in qualities)
    return {"rows": rows, "jpeg_quality": {"cases": len(qualities), "right": right}}


# Against the oracle --------------------------------------------------------------------------------------------------

TASKS: dict[TaskName, tuple[float, ...]] = {
    "denoise": (15, 25, 50), "jpeg": (10, 20, 40), "deblur": (0.8, 1.6, 2.4), "restore": (1, 2, 3),
}  # fmt: skip


def reached(picture: Picture, task: Problem, truth: Levels, model: Model) -> float:
    result = restore(picture, task, Settings(), model)
    return psnr(to_levels(result.pixels, 8), truth)


def oracle(folders: list[Path], limit: int | None) -> Row:
    model = Model.load("photo", device="cpu", dtype="auto")
    rows: list[Row] = []
    conditions = [
        Condition(task=task, level=level, as_files=task == "denoise")
        for task, usual in TASKS.items()
        for level in usual
    ]
    for one in clean(folders, limit):
        for condition in conditions:
            damage = case(one.levels, condition, one.name)
            scale = 2.0 if condition.task == "restore" and condition.level == 3 else 1.0
            auto = sized(Restore(scale=scale).problem(damage.damaged), damage.problem.size)
            told, blind = (reached(damage.damaged, problem, one.levels, model) for problem in (damage.problem, auto))
            rows.append({
                "set": one.set, "picture": one.name, "task": condition.task, "condition": str(condition), "told": told,
                "auto": blind, "note": auto.findings.notes[0],
            })  # fmt: skip
            values = f"{told:.2f} {blind:.2f}"
            print(one.name, str(condition), values, auto.findings.notes[0], file=sys.stderr, flush=True)
    return {"rows": rows, "dtype": str(model.network.dtype)}


def undegraded(folders: list[Path], limit: int | None) -> Row:
    model = Model.load("photo", device="cpu", dtype="auto")
    rows: list[Row] = []
    for one in clean(folders, limit):
        picture = Picture(pixels=to_unit(one.levels, 8))
        task = Restore().problem(picture)
        value = 100.0 if task.leaves_alone else reached(picture, task, one.levels, model)
        rows.append({"set": one.set, "picture": one.name, "psnr": value, "note": task.findings.notes[0]})
        print(one.set, one.name, f"{value:.2f}", task.findings.notes[0], file=sys.stderr, flush=True)
    return {"rows": rows}


PARTS: dict[str, Callable[[list[Path], int | None], Row]] = {
    "estimators": estimators, "oracle": oracle, "undegraded": undegraded,
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", choices=PARTS)
    parser.add_argument("--data", type=Path, action="append", required=True)
    parser.add_argument("--limit", type=int)
    options = parser.parse_args()
    torch.set_num_threads(1)
    print(
        json.dumps(
            {"checkpoint": to_recipe(find("photo"))} | PARTS[options.part](options.data, options.limit), indent=1
        )
    )


if __name__ == "__main__":
    main()
