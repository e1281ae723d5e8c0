"""`diffuse enhance` against others: python -m benchmarks.quality_enhance FOLDER COUNT OUT.json [MOST]

COUNT pictures, evenly taken from the folder, are darkened by 2 and 4 stops in linear light, given the noise of a sensor
(variance = light / 2000 + 1e-6, light 1 = white before the darkening's gain), clipped, and rounded to 16 bits. Results
are compared after one affine fit of colours (12 numbers) to the clean picture, which forgives any difference of taste
in exposure, contrast and white balance, to all methods alike. The strength of non-local means (30) was chosen on
five training photographs out of 3 .. 30. The pictures themselves, undarkened, are enhanced, too: how far a good
one is moved, and how many more pixels are clipped. A call does MOST pictures, and the next one goes on.
"""

import json
import math
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from diffuse_cli.diffusion.checkpoint import find, to_recipe
from diffuse_cli.diffusion.model import Model
from diffuse_cli.diffusion.settings import Settings
from diffuse_cli.evaluation.metrics import psnr, ssim
from diffuse_cli.images.image_io import Picture, read_picture, to_levels, to_unit
from diffuse_cli.images.srgb import encoded, linear
from diffuse_cli.restoration.restore import restore
from diffuse_cli.tasks.denoise import Denoise
from diffuse_cli.tasks.enhance import Enhance

Levels = NDArray[Any]
NLM_STRENGTH = 30.0


def darkened(clean: Levels, stops: float, seed: int) -> Picture:
    """(H, W, 3) 8-bit levels, as a dark and noisy 16-bit picture."""
    light = linear(torch.from_numpy(clean.astype(np.float32) / 255)) * 2**-stops
    rng = np.random.default_rng(seed)
    noise = torch.from_numpy(rng.standard_normal(clean.shape).astype(np.float32))
    v = encoded((light + (light / 2000 + 1e-6).sqrt() * noise).clamp(0, 1)).numpy()
    return Picture(pixels=to_unit(np.round(v * 65535).astype(np.uint16), 16), depth=16)


def gamma_clahe(dark: Picture) -> NDArray[np.uint8]:
    """A gamma that brings the mean to the middle, then CLAHE on luma (clip limit 2, 8x8 tiles)."""
    v = (dark.pixels + 1) / 2
    v = v ** (math.log(0.5) / math.log(float(v.mean())))
    ycc = cv2.cvtColor(np.round(v * 255).astype(np.uint8), cv2.COLOR_RGB2YCrCb)
    ycc[..., 0] = cv2.createCLAHE(2.0, (8, 8)).apply(np.ascontiguousarray(ycc[..., 0]))
    return np.asarray(cv2.cvtColor(ycc, cv2.COLOR_YCrCb2RGB), np.uint8)


def with_nlm(levels: NDArray[np.uint8], strength: float = NLM_STRENGTH) -> Levels:
    bgr = np.ascontiguousarray(levels[..., ::-1])
    return np.asarray(cv2.fastNlMeansDenoisingColored(bgr, None, strength, strength, 7, 21))[..., ::-1]


def ways(dark: Picture, model: Model) -> dict[str, Levels]:
    """What each method makes of a dark picture, in 8-bit levels."""
    task = Enhance().problem(dark)
    toned = task.picture or dark
    even = Denoise().problem(replace(toned, pixels=toned.pixels.clip(-1, 1)))
    classic = gamma_clahe(dark)
    return {
        "diffuse enhance": levels(restore(dark, task, Settings(), model)),
        "the same tone, one noise level": levels(restore(toned, even, Settings(), model)),
        "the same tone alone": levels(toned),
        "gamma + CLAHE": classic,
        "gamma + CLAHE, non-local means": with_nlm(classic),
    }


def levels(picture: Picture) -> Levels:
    found: Levels = to_levels(picture.pixels, 16).astype(np.float64) / 257
    return found


def fitted(found: Levels, clean: Levels) -> Levels:
    """After the affine map of colours that brings it nearest to the clean picture, clipped."""
    x = np.concatenate([found.reshape(-1, 3).astype(np.float64), np.ones((found.shape[0] * found.shape[1], 1))], 1)
    y = clean.reshape(-1, 3).astype(np.float64)
    near: Levels = np.clip(x @ np.linalg.lstsq(x, y, rcond=None)[0], 0, 255).reshape(clean.shape)
    return near


def clipped(levels: Levels) -> tuple[float, float]:
    """Shares of pixels with a channel at black and at white."""
    return float((levels.min(2) <= 0.5).mean()), float((levels.max(2) >= 254.5).mean())


def main() -> None:
    """Measure, and write what `benchmarks/tables.py` makes a table of."""
    folder, count, out = Path(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
    files = sorted(folder.glob("*.png")) + sorted(folder.glob("*.jpg"))
    files = files[:: max(len(files) // count, 1)][:count]
    model = Model.load("photo", device="cpu", dtype="auto")
    before = json.loads(out.read_text()) if out.exists() else {"rows": [], "untouched": []}
    rows: dict[tuple[float, str], list[dict[str, float]]] = {
        (row["stops"], row["method"]): row["images"] for row in before["rows"]
    }
    good: list[dict[str, float]] = before["untouched"]
    done = len(good)
    for number in range(done, min(len(files), done + int(sys.argv[4])) if len(sys.argv) > 4 else len(files)):
        path = files[number]
        picture = read_picture(path)
        clean = to_levels(picture.pixels, 8)
        for stops in (2.0, 4.0):
            for method, found in ways(darkened(clean, stops, number), model).items():
                near = fitted(found, clean)
                rows.setdefault((stops, method), []).append({"psnr": psnr(near, clean), "ssim": ssim(near, clean)})
        kept = restore(picture, Enhance().problem(picture), Settings(), model)
        after = to_levels(kept.pixels, 8)
        more = np.subtract(clipped(after), clipped(clean))
        good.append({"psnr": psnr(after, clean), "black": float(more[0]), "white": float(more[1])})
        out.write_text(report(folder, files[: number + 1], rows, good))


def report(
    folder: Path, files: list[Path], rows: dict[tuple[float, str], list[dict[str, float]]], good: list[dict[str, float]]
) -> str:
    """What is known so far, as JSON."""
    table = [
        {
            "stops": stops, "method": method, "pictures": len(found),
            "mean": {key: float(np.mean([f[key] for f in found])) for key in ("psnr", "ssim")}, "images": found,
        }
        for (stops, method), found in rows.items()
    ]  # fmt: skip
    found = {
        "checkpoint": to_recipe(find("photo")),
        "set": folder.name,
        "files": [path.name for path in files],
        "rows": table,
        "untouched": good,
    }
    return json.dumps(found, indent=1) + "\n"


if __name__ == "__main__":
    main()
