"""What finding the noise costs, as a share of denoising: python -m benchmarks.speed_estimating PHOTO > REPORT.json

The photograph is enlarged to 12 megapixels, gets a camera's noise of ISO 3200, and is taken as it is and as a JPEG of
quality 92. The seconds are of one thread's processor time, all in one run, so that their ratio holds on a busy machine.
"""

import json
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from diffuse_cli.degradation.damage import Damage
from diffuse_cli.diffusion.checkpoint import find, to_recipe
from diffuse_cli.diffusion.model import Model
from diffuse_cli.diffusion.settings import Settings
from diffuse_cli.images.image_io import Picture, read_pages, to_levels, to_unit
from diffuse_cli.images.jpeg_writer import jpeg_file
from diffuse_cli.restoration.noise_reading import noise_reader
from diffuse_cli.restoration.restore import restore
from diffuse_cli.tasks.denoise import Denoise
from diffuse_cli.tasks.restore import Restore

SIZE = (4000, 3000)


def noisy(path: Path, size: tuple[int, int]) -> Iterator[tuple[str, Picture]]:
    """The photograph with a camera's noise, as a PNG and as a JPEG."""
    with Image.open(path) as image:
        clean = np.asarray(image.convert("RGB").resize(size, Image.Resampling.BICUBIC))
    picture, _ = Damage(camera=3200).apply(Picture(pixels=to_unit(clean, 8)))
    levels = to_levels(picture.pixels, 8).astype(np.uint8)
    yield "PNG", Picture(pixels=to_unit(levels, 8))
    yield "JPEG 92", next(read_pages(Path("noisy.jpg"), data=jpeg_file(levels, 92, "4:2:0")))


def timed(what: Callable[[], Any]) -> tuple[Any, float]:
    begin = time.process_time()
    made = what()
    return made, time.process_time() - begin


def measured(path: Path, size: tuple[int, int] = SIZE) -> list[dict[str, Any]]:
    torch.set_num_threads(1)
    model = Model.load("photo", device="cpu", dtype="auto")
    read = noise_reader(model)
    small = next(noisy(path, (256, 256)))[1]
    restore(small, Denoise().problem(small, read), Settings(), model)  # loads what is loaded once
    rows = []
    for file, picture in noisy(path, size):
        problem, finding = timed(partial(Denoise().problem, picture, read))
        _, all_findings = timed(partial(Restore().problem, picture, read))
        if problem.leaves_alone:
            raise SystemExit(f"{path}: no noise was found in the {file}, so there is nothing to compare with")
        _, removing = timed(partial(restore, picture, problem, Settings(), model))
        rows.append({
            "file": file, "megapixels": size[0] * size[1] / 1e6, "note": problem.findings.notes[0],
            "noise": round(finding, 2), "everything": round(all_findings, 2), "denoising": round(removing, 2),
            "share": round(finding / (finding + removing), 4),
        })  # fmt: skip
        print(rows[-1], file=sys.stderr, flush=True)
    return rows


if __name__ == "__main__":
    found = {"checkpoint": to_recipe(find("photo")), "rows": measured(Path(sys.argv[1]))}
    print(json.dumps(found, indent=1))
