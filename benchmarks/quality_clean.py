"""What the defaults of denoise and restore do to clean pictures: python -m benchmarks.quality_clean --data PHOTOS

Pictures of nine kinds: photographs (the middle of those in the folder) and what `clean_pictures` draws. Each is taken
as a PNG and as a JPEG (quality 75 to 96, 4:2:0). Prints JSON, as checkpoints/measured/clean.json holds it, and each
changed picture on stderr. PSNR counts all channels together, of 8-bit results; 100 = not changed.

    psnr   of the result to the input
    gain   of PSNR to the picture before it was a JPEG; negative = the command did harm
"""

import argparse
import json
import sys
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import torch

from benchmarks.clean_pictures import DRAWN, drawn
from diffuse_cli.diffusion.checkpoint import find, to_recipe
from diffuse_cli.diffusion.model import Model
from diffuse_cli.diffusion.settings import Settings
from diffuse_cli.evaluation.metrics import psnr
from diffuse_cli.evaluation.picture_sets import Levels, clean_levels, pictures
from diffuse_cli.images.image_io import Picture, read_pages, to_levels, to_unit
from diffuse_cli.images.jpeg_writer import jpeg_file
from diffuse_cli.restoration.noise_reading import NoiseReader, noise_reader
from diffuse_cli.restoration.restore import restore
from diffuse_cli.tasks.denoise import Denoise
from diffuse_cli.tasks.restore import Restore

QUALITIES = (75, 85, 92, 96)
TASKS: dict[str, Denoise | Restore] = {"denoise": Denoise(), "restore": Restore()}

Row = dict[str, Any]


class Clean(NamedTuple):
    """A clean picture."""

    kind: str
    name: str
    levels: Levels


def clean(folder: Path, count: int) -> Iterator[Clean]:
    for path in pictures(folder, count):
        yield Clean("photograph", path.name, clean_levels(path, gray=False, crop=256))
    for kind in DRAWN:
        for number in range(count):
            yield Clean(kind, f"{kind} {number}", drawn(kind, number))


def files(one: Clean) -> Iterator[tuple[str, Picture]]:
    """The picture as read from a PNG, and from a JPEG."""
    quality = QUALITIES[zlib.crc32(one.name.encode()) % len(QUALITIES)]
    yield "PNG", Picture(pixels=to_unit(one.levels, 8))
    yield f"JPEG {quality}", next(read_pages(Path("clean.jpg"), data=jpeg_file(one.levels, quality, "4:2:0")))


def measured(one: Clean, file: str, picture: Picture, model: Model, read: NoiseReader | None) -> Iterator[Row]:
    found = None if read is None else read(picture)  # once for both commands
    before = to_levels(picture.pixels, 8)
    for command, task in TASKS.items():
        problem = task.problem(picture, None if read is None else lambda _: found)
        after = before
        if not problem.leaves_alone:
            after = to_levels(restore(picture, problem, Settings(), model).pixels, 8)
        gain = None if file == "PNG" else round(psnr(after, one.levels) - psnr(before, one.levels), 3)
        yield {
            "kind": one.kind, "picture": one.name, "file": file, "command": command,
            "psnr": round(psnr(after, before), 3), "gain": gain,
            "note": "; ".join((*problem.findings.notes, *problem.findings.warnings)),
        }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="a folder of clean photographs")
    parser.add_argument("--count", type=int, default=11, help="pictures of each kind")
    options = parser.parse_args()
    torch.set_num_threads(1)
    model = Model.load("photo", device="cpu", dtype="auto")
    read, rows, begin = noise_reader(model), [], time.process_time()
    for one in clean(options.data, options.count):
        for file, picture in files(one):
            for row in measured(one, file, picture, model, read):
                rows.append(row)
                if row["psnr"] < 100:
                    changed = f"{row['psnr']:.2f} dB" + ("" if row["gain"] is None else f", gain {row['gain']:+.2f}")
                    print(f"{row['command']} {row['picture']}, {file}: {changed}; {row['note']}", file=sys.stderr)
    seconds = round(time.process_time() - begin, 1)
    print(json.dumps({"checkpoint": to_recipe(find("photo")), "seconds": seconds, "rows": rows}, indent=1))


if __name__ == "__main__":
    main()
