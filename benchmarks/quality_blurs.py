"""Gaussian blurs, told right, told wrong and found: python -m benchmarks.quality_blurs --data PHOTOS --out FILE

Each photograph is blurred, some get noise, and all are rounded. `restore` is told the blur's std, or finds
it. It computes the mean alone (`--rounds 0`), and the mean with data steps (its default). PSNR counts all channels
together, of 8-bit results. A run that was stopped goes on from FILE, which checkpoints/measured/blurs.json is one of.
`--again found` measures this way again, in the rows that FILE has.
"""

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from diffuse_cli.degradation.damage import Damage
from diffuse_cli.diffusion.checkpoint import find, to_recipe
from diffuse_cli.diffusion.model import Model
from diffuse_cli.diffusion.settings import Settings
from diffuse_cli.evaluation.metrics import psnr
from diffuse_cli.evaluation.picture_sets import Levels, clean_levels, pictures
from diffuse_cli.images.image_io import Picture, to_levels, to_unit
from diffuse_cli.restoration.noise_reading import NoiseReader, noise_reader
from diffuse_cli.restoration.restore import restore
from diffuse_cli.tasks.restore import Restore

FACTORS = {"told": 1.0, "-20 %": 0.8, "-10 %": 0.9, "+10 %": 1.1, "+20 %": 1.2}
"""What the std is told to be, as a multiple of what it is."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """What happens to a photograph: std of the blur, level of noise."""

    blur: float
    noise: float = 0.0

    @property
    def name(self) -> str:
        return f"blur {self.blur}" + (f", noise {self.noise:g}" if self.noise else "")

    def apply(self, clean: Levels) -> Picture:
        damage = Damage(blur=self.blur, noise=self.noise)
        made = damage.apply(Picture(pixels=to_unit(clean, 8)))[0]
        return Picture(pixels=to_unit(to_levels(made.pixels, 8), 8))

    def told(self, factor: float) -> Restore:
        """The blur is told, rightly or not."""
        return Restore(blur=factor * self.blur)


CASES = (Case(blur=0.8), Case(blur=1.6), Case(blur=2.4), Case(blur=1.6, noise=2))


def measure(case: Case, clean: Levels, model: Model, read: NoiseReader | None, only: str | None) -> dict[str, Any]:
    """PSNR in dB of the input and of each way, without and with data steps."""
    damaged = case.apply(clean)
    ways = {name: case.told(factor) for name, factor in FACTORS.items()} | {"found": Restore()}
    ways = ways if only is None else {only: ways[only]}
    row: dict[str, Any] = {"input": round(psnr(to_levels(damaged.pixels, 8), clean), 3)}
    for name, task in ways.items():
        problem = task.problem(damaged, read)
        for rounds in (0, Settings().rounds):
            made = restore(damaged, problem, Settings(rounds=rounds), model)
            row[f"{name}, {'mean' if rounds == 0 else 'data steps'}"] = round(psnr(to_levels(made.pixels, 8), clean), 3)
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, action="append")
    parser.add_argument("--limit", type=int, default=14, help="pictures of each folder")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--again", choices=[*FACTORS, "found"], help="measure this way again")
    options = parser.parse_args()
    model = Model.load()
    read = noise_reader(model)
    rows = json.loads(options.out.read_text())["rows"] if options.out.is_file() else []
    known = {(row["case"], row["picture"]): row for row in rows}
    for path in [path for folder in options.data for path in pictures(folder, options.limit)]:
        for case in CASES:
            row = known.get((case.name, path.name))
            if row is not None and options.again is None:
                continue
            if row is None:
                row = {"case": case.name, "picture": path.name}
                rows.append(row)
            row |= measure(case, clean_levels(path, gray=False, crop=None), model, read, options.again)
            report = {"checkpoint": to_recipe(find("photo")), "threads": torch.get_num_threads(), "rows": rows}
            options.out.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
