"""How far `diffuse stylize` goes towards a style: python -m benchmarks.quality_stylize OUT.json STYLE...

Each photograph (two of scikit-image's, shrunk to 320 pixels) in each style, at strengths 0, .25, .5, .75 and 1, and
with the style's colours alone. Measured are the distance to the photograph (LPIPS), those to the style's picture (Gram
matrices and sliced Wasserstein distance of AlexNet's features, see measure/style_distance), of its left half to its
right one as the floor, and how near patches of 8 x 8 pixels are to the nearest of the style's: the smallest tenth and
the median, of the result and, beside it, of the photograph in the style's colours. Then the seconds of one core that
learning a style takes, and a megapixel in one that was learned (processor time: other work on the machine does not
count). What was learned is kept in OUT.json's folder as STYLE.safetensors, and is not learned again by a second call.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import skimage.data
import torch
from PIL import Image
from torch import Tensor

from diffuse_cli.diffusion import checkpoint
from diffuse_cli.diffusion.checkpoint import find, to_recipe
from diffuse_cli.diffusion.model import Model
from diffuse_cli.diffusion.settings import SAMPLE_STEPS, Settings
from diffuse_cli.errors import PictureError
from diffuse_cli.evaluation.lpips import distance, imported_weights
from diffuse_cli.evaluation.style_distance import copied_patches, gram_distance, sliced_wasserstein
from diffuse_cli.images.image_io import Picture, read_picture, to_levels, to_unit
from diffuse_cli.restoration.restore import restore
from diffuse_cli.system.files import file_sha256
from diffuse_cli.tasks.style.delta import Style, read_style, with_style
from diffuse_cli.tasks.style.studio import StyleTrainer, sitter
from diffuse_cli.tasks.stylize import Stylize

PHOTOS = ("astronaut", "coffee")
SIDE = 320
STRENGTHS = (0.0, 0.25, 0.5, 0.75, 1.0)
DRAWN = Settings(steps=SAMPLE_STEPS)


def photo(name: str) -> Picture:
    image = Image.fromarray(getattr(skimage.data, name)())
    image.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    return Picture(pixels=to_unit(np.asarray(image), 8))


def tensor(picture: Picture) -> Tensor:
    """What its 8-bit file shows."""
    return torch.from_numpy(to_unit(to_levels(picture.pixels, 8), 8)).permute(2, 0, 1)[None].contiguous()


def learned(path: Path, folder: Path, model: Model) -> tuple[Style, float | None]:
    """The style, and the processor seconds that it took, None where it was there."""
    kept = folder / f"{path.stem}.safetensors"
    if kept.is_file():
        return read_style(kept), None
    weights = checkpoint.find()
    studio = StyleTrainer(path=weights, sha256=checkpoint.file_sha256(weights))
    begin = time.process_time()
    style = studio.style_of(sitter(read_picture(path), file_sha256(path, PictureError)), str(path), model)
    style.save(kept)
    return style, time.process_time() - begin


class Gauge:
    """Distances to a style's picture."""

    def __init__(self, style: Tensor) -> None:
        found = imported_weights()
        if found is None:
            raise SystemExit("needs LPIPS's weights: diffuse models import-lpips FILE")
        self.weights, self.style = found, style

    def floor(self) -> dict[str, float]:
        half = self.style.shape[-1] // 2
        one, other = self.style[..., :half], self.style[..., half:]
        return {"gram": gram_distance(self.weights, one, other), "sw": sliced_wasserstein(self.weights, one, other)}

    def __call__(self, x: Tensor, content: Tensor) -> dict[str, float]:
        nearest = copied_patches(x, self.style)
        return {
            "lpips": distance(self.weights, x, content),
            "gram": gram_distance(self.weights, x, self.style),
            "sw": sliced_wasserstein(self.weights, x, self.style),
            "nearest_tenth": float(nearest.quantile(0.1)),
            "nearest_median": float(nearest.median()),
        }


def rows_of(name: str, style: Style, model: Model, gauge: Gauge) -> list[dict[str, Any]]:
    styled, rows = with_style(model, style, name), []
    for shown in PHOTOS:
        picture = photo(shown)
        for strength in STRENGTHS:
            task = Stylize(style=style, strength=strength).problem(picture)
            made = {"diffuse": DRAWN, "colours alone": Settings()} if strength == 0.5 else {"diffuse": DRAWN}
            for method, settings in made.items():
                x = tensor(restore(picture, task, settings, styled))
                row = {"style": name, "photo": shown, "strength": strength, "method": method}
                rows.append({**row, **{k: round(v, 4) for k, v in gauge(x, tensor(picture)).items()}})
                print(json.dumps(rows[-1]), flush=True)
    return rows


def seconds_of(style: Style, model: Model) -> float:
    """Processor seconds of a megapixel with a style that was learned, without loading and writing."""
    image = Image.fromarray(skimage.data.astronaut()).resize((1000, 1000), Image.Resampling.BICUBIC)
    picture = Picture(pixels=to_unit(np.asarray(image), 8))
    begin = time.process_time()
    styled = with_style(model, style, "")
    restore(picture, Stylize(style=style).problem(picture), DRAWN, styled)
    return time.process_time() - begin


def main() -> None:
    """Measure, and write what `benchmarks/tables.py` makes a table of."""
    out, model = Path(sys.argv[1]), Model.load()
    before: dict[str, Any] = json.loads(out.read_text()) if out.exists() else {}
    found: dict[str, Any] = {
        "checkpoint": to_recipe(find("photo")),
        "photos": PHOTOS,
        "side": SIDE,
        "floors": {},
        "learning_cpu_s": before.get("learning_cpu_s", {}),
    }
    found["rows"] = []
    for path in map(Path, sys.argv[2:]):
        style, seconds = learned(path, out.parent, model)
        if seconds is not None:
            found["learning_cpu_s"][path.stem] = round(seconds, 1)
        x = sitter(read_picture(path), "").x
        gauge = Gauge(x)
        found["floors"][path.stem] = {k: round(v, 4) for k, v in gauge.floor().items()}
        found["rows"] += rows_of(path.stem, style, model, gauge)
        out.write_text(json.dumps(found, indent=1) + "\n")
    found["megapixel_cpu_s"] = round(seconds_of(style, model), 1)
    out.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
