"""What wide holes and margins are filled with: python -m benchmarks.quality_fill PICTURES OUT.json [COUNT]

Every picture in turn (evenly taken from the folder) loses a margin of a tenth of its sides, or six boxes of 28, 40 or
60 pixels, or one of 96. Filled are they by the mean (`--steps 1`), with texture (what is done if nothing is said), by a
sample (`--fidelity 0`), and by OpenCV's Telea. Measured are LPIPS of the whole, PSNR of what was missing alone, and the
mean square of the step across the rim, in 8-bit levels, beside that of the picture itself.
"""

import json
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from diffuse_cli.diffusion.checkpoint import find, to_recipe
from diffuse_cli.diffusion.model import Model
from diffuse_cli.diffusion.settings import Settings
from diffuse_cli.evaluation.lpips import lpips
from diffuse_cli.images.image_io import Picture, read_picture, to_levels, to_unit
from diffuse_cli.restoration.problem import Problem
from diffuse_cli.restoration.restore import restore
from diffuse_cli.tasks.extend import Extend
from diffuse_cli.tasks.inpaint import Inpaint

Levels = NDArray[Any]
WAYS = {
    "mean": Settings(),
    "texture": Settings(textured=True),
    "sample": Settings(steps=6),
}


def tasks(picture: Picture) -> dict[str, Problem]:
    """What is missing, by name."""
    h, w = picture.pixels.shape[:2]
    across, down = w // 10, h // 10
    whole = Picture(pixels=picture.pixels[down : h - down, across : w - across].copy(), depth=8)
    found = {"a margin of a tenth": Extend(pad=(across, down, across, down)).problem(whole)}
    for side in (28, 40, 60):
        corners = [(int(w * x) - side // 2, int(h * y) - side // 2) for y in (0.3, 0.7) for x in (0.25, 0.5, 0.75)]
        found[f"boxes of {side}"] = Inpaint(boxes=[(x, y, side, side) for x, y in corners]).problem(picture)
    found["a box of 96"] = Inpaint(boxes=[(w // 2 - 48, h // 2 - 48, 96, 96)]).problem(picture)
    return found


def step_across(levels: Levels, hole: NDArray[np.bool_]) -> float:
    """Mean square of the differences of known pixels and the missing ones right beside them."""
    squares = []
    for axis in (0, 1):
        apart = np.diff(hole.astype(np.int8), axis=axis) != 0
        squares.append((np.diff(levels.astype(np.float64), axis=axis) ** 2)[apart].ravel())
    return float(np.concatenate(squares).mean())


def measured(clean: Levels, made: Levels, hole: NDArray[np.bool_]) -> dict[str, float]:
    distance = lpips()
    error = ((made.astype(np.float64) - clean) ** 2)[hole].mean()
    values = {"psnr": 10 * float(np.log10(255**2 / error)), "step": step_across(made, hole)}
    if distance is not None:
        values["lpips"] = distance(clean.astype(np.float32), made.astype(np.float32))
    return values


def rows_of(picture: Picture, model: Model) -> dict[tuple[str, str], dict[str, float]]:
    clean = to_levels(picture.pixels, 8)
    found = {}
    for name, task in tasks(picture).items():
        assert task.hole is not None
        hole = task.hole
        for way, settings in WAYS.items():
            made = to_levels(restore(picture, task, settings, model).pixels, 8)
            assert np.array_equal(made[~hole], clean[~hole])
            found[name, way] = measured(clean, made, hole)
        telea = cv2.inpaint(np.where(hole[..., None], 0, clean), hole.astype(np.uint8), 3, cv2.INPAINT_TELEA)
        found[name, "Telea"] = measured(clean, telea, hole)
        found[name, "the picture"] = {"step": step_across(clean, hole)}
    return found


def main() -> None:
    folder, out, count = Path(sys.argv[1]), Path(sys.argv[2]), int((*sys.argv[3:], "17")[0])
    paths = sorted(path for path in folder.iterdir() if path.suffix in (".png", ".jpg"))
    model = Model.load("photo", device="cpu")
    every: dict[tuple[str, str], list[dict[str, float]]] = {}
    for path in paths[:: max(len(paths) // count, 1)][:count]:
        picture = read_picture(path)
        picture = Picture(pixels=to_unit(to_levels(picture.pixels, 8), 8), depth=8)
        for key, values in rows_of(picture, model).items():
            every.setdefault(key, []).append(values)
    rows = [
        {"missing": missing, "way": way, "pictures": len(values)}
        | {name: float(np.mean([value[name] for value in values])) for name in values[0]}
        for (missing, way), values in every.items()
    ]
    report = {"set": folder.name, "checkpoint": to_recipe(find("photo")), "rows": rows}
    out.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
