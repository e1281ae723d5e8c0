"""What holes and margins are filled with: python -m benchmarks.quality_fill PICTURES OUT.json [COUNT [WAY ...]]

Every picture in turn (evenly taken from the folder) loses a margin of a tenth of its sides, or what text and strokes
of 4, 12 and 24 pixels cover, or four boxes of 48 pixels, two of 96, or one of 192. Filled are they by the mean
(`--steps 1`), with texture (what is done if nothing is said), by OpenCV's methods of Telea and of Navier and Stokes, by
scikit-image's biharmonic functions, and by PatchMatch (the package pypatchmatch, where it is installed), or by the
named ways alone. Measured are LPIPS of the whole, PSNR of what was missing alone, and the mean square of the step
across the rim, in 8-bit levels, beside that of the picture itself.
"""

import json
import sys
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage.restoration import inpaint_biharmonic

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
Mask = NDArray[np.bool_]
WAYS = {
    "mean": Settings(),
    "texture": Settings(textured=True),
}


def by_opencv(how: int) -> Callable[[Levels, Mask], Levels]:
    return lambda damaged, hole: cv2.inpaint(damaged, hole.astype(np.uint8), 3, how)


def biharmonic(damaged: Levels, hole: Mask) -> Levels:
    filled = inpaint_biharmonic(damaged / 255, hole, channel_axis=2, split_into_regions=True)
    return np.asarray((255 * filled.clip(0, 1)).round().astype(np.uint8))


def patch_match(damaged: Levels, hole: Mask) -> Levels:
    made = import_module("patchmatch.patch_match").inpaint(damaged, hole.astype(np.uint8) * 255, patch_size=5)
    return np.where(hole[..., None], made, damaged)


OTHERS: dict[str, Callable[[Levels, Mask], Levels]] = {
    "Telea": by_opencv(cv2.INPAINT_TELEA), "Navier-Stokes": by_opencv(cv2.INPAINT_NS), "biharmonic": biharmonic,
    "PatchMatch": patch_match,
}  # fmt: skip
STROKES = {4: 14, 12: 6, 24: 3}
"""Numbers of bent strokes, by their width."""
BOXES = {
    48: ((0.28, 0.28), (0.28, 0.72), (0.72, 0.28), (0.72, 0.72)),
    96: ((0.5, 0.27), (0.5, 0.73)),
    192: ((0.5, 0.5),),
}
"""Middles of boxes along the shorter and the longer side, by their width."""


def written(size: tuple[int, int]) -> NDArray[np.bool_]:
    """Lines of text, 4 pixels thick."""
    mask = np.zeros(size, np.uint8)
    for down in range(30, size[0], 44):
        cv2.putText(mask, "Sample Text 1998 07 14", (10, down), cv2.FONT_HERSHEY_SIMPLEX, 1.1, 255, 4)
    return mask > 127


def struck(size: tuple[int, int], across: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Strokes of this width, each of two straight parts."""
    mask = np.zeros(size, np.uint8)
    for _ in range(STROKES[across]):
        points = rng.integers(0, size[::-1], size=(3, 2)).astype(np.int32)
        cv2.polylines(mask, [points], False, 255, across)
    return mask > 127


def tasks(picture: Picture) -> dict[str, Problem]:
    """What is missing, by name."""
    h, w = picture.pixels.shape[:2]
    across, down = w // 10, h // 10
    whole = Picture(pixels=picture.pixels[down : h - down, across : w - across].copy(), depth=8)
    found = {"a margin of a tenth": Extend(pad=(across, down, across, down)).problem(whole)}
    rng = np.random.default_rng(h * w)
    found["text"] = Inpaint(mask=written((h, w))).problem(picture)
    for side in STROKES:
        found[f"strokes of {side}"] = Inpaint(mask=struck((h, w), side, rng)).problem(picture)
    for side, middles in BOXES.items():
        places = [(y, x) if h <= w else (x, y) for y, x in middles]
        boxes = [(int(w * x) - side // 2, int(h * y) - side // 2, side, side) for y, x in places]
        found[f"boxes of {side}" if len(boxes) > 1 else f"a box of {side}"] = Inpaint(boxes=boxes).problem(picture)
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


def rows_of(picture: Picture, model: Model, ways: list[str]) -> dict[tuple[str, str], dict[str, float]]:
    clean = to_levels(picture.pixels, 8)
    found = {}
    for name, task in tasks(picture).items():
        assert task.hole is not None
        hole = task.hole
        for way, settings in ((way, WAYS[way]) for way in ways if way in WAYS):
            made = to_levels(restore(picture, task, settings, model).pixels, 8)
            assert np.array_equal(made[~hole], clean[~hole])
            found[name, way] = measured(clean, made, hole)
        for way in (way for way in ways if way in OTHERS):
            found[name, way] = measured(clean, OTHERS[way](np.where(hole[..., None], 0, clean), hole), hole)
        found[name, "the picture"] = {"step": step_across(clean, hole)}
    return found


def main() -> None:
    folder, out, count = Path(sys.argv[1]), Path(sys.argv[2]), int((*sys.argv[3:], "17")[0])
    every_way = [way for way in (*WAYS, *OTHERS) if way != "PatchMatch" or find_spec("patchmatch") is not None]
    ways = sys.argv[4:] or every_way
    paths = sorted(path for path in folder.iterdir() if path.suffix in (".png", ".jpg"))
    model = Model.load("photo", device="cpu")
    every: dict[tuple[str, str], list[dict[str, float]]] = {}
    for path in paths[:: max(len(paths) // count, 1)][:count]:
        picture = read_picture(path)
        picture = Picture(pixels=to_unit(to_levels(picture.pixels, 8), 8), depth=8)
        for key, values in rows_of(picture, model, ways).items():
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
