"""How sure `diffuse verify` is: python -m benchmarks.quality_verify REPORT.json PICTURE...

Small crops of the pictures go through every command, in several formats; each result is held against its input, as it
is and tampered with. The report has one number for each: the largest of its figures as a share of its limit, so that
what is at most 1 passes, and what would pass if all limits were wider or narrower can be read off.
"""

import json
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from typer.testing import CliRunner

from diffuse_cli.cli.app import app
from diffuse_cli.diffusion.checkpoint import find, to_recipe
from diffuse_cli.images.encoding import Encoding
from diffuse_cli.images.image_io import Picture, read_picture
from diffuse_cli.provenance import recipe
from diffuse_cli.provenance.declared import from_recipe
from diffuse_cli.provenance.verification import verify

SIZE = (160, 144)
PATCH = 24
BOXES = "--box 40,30,30,25 --box 100,80,20,40"


@dataclass(frozen=True)
class Case:
    """What is done to every picture.

    Attributes:
        name: of the folder and the row.
        damage: options of degrade, "" = the clean crop is the input.
        command: what restores it.
        format: of the result.
    """

    name: str
    damage: str
    command: str
    format: str = "png"


CASES = [
    *(Case(f"denoise {n}", f"--noise {n}", f"denoise --noise {n}") for n in (5, 15, 25, 50)),
    Case("denoise auto, JPEG", "--noise 15", "denoise --quality 90", "jpeg"),
    Case("denoise 25, WebP", "--noise 25", "denoise --noise 25 --quality 80", "webp"),
    Case("denoise 25, AVIF", "--noise 25", "denoise --noise 25", "avif"),
    Case("denoise 10, strength 0.6", "--noise 10", "denoise --noise 10 --strength 0.6 --chroma-strength 1", "tiff"),
    Case("denoise 25, sampled", "--noise 25", "denoise --noise 25 --steps 4"),
    Case("denoise a noisy JPEG", "--noise 15 --jpeg 80", "denoise"),
    Case("inpaint", "", f"inpaint {BOXES}"),
    Case("inpaint, TIFF, sampled", "", f"inpaint {BOXES} --steps 4", "tiff"),
    Case("inpaint, JPEG", "", f"inpaint {BOXES} --quality 85", "jpeg"),
    Case("inpaint, WebP", "", f"inpaint {BOXES} --quality 75", "webp"),
    Case("inpaint, AVIF", "", f"inpaint {BOXES} --quality 70", "avif"),
    Case("enlarge x2", "", "super-resolve --scale 2"),
    Case("enlarge x3, JPEG", "", "super-resolve --scale 3 --quality 90", "jpeg"),
    Case("enlarge x1.4, WebP", "", "super-resolve --scale 1.4 --quality 90", "webp"),
    Case("enlarge x2, sampled", "", "super-resolve --scale 2 --steps 4"),
    Case("dejpeg 30", "--jpeg 30", "dejpeg"),
    Case("dejpeg 70, JPEG", "--jpeg 70", "dejpeg", "jpeg"),
    Case("deblur 1.5", "--blur 1.5", "deblur --blur 1.5"),
    Case("restore a mixture", "--blur 1 --noise 8 --jpeg 70", "restore"),
    Case(
        "restore and enlarge",
        "--blur 1.2 --scale 2 --noise 4",
        "restore --noise 4 --blur 0.6 --only noise,blur --scale 2",
    ),
]
WRONG = [
    Case("made for noise 1.5 times as strong", "--noise 25", "denoise --noise 37.5"),
    Case("made for noise 1.5 times as weak", "--noise 25", "denoise --noise 16.67"),
]


def diffuse(*words: str) -> None:
    result = CliRunner().invoke(app, [*words, "-q", "-f"])
    if result.exit_code != 0:
        raise SystemExit(f"{' '.join(words)}: {result.output}")


def make(case: Case, crops: Path, folder: Path) -> list[tuple[Path, Path]]:
    """(result, input) of every crop."""
    inputs = crops
    if case.damage:
        inputs = folder / f"{case.name} before"
        diffuse("degrade", str(crops), *case.damage.split(), "--seed", "1", "-o", f"{inputs}/")
    out = folder / case.name
    op, *options = case.command.split()
    pictures = sorted(str(path) for path in inputs.iterdir() if path.suffix in (".png", ".jpg"))
    diffuse(op, *pictures, *options, "--format", case.format, "-o", f"{out}/")
    return [(made, next(inputs.glob(f"{made.stem}.[pj][np]g"))) for made in sorted(out.iterdir())]


def strain(after: Picture, before: Picture, told: dict[str, Any]) -> float:
    """The worst of a result's figures: 1 = at its limit."""
    figures = verify(after, before, from_recipe(told, before), Encoding(quality=told.get("quality")))
    return max(figure.strain for figure in figures)


def tampered(
    case: Case, after: Picture, before: Picture, other: Picture, told: dict[str, Any]
) -> Iterator[tuple[str, Picture, dict[str, Any]]]:
    """(what was done, the result, the recipe that goes with it)."""
    op = case.command.split()[0]
    h, w = after.pixels.shape[:2]
    patch = after.pixels.copy()
    patch[8 : 8 + PATCH, 8 : 8 + PATCH] = after.pixels[h - PATCH - 8 : h - 8, w - PATCH - 8 : w - 8]
    yield f"{op}: a patch of {PATCH} pixels copied elsewhere", replace(after, pixels=patch), told
    if op == "inpaint" and not after.source.lossy:
        pixel = after.pixels.copy()
        level = np.float32(2 / 255)
        pixel[100, 10, 0] += level if pixel[100, 10, 0] < 0.9 else -level
        yield "inpaint, lossless: one pixel changed by one level", replace(after, pixels=pixel), told
    elif op == "denoise" and told.get("noise", 0) > 0 and "jpeg_quality" not in told:
        for factor, name in ((1.5, "stronger"), (1 / 1.5, "weaker")):
            yield (
                f"denoise: noise declared 1.5 times {name}",
                after,
                {**told, "noise": told["noise"] * factor},
            )
    else:
        yield f"{op}: another picture", replace(after, pixels=other.pixels), told
    if op == "deblur":
        yield "deblur: blur declared 1.5 times stronger", after, {**told, "blur": told["blur"] * 1.5}
    if op == "super-resolve":
        image = Image.fromarray(np.rint((after.pixels + 1) * 127.5).clip(0, 255).astype(np.uint8))
        grown = image.resize((round(w * 1.1), round(h * 1.1)), Image.Resampling.BICUBIC).crop((0, 0, w, h))
        pixels = np.asarray(grown).astype(np.float32) / np.float32(127.5) - 1
        yield "super-resolve: a factor 1.1 larger, cut to size", replace(after, pixels=pixels), told
        size = [round(w * 1.25), round(h * 1.25)]
        yield "super-resolve: another factor declared", after, {**told, "size": size}


def row(kind: str, name: str, case: Case, picture: str, value: float) -> dict[str, Any]:
    return {"kind": kind, "name": name, "case": case.name, "picture": picture, "strain": round(min(value, 1e6), 4)}


def measure(crops: Path, folder: Path) -> list[dict[str, Any]]:
    """One row for each result, as it is and tampered with in each way."""
    rows = []
    for case in CASES:
        made = make(case, crops, folder)
        others = [read_picture(path) for path, _ in made]
        for k, (path, source) in enumerate(made):
            told = recipe.read(path) or {}
            after, before = others[k], read_picture(source)
            rows.append(row("honest", case.command.split()[0], case, path.stem, strain(after, before, told)))
            for name, result, said in tampered(case, after, before, others[k - 1], told):
                if name.endswith("another picture") and len(made) == 1:
                    continue
                rows.append(row("tampered", name, case, path.stem, strain(result, before, said)))
    for case in WRONG:
        for path, source in make(case, crops, folder):
            value = strain(read_picture(path), read_picture(source), recipe.read(path) or {})
            rows.append(row("tampered", f"denoise: {case.name}", case, path.stem, value))
    return rows


def main() -> None:
    """Cut crops, measure, report."""
    report, *pictures = map(Path, sys.argv[1:])
    with tempfile.TemporaryDirectory() as name:
        folder, crops = Path(name), Path(name) / "crops"
        crops.mkdir()
        for path in pictures:
            with Image.open(path) as image:
                x, y = (image.width - SIZE[0]) // 2, (image.height - SIZE[1]) // 2
                image.convert("RGB").crop((x, y, x + SIZE[0], y + SIZE[1])).save(crops / f"{path.stem}.png")
        rows = measure(crops, folder)
    report.write_text(
        json.dumps(
            {
                "checkpoint": to_recipe(find("photo")),
                "pictures": [path.stem for path in pictures],
                "size": SIZE,
                "rows": rows,
            },
            indent=1,
        )
        + "\n"
    )


if __name__ == "__main__":
    main()
