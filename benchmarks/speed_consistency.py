"""What `super-resolve --consistent` costs: python -m benchmarks.speed_consistency PICTURES REPORT.json

PICTURES is a folder of clean ones, of which five are used. Each is shrunk as the literature does it, stored in 8 bits,
and enlarged again: by bicubic interpolation, without and with --consistent. PSNR on Y in dB, HaarPSI and LPIPS where
they are installed; `apart` is the largest difference, in 8-bit levels, between the 8-bit result, shrunk in float, and
the input (what goes beyond black and white is cut off), `wrong` the share of the input's levels that are not met when
that is rounded.
"""

import json
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from diffuse_cli.degradation.operators import resize
from diffuse_cli.diffusion.checkpoint import find, to_recipe
from diffuse_cli.diffusion.model import Model
from diffuse_cli.diffusion.settings import Settings
from diffuse_cli.evaluation.conditions import Condition
from diffuse_cli.evaluation.evaluate import perceptual_measures
from diffuse_cli.evaluation.metrics import psnr
from diffuse_cli.evaluation.picture_sets import pictures
from diffuse_cli.evaluation.protocol import Case, Levels, case
from diffuse_cli.images.image_io import read_picture, to_levels
from diffuse_cli.restoration.restore import restore

PICTURES = 5
FACTORS = (2, 2.7, 4)
METHODS = ("bicubic", "diffuse", "diffuse --consistent")


def resized(levels: Levels, size: tuple[int, int]) -> NDArray[np.float32]:
    x = torch.from_numpy(np.ascontiguousarray(levels.transpose(2, 0, 1), dtype=np.float32))[None]
    return np.asarray(resize(x, size)[0].permute(1, 2, 0).clamp(0, 255))


def enlarged(damaged: Case, method: str, model: Model) -> Levels:
    if method == "bicubic":
        return resized(damaged.damaged_levels, damaged.clean.shape[:2]).round().astype(np.uint8)
    guide = damaged.problem.guide
    assert guide is not None
    task = replace(damaged.problem, observation=replace(guide, consistent="--consistent" in method))
    return to_levels(restore(damaged.damaged, task, Settings(), model).pixels, 8)


def main(folder: str, report: str) -> None:
    torch.set_num_threads(1)  # for seconds that other programs beside it change little
    model = Model.load("photo", device="cpu")
    measures, left_out = perceptual_measures()
    found: dict[tuple[float, str], list[dict[str, float]]] = {}
    paths = pictures(Path(folder), PICTURES)
    for path in paths:
        clean = to_levels(read_picture(path).pixels, 8)
        for factor in FACTORS:
            damaged = case(clean, Condition(task="super-resolve", level=factor), path.name)
            small = damaged.damaged_levels
            for method in METHODS:
                begin = time.perf_counter()
                made = enlarged(damaged, method, model)
                values = {"seconds": time.perf_counter() - begin}
                values["psnr"] = psnr(damaged.compared(made), damaged.compared(damaged.clean))
                values |= {name: measure(made, damaged.clean) for name, measure in measures.items()}
                apart = np.abs(resized(made, small.shape[:2]) - small)
                values |= {"apart": float(apart.max()), "wrong": float((apart > 0.5).mean())}
                found.setdefault((factor, method), []).append(values)
        sys.stderr.write(f"{path.name}\n")
    rows = [{"factor": f, "method": m} | mean(values) for (f, m), values in found.items()]
    head = {
        "checkpoint": to_recipe(find("photo")),
        "pictures": len(paths),
        "dtype": str(model.network.dtype).removeprefix("torch."),
        "left_out": left_out,
    }
    Path(report).write_text(json.dumps(head | {"rows": rows}, indent=1) + "\n")


def mean(values: list[dict[str, float]]) -> dict[str, float]:
    """Over the pictures; of `apart` the largest."""
    of = {name: np.array([one[name] for one in values]) for name in values[0]}
    return {name: round(float(v.max() if name == "apart" else v.mean()), 5) for name, v in of.items()}


if __name__ == "__main__":
    main(*sys.argv[1:])
