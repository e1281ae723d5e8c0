"""Measure the quality that the README states: python tests/measure.py TESTSETS [--through WHAT] [--dtype bf16]

TESTSETS holds CBSD68, Set5 and Set14. `files` runs the installed program on 8-bit PNGs (noise clipped and rounded);
`float` runs the Python API on unclipped floats; `estimate` compares the level that `denoise --noise auto` finds in
8-bit pictures with the std really present, and says what becomes of clean ones; `jpeg` denoises pictures that were
saved as JPEG (4:2:0) after the noise, as the program does and as if their noise were white. One denoiser call each,
results rounded to 8 bits. Noise: numpy RandomState(0).normal(0, level, shape) anew for each picture; PSNR over all
channels. Resizing: cropped to multiples of the scale, antialiased bicubic, rounded; PSNR on Y (BT.601, 16..235), a
border of `scale` pixels left out.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

Array = NDArray[Any]
NOISES, SCALES = (15, 25, 50), (2, 3, 4)


def load(path: Path, *, gray: bool) -> Array:
    """(H, W, 3), or (H, W) if the picture is gray or shall be."""
    with Image.open(path) as image:
        return np.asarray(image.convert("L" if gray or image.mode == "L" else "RGB"))


def noisy(clean: Array, level: float) -> Array:
    shape = clean.shape if clean.ndim == 3 else (*clean.shape, 1)
    noise = np.random.RandomState(0).normal(0, level, shape)
    return clean + noise.reshape(clean.shape)


def rounded(levels: Array) -> Array:
    return levels.round().clip(0, 255).astype(np.uint8)


def shrunk(clean: Array, scale: int) -> tuple[Array, Array]:
    """The picture cropped to multiples of the scale, and that resized down."""
    h, w = (n // scale * scale for n in clean.shape[:2])
    clean = clean[:h, :w]
    x = torch.from_numpy(clean.reshape(h, w, -1).astype(np.float32)).permute(2, 0, 1)[None]
    small = torch.nn.functional.interpolate(x, (h // scale, w // scale), mode="bicubic", antialias=True)
    return clean, rounded(small[0].permute(1, 2, 0).numpy()).reshape(h // scale, w // scale, *clean.shape[2:])


def luma(levels: Array) -> Array:
    levels = levels.astype(float)
    if levels.ndim == 2:
        levels = np.repeat(levels[..., None], 3, 2)
    y: Array = 16 + levels @ np.array([65.481, 128.553, 24.966]) / 255
    return y


def psnr(a: Array, b: Array) -> float:
    return float(10 * np.log10(255**2 / np.mean((a.astype(float) - b.astype(float)) ** 2)))


def psnr_y(a: Array, b: Array, border: int) -> float:
    inner = (slice(border, -border),) * 2
    return psnr(luma(a)[inner], luma(b)[inner])


def through_files(inputs: dict[str, Array], options: list[str]) -> dict[str, Array]:
    """What the installed program makes of these pictures, as PNG files."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for stem, levels in inputs.items():
            Image.fromarray(rounded(levels)).save(folder / f"{stem}.png")
        files = [str(folder / f"{stem}.png") for stem in inputs]
        subprocess.run(["diffuse", *options, "-q", *files, "-o", f"{folder}/out/"], check=True)
        return {stem: load(folder / "out" / f"{stem}.png", gray=False) for stem in inputs}


def through_float(inputs: dict[str, Array], options: list[str]) -> dict[str, Array]:
    """What the Python API makes of them, as floats in 0..1."""
    from diffuse_cli import restore

    task, named = options[0], dict(zip(options[1::2], options[2::2], strict=True))
    keywords: dict[str, Any] = {k.lstrip("-"): v if k == "--dtype" else float(v) for k, v in named.items()}
    return {
        stem: rounded(restore((levels / 255).astype(np.float32), task, **keywords) * 255)  # type: ignore[call-overload]
        for stem, levels in inputs.items()
    }


def cases(sets: Path, limit: int) -> Iterator[tuple[str, list[str], dict[str, Array], dict[str, Array], int]]:
    """(name, options, clean, damaged, scale or 0) of every row."""
    for gray in (False, True):
        for level in NOISES:
            paths = sorted((sets / "CBSD68").iterdir())[:limit]
            clean = {p.stem: load(p, gray=gray) for p in paths}
            damaged = {stem: noisy(levels, level) for stem, levels in clean.items()}
            name = f"CBSD68 {'gray' if gray else 'colour'} noise {level}"
            yield name, ["denoise", "--noise", str(level)], clean, damaged, 0
    for folder in ("Set5", "Set14"):
        for scale in SCALES:
            pairs = {p.stem: shrunk(load(p, gray=False), scale) for p in sorted((sets / folder).iterdir())[:limit]}
            clean, damaged = ({stem: pair[k] for stem, pair in pairs.items()} for k in (0, 1))
            yield f"{folder} x{scale}", ["super-resolve", "--scale", str(scale)], clean, damaged, scale


def estimates(sets: Path, limit: int) -> dict[str, float]:
    """Mean absolute error of the estimated level, in levels; and clean pictures after `denoise --noise auto`."""
    from diffuse_cli.image_io import Picture, read_picture, to_unit
    from diffuse_cli.request import Denoise

    def level_of_jpeg(levels: Array, quality: int) -> float:
        with tempfile.TemporaryDirectory() as name:
            Image.fromarray(levels).save(Path(name) / "x.jpg", quality=quality, subsampling="4:2:0")
            return Denoise().task(read_picture(Path(name) / "x.jpg")).noise * 127.5

    def level(levels: Array) -> float:
        pixels = to_unit(levels.reshape(*levels.shape[:2], -1), 8)
        return Denoise().task(Picture(pixels=pixels)).noise * 127.5

    table: dict[str, float] = {}
    for gray in (False, True):
        kind = "gray" if gray else "colour"
        clean = {p.stem: load(p, gray=gray) for p in sorted((sets / "CBSD68").iterdir())[:limit]}
        for nominal in (5, 15, 25, 50):
            damaged = {stem: rounded(noisy(levels, nominal)) for stem, levels in clean.items()}
            present = {stem: float((damaged[stem] - clean[stem].astype(float)).std()) for stem in clean}
            error = np.mean([abs(level(damaged[stem]) - present[stem]) for stem in clean])
            table[f"CBSD68 {kind} noise {nominal}: mean error"] = round(float(error), 3)
        damaged = {stem: rounded(noisy(levels, 15)) for stem, levels in clean.items()}
        for quality in (75, 90):
            found = [level_of_jpeg(levels, quality) for levels in damaged.values()]
            table[f"CBSD68 {kind} noise 15, JPEG {quality}: mean level"] = round(float(np.mean(found)), 2)
            table[f"CBSD68 {kind} noise 15, JPEG {quality}: least level"] = round(min(found), 2)
        changed = {stem: levels for stem, levels in clean.items() if level(levels) > 0}
        restored = through_files(changed, ["denoise"]) if changed else {}
        table[f"CBSD68 {kind} clean: unchanged"] = len(clean) - len(changed)
        worst = min((psnr(restored[stem], clean[stem]) for stem in changed), default=float("inf"))
        table[f"CBSD68 {kind} clean: worst PSNR of the others"] = round(worst, 2)
    return table


def noisy_jpegs(sets: Path, limit: int) -> dict[str, float]:
    """PSNR of noisy JPEGs: as they are, as `denoise` takes them, and taken for pictures with white noise."""
    from diffuse_cli.device import prepare
    from diffuse_cli.image_io import read_picture, to_levels
    from diffuse_cli.request import Denoise
    from diffuse_cli.restoration import restore
    from diffuse_cli.settings import Settings

    model = prepare(dtype="fp32")
    table: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "x.jpg"
        for level in (15, 25):
            for quality in (75, 90):
                for source in sorted((sets / "CBSD68").iterdir())[:limit]:
                    clean = load(source, gray=False)
                    Image.fromarray(rounded(noisy(clean, level))).save(path, quality=quality, subsampling="4:2:0")
                    file = read_picture(path)
                    plain = replace(file, source=replace(file.source, jpeg=None))
                    results = {
                        "the file itself": file,
                        "denoise": restore(file, Denoise().task(file), Settings(), model),
                        "taken for white noise": restore(plain, Denoise().task(plain), Settings(), model),
                    }
                    for how, picture in results.items():
                        row = f"CBSD68 noise {level}, JPEG {quality}: {how}"
                        table.setdefault(row, []).append(psnr(to_levels(picture.pixels, 8), clean))
    return {row: round(float(np.mean(scores)), 2) for row, scores in table.items()}


def main() -> None:
    """Print one line a row as it is measured, and all as JSON at the end."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("testsets", type=Path)
    parser.add_argument("--through", choices=["files", "float", "estimate", "jpeg"], default="files")
    parser.add_argument("--dtype", choices=["fp32", "bf16"], default="fp32")
    parser.add_argument("--limit", type=int, default=1000, help="pictures of each set")
    parser.add_argument("--only", default="", help="rows whose name holds this")
    arguments = parser.parse_args()
    if arguments.through in ("estimate", "jpeg"):
        measure = estimates if arguments.through == "estimate" else noisy_jpegs
        print(json.dumps(measure(arguments.testsets, arguments.limit), indent=1))
        return
    runner: Callable[..., dict[str, Array]] = through_files if arguments.through == "files" else through_float
    table: dict[str, float] = {}
    for name, options, clean, damaged, scale in cases(arguments.testsets, arguments.limit):
        if arguments.only not in name:
            continue
        restored = runner(damaged, [*options, "--dtype", arguments.dtype])
        scores = [psnr_y(restored[k], clean[k], scale) if scale else psnr(restored[k], clean[k]) for k in clean]
        table[name] = round(float(np.mean(scores)), 3)
        print(f"{name}: {table[name]:.3f} dB ({len(clean)} pictures)", file=sys.stderr, flush=True)
    print(json.dumps(table, indent=1))


if __name__ == "__main__":
    main()
