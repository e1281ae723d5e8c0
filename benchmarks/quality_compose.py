"""Seams of `diffuse compose` against others': python -m benchmarks.quality_compose FOLDER COUNT OUT.json [MOST]

COUNT inserts: a box of one photograph in the middle of another (evenly taken from the folder, the next one after it),
made brighter or darker (0.6 or 1.5 times the light), softer (a Gaussian of 1 pixel, half of them) and with other noise
than the picture (2 or 10 levels in one, the other way round in the other). Laid over as it is (alpha), by OpenCV's
seamlessClone (Poisson), and by `diffuse compose`. Measured are the mean square of the step across the seam, of the
worst line within 4 pixels of it, also where no insert is; the difference of the noise from 8 to 24 pixels outside the
seam to as much inside, and to 3 pixels around it; and how many pixels changed beyond the band. A call does MOST
inserts, and the next one goes on.
"""

import json
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from diffuse_cli.degradation.operators import blur
from diffuse_cli.diffusion.checkpoint import find, to_recipe
from diffuse_cli.diffusion.model import Model
from diffuse_cli.diffusion.settings import Settings
from diffuse_cli.images.image_io import Picture, read_picture, to_levels, to_unit
from diffuse_cli.images.srgb import encoded, linear
from diffuse_cli.restoration.restore import restore
from diffuse_cli.tasks.compose import Compose

Levels = NDArray[Any]
SIDE = 128
BAND = 32


def insert_of(clean: Levels, number: int) -> Levels:
    """A box of a photograph under another light, perhaps softer."""
    x = torch.from_numpy(clean[..., :].astype(np.float32) / 255).permute(2, 0, 1)[None]
    x = encoded(linear(x) * (0.6 if number % 2 else 1.5)).clamp(0, 1)
    x = blur(x, 1.0 if number % 4 < 2 else 0.0)
    return x[0].permute(1, 2, 0).numpy() * 255


def noisy(levels: Levels, std: float, seed: int) -> NDArray[np.uint8]:
    noise = np.random.default_rng(seed).standard_normal(levels.shape)
    return np.clip(np.round(levels + std * noise), 0, 255).astype(np.uint8)


def seam_gradient(levels: Levels, top: int, left: int) -> float:
    """Mean square of the difference across the box's borders, of the worst of the lines within 4 pixels of them."""
    return max(_across(levels.astype(np.float64), top, left, inward) for inward in range(-4, 5))


def _across(a: Levels, top: int, left: int, inward: int) -> float:
    """Between the two pixels on both sides of the box's borders, these moved inward."""
    first, last = inward, SIDE - inward
    rows, columns = slice(top + first, top + last), slice(left + first, left + last)
    pairs = [
        a[top + first - 1, columns] - a[top + first, columns], a[top + last - 1, columns] - a[top + last, columns],
        a[rows, left + first - 1] - a[rows, left + first], a[rows, left + last - 1] - a[rows, left + last],
    ]  # fmt: skip
    return float(np.mean([np.mean(pair**2) for pair in pairs]))


def noise_near(levels: Levels, top: int, left: int, first: int, last: int) -> float:
    """Std of the noise in a frame from `first` to `last` pixels from the border, > 0 inside, < 0 outside.

    From second differences along rows, by their median: sqrt(6) times the noise where the picture is smooth.
    """
    v, u = np.mgrid[: levels.shape[0], : levels.shape[1]]
    depth = np.minimum(np.minimum(v - top, top + SIDE - 1 - v), np.minimum(u - left, left + SIDE - 1 - u))
    where = (depth >= first) & (depth < last)
    second = np.abs(np.diff(levels.astype(np.float64), 2, axis=1))[where[:, 1:-1]]
    return float(np.median(second) / 0.6745 / np.sqrt(6))


def main() -> None:
    """Measure, and write what `benchmarks/tables.py` makes a table of."""
    folder, count, out = Path(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
    files = sorted(folder.glob("*.png")) + sorted(folder.glob("*.jpg"))
    step = max(len(files) // count, 1)
    model = Model.load("photo", device="cpu", dtype="auto")
    before = json.loads(out.read_text())["rows"] if out.exists() else []
    rows: dict[str, list[dict[str, float]]] = {row["method"]: row["images"] for row in before}
    done = len(before[0]["images"]) if before else 0
    for number in range(done, min(count, done + int(sys.argv[4])) if len(sys.argv) > 4 else count):
        clean, other = (to_levels(read_picture(files[(number * step + k) % len(files)]).pixels, 8) for k in (0, 1))
        clean, other = clean[:320, :320], other[:320, :320]
        top, left = (clean.shape[0] - SIDE) // 2, (clean.shape[1] - SIDE) // 2
        stds = (2.0, 10.0) if number % 2 else (10.0, 2.0)
        base = noisy(clean, stds[0], number)
        box = (slice(top, top + SIDE), slice(left, left + SIDE))
        cut = noisy(insert_of(other, number)[:SIDE, :SIDE], stds[1], number + 1000)
        picture, insert = (Picture(pixels=to_unit(part, 8)) for part in (base, cut))
        alpha = base.copy()
        alpha[box] = cut
        task = Compose(insert=insert, at=(left, top), band=BAND).problem(picture)
        ours = to_levels(restore(picture, task, Settings(), model).pixels, 8)
        centre = (left + SIDE // 2, top + SIDE // 2)
        mask = np.full((SIDE, SIDE), 255, np.uint8)
        poisson = cv2.seamlessClone(cut[..., ::-1].copy(), base[..., ::-1].copy(), mask, centre, cv2.NORMAL_CLONE)
        v, u = np.mgrid[: base.shape[0], : base.shape[1]]
        depth = np.minimum(np.minimum(v - top, top + SIDE - 1 - v), np.minimum(u - left, left + SIDE - 1 - u))
        beyond = depth < -BAND // 2
        for method, found in {
            "diffuse compose": ours, "alpha": alpha, "Poisson": np.asarray(poisson)[..., ::-1], "no insert": base,
        }.items():  # fmt: skip
            jump = abs(noise_near(found, top, left, -24, -8) - noise_near(found, top, left, 8, 24))
            at_seam = abs(noise_near(found, top, left, -3, 3) - noise_near(found, top, left, -24, -8))
            rows.setdefault(method, []).append({
                "gradient": seam_gradient(found, top, left), "noise_jump": jump, "band_jump": at_seam,
                "changed_beyond": int((found[beyond] != base[beyond]).any(1).sum()),
            })  # fmt: skip
        out.write_text(report(folder, rows))


def report(folder: Path, rows: dict[str, list[dict[str, float]]]) -> str:
    """What is known so far, as JSON."""
    table = [
        {"method": method, "pictures": len(found), "mean": {k: float(np.mean([f[k] for f in found])) for k in found[0]},
         "images": found}
        for method, found in rows.items()
    ]  # fmt: skip
    return json.dumps({"checkpoint": to_recipe(find("photo")), "set": folder.name, "rows": table}, indent=1) + "\n"


if __name__ == "__main__":
    main()
