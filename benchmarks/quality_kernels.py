"""Motion and defocus, undone when told and when found: python -m benchmarks.quality_kernels --data PHOTOS

Each photograph (its middle) is blurred, gets one level of white noise and is rounded. PSNR counts all channels
together, of 8-bit results, without a border as wide as the kernel: Wiener and Richardson-Lucy know nothing of borders.
Prints JSON, as checkpoints/measured/kernels.json holds it.

    told    `deblur --motion` or `--defocus`
    found   `restore` without options
    sure    how many of the blurs were found, and undone
"""

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from skimage import restoration

from diffuse_cli.degradation.damage import Damage
from diffuse_cli.degradation.kernels import Kernel, defocus, motion
from diffuse_cli.diffusion.checkpoint import find, to_recipe
from diffuse_cli.diffusion.model import Model
from diffuse_cli.diffusion.settings import Settings
from diffuse_cli.evaluation.metrics import psnr
from diffuse_cli.evaluation.picture_sets import Levels, clean_levels, pictures
from diffuse_cli.images.image_io import Picture, to_levels, to_unit
from diffuse_cli.restoration.noise_reading import noise_reader
from diffuse_cli.restoration.restore import restore
from diffuse_cli.tasks.deblur import Deblur
from diffuse_cli.tasks.restore import Restore

KERNELS = {
    "motion 8, 100 degrees": motion(8, 100), "motion 15, 30 degrees": motion(15, 30),
    "motion 25, 0 degrees": motion(25, 0), "disk of 3": defocus(3), "disk of 5.5": defocus(5.5),
}  # fmt: skip
SIDE = 320
BALANCE, ITERATIONS = 0.3, 10
"""Of Wiener and Richardson-Lucy: the best of five each on the first photograph, in the mean over the kernels."""


def by_channel(one: Callable[[NDArray[np.float64]], NDArray[np.float64]], picture: Picture) -> Levels:
    unit = (picture.pixels.astype(np.float64) + 1) / 2
    return np.stack([one(unit[..., c]) * 255 for c in range(unit.shape[2])], 2).round().clip(0, 255).astype(np.uint8)


def classics(picture: Picture, kernel: Kernel) -> dict[str, Levels]:
    weights = kernel.weights.astype(np.float64)
    return {
        "Wiener": by_channel(lambda x: restoration.wiener(x, weights, BALANCE), picture),
        "Richardson-Lucy": by_channel(lambda x: restoration.richardson_lucy(x, weights, ITERATIONS), picture),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--limit", type=int, default=20)
    options = parser.parse_args()
    model = Model.load()
    read = noise_reader(model)
    rows = []
    for name, kernel in KERNELS.items():
        for path in pictures(options.data, options.limit):
            clean = clean_levels(path, gray=False, crop=SIDE)
            damaged = Damage(kernel=kernel, noise=1).apply(Picture(pixels=to_unit(clean, 8)))[0]
            damaged = Picture(pixels=to_unit(to_levels(damaged.pixels, 8), 8))
            problems = {"told": Deblur(kernel=kernel).problem(damaged, read), "found": Restore().problem(damaged, read)}
            made = {
                "the input": to_levels(damaged.pixels, 8),
                **{how: to_levels(restore(damaged, one, Settings(), model).pixels, 8) for how, one in problems.items()},
                **classics(damaged, kernel),
            }
            inner = slice(kernel.reach, -kernel.reach)
            facts = problems["found"].findings.facts
            rows.append({
                "kernel": name, "picture": path.name, "sure": "motion" in facts or "defocus" in facts,
                **{how: round(psnr(levels[inner, inner], clean[inner, inner]), 3) for how, levels in made.items()},
            })  # fmt: skip
    report = {"checkpoint": to_recipe(find("photo")), "threads": torch.get_num_threads(), "rows": rows}
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
