"""Noise that varies against one level on the same pictures.

python -m benchmarks.quality_noise_maps PICTURES REPORT.json

PICTURES is a folder of clean ones, of which every eighth is used. Each gets noise as 8-bit and 16-bit files and a JPEG
hold it, and is restored with one level (estimated, and the std that is really there), with `--noise poisson`, with
`--noise auto-map`, and with the true std as `--noise-map`. PSNR in dB over all channels of the rounded result.
"""

import io
import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from diffuse_cli.diffusion.checkpoint import find, to_recipe
from diffuse_cli.diffusion.model import Model
from diffuse_cli.diffusion.settings import Settings
from diffuse_cli.evaluation.metrics import psnr
from diffuse_cli.images.image_io import Picture, read_picture, to_levels, to_unit
from diffuse_cli.restoration.restore import restore
from diffuse_cli.tasks.denoise import Denoise

Levels = NDArray[np.float64]
Stored = NDArray[np.uint8] | NDArray[np.uint16]
EVERY = 8


def shading(h: int, w: int) -> Levels:
    """8 levels in the middle, 36 in the corners, as behind a lens whose shading was evened out."""
    v, u = np.mgrid[-1 : 1 : h * 1j, -1 : 1 : w * 1j]
    return np.asarray(8 + 14 * (u**2 + v**2))


def cases(clean: Levels) -> Iterator[tuple[str, Picture, NDArray[np.float32]]]:
    """What it is called, the noisy picture, and the true std (H, W)."""
    normal = np.random.default_rng(0).normal(size=clean.shape)
    field = shading(*clean.shape[:2])
    for name, gain, offset in (("Poisson, variance 4 x level", 4.0, 0.0), ("8 x level + 100", 8.0, 100.0)):
        variance = gain * clean + offset
        std = np.sqrt(variance.mean(2)).astype(np.float32)
        yield name, as_file(clean + normal * np.sqrt(variance), 8), std
    shaded = clean + normal * field[..., None]
    yield "8 to 36 by place", as_file(shaded, 8), field.astype(np.float32)
    yield "8 to 36 by place, 16 bits", as_file(shaded, 16), field.astype(np.float32)
    yield "8 to 36 by place, JPEG 90", as_jpeg(shaded), field.astype(np.float32)
    yield "20 everywhere", as_file(clean + 20 * normal, 8), np.full(clean.shape[:2], 20, np.float32)


def as_file(levels: Levels, depth: int) -> Picture:
    white = 2**depth - 1
    stored = (levels * (white / 255)).round().clip(0, white).astype(np.uint8 if depth == 8 else np.uint16)
    return Picture(pixels=to_unit(stored, depth), depth=depth)


def as_jpeg(levels: Levels) -> Picture:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.jpg"
        buffer = io.BytesIO()
        Image.fromarray(levels.round().clip(0, 255).astype(np.uint8)).save(buffer, "JPEG", quality=90)
        path.write_bytes(buffer.getvalue())
        return read_picture(path)


def scores(clean: Stored, model: Model) -> Iterator[tuple[str, str, float]]:
    """The noise, the method, PSNR."""
    for noise, picture, std in cases(clean.astype(np.float64)):
        present = float(((picture.pixels + 1) * 127.5 - clean).std())
        requests = {
            "one level, estimated": Denoise(),
            "one level, true": Denoise(noise=present),
            "poisson": Denoise(noise="poisson"),
            "auto-map": Denoise(noise="auto-map"),
            "true map": Denoise(noise_map=std),
        }
        yield noise, "noisy", psnr(to_levels(picture.pixels, 8), clean)
        for method, task in requests.items():
            restored = restore(picture, task.problem(picture), Settings(), model)
            yield noise, method, psnr(to_levels(restored.pixels, 8), clean)


def main(folder: str, report: str) -> None:
    model = Model.load("photo", device="cpu")
    paths = sorted(Path(folder).glob("*.png"))[::EVERY]
    found: dict[tuple[str, str], list[float]] = {}
    for path in paths:
        for noise, method, value in scores(to_levels(read_picture(path).pixels, 8), model):
            found.setdefault((noise, method), []).append(value)
        print(path.name, file=sys.stderr)
    rows = [{"noise": n, "method": m, "psnr": round(float(np.mean(v)), 3)} for (n, m), v in found.items()]
    head = {
        "checkpoint": to_recipe(find("photo")),
        "pictures": len(paths),
        "dtype": str(model.network.dtype).removeprefix("torch."),
        "rows": rows,
    }
    Path(report).write_text(json.dumps(head, indent=1) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
