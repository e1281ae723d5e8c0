"""Camera RAW that becomes a denoised DNG: `python -m benchmarks.quality_raw [FILE.dng ...] [--folder KEPT]`.

Sensors are simulated with a known noise law. Real files come as arguments. Each becomes a DNG by `diffuse denoise`,
which then is developed by LibRaw and, where they are installed, by RawTherapee and darktable, with default settings.
So is the input; of simulated sensors, so is the file without noise, which both are compared with. Compared are the
means of blocks, which noise hardly changes. Writes checkpoints/measured/raw.json.

LibRaw is told not to stretch light to the brightest number, which noise decides. darktable 4.2 develops with its
display-referred workflow. In the scene-referred one it switches filmic RGB on for mosaics alone, so each LinearRaw DNG
becomes about 8 percent brighter until the user switches it on, too.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import rawpy
import tifffile

from diffuse_cli.images.image_io import read_pages
from diffuse_cli.images.picture import Picture
from tests.helpers.raw_files import BAYER, X_TRANS, Floats, scene, sensor_law, write_raw

from .tables import MEASURED

BLOCK = 32
DARK = 0.02
"""Darker blocks are compared as if they had this share of white."""
SIZE = (528, 600)
SENSORS = (
    ("Bayer, ISO 400", 400, BAYER), ("Bayer, ISO 3200", 3200, BAYER), ("Bayer, ISO 12800", 12800, BAYER),
    ("X-Trans, ISO 3200", 3200, X_TRANS), ("X-Trans, ISO 12800", 12800, X_TRANS),
)  # fmt: skip


def develop_by_libraw(path: Path) -> Floats:
    with rawpy.imread(str(path)) as raw:
        made = raw.postprocess(use_camera_wb=True, output_bps=16, no_auto_bright=True, adjust_maximum_thr=0.0)
    return np.asarray(made / 65535)


def develop_by_program(program: str, path: Path, folder: Path) -> Floats:
    made = folder / f"{program}.tif"
    made.unlink(missing_ok=True)
    home = {**os.environ, "HOME": str(folder)}
    commands = {
        "rawtherapee-cli": ["-Y", "-d", "-b16", "-t", "-o", str(made), "-c", str(path)],
        "darktable-cli": [
            str(path), str(made), "--apply-custom-presets", "false", "--core", "--configdir", str(folder / "dt"),
            "--library", ":memory:", "--conf", "plugins/imageio/format/tiff/bpp=16",
            "--conf", "plugins/darkroom/workflow=display-referred",
        ],
    }  # fmt: skip
    subprocess.run([program, *commands[program]], env=home, capture_output=True, check=True, timeout=500)
    return np.asarray(tifffile.imread(made)[..., :3] / 65535)


def blocks(pixels: Floats) -> Floats:
    height, width = (side // BLOCK * BLOCK for side in pixels.shape[:2])
    cut = pixels[:height, :width].reshape(height // BLOCK, BLOCK, width // BLOCK, BLOCK, 3)
    return np.asarray(cut.mean((1, 3)).reshape(-1, 3))


def difference(before: Floats, after: Floats) -> tuple[float, float]:
    """The median and the mean, in percent, of what blocks differ by. Borders that one program cuts off are cut."""
    rows, columns = (min(a, b) for a, b in zip(before.shape[:2], after.shape[:2], strict=True))

    def middle(x: Floats) -> Floats:
        top, left = (x.shape[0] - rows) // 2, (x.shape[1] - columns) // 2
        return x[top : top + rows, left : left + columns]

    one, other = blocks(middle(before)), blocks(middle(after))
    apart = np.abs(other - one) / np.maximum(one, DARK)
    return 100 * float(np.median(apart)), 100 * float(abs(other.mean() / one.mean() - 1))


def light_of(path: Path) -> tuple[Picture, Floats]:
    picture = next(read_pages(path, as_light=True))
    return picture, (picture.pixels.astype(np.float64) + 1) / 2


def psnr(one: Floats, other: Floats) -> float:
    """Of light with the sRGB curve, in dB."""
    root = [np.clip(x, 0, 1) ** (1 / 2.2) for x in (one, other)]
    return -10 * float(np.log10(np.mean((root[0] - root[1]) ** 2)))


def developed(path: Path, folder: Path) -> dict[str, Floats]:
    found = {"libraw": develop_by_libraw(path)}
    for program in ("rawtherapee-cli", "darktable-cli"):
        if shutil.which(program):
            found[program.split("-")[0]] = develop_by_program(program, path, folder)
    return found


def measured(path: Path, folder: Path, without: Path | None = None) -> dict[str, Any]:
    """Denoise a file, and compare its development with that of the file, or of another one that has no noise."""
    made = folder / f"{path.stem}-denoised.dng"
    command = [sys.executable, "-m", "diffuse_cli", "denoise", str(path), "-o", str(made), "-f", "-q"]
    subprocess.run(command, check=True)
    found: dict[str, Any] = {"light": difference(light_of(path)[1], light_of(made)[1])}
    before, after = developed(path, folder), developed(made, folder)
    if without is not None:
        clean = developed(without, folder)
        found |= {f"{name}_noisy": difference(clean[name], before[name]) for name in before}
        before = clean
    found |= {name: difference(before[name], after[name]) for name in before}
    if shutil.which("exiftool"):
        told = subprocess.run(["exiftool", "-j", "-n", made], capture_output=True, check=True).stdout
        found["exiftool"] = json.loads(told)[0]["PhotometricInterpretation"] == 34892
    return found


def simulated(folder: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, iso, pattern in SENSORS:
        clean = scene(*SIZE)
        law, path, without = sensor_law(iso), folder / f"sensor{len(pattern)}-{iso}.dng", folder / "clean.dng"
        write_raw(path, clean, law, pattern=pattern)
        black = 0 if pattern is X_TRANS else 1024  # which RawTherapee 5.9 leaves in a DNG with this mosaic
        write_raw(without, clean, pattern=pattern, black=black)
        reference, (picture, noisy) = light_of(without)[1], light_of(path)
        sensor = picture.source.sensor
        assert sensor is not None
        at = np.quantile(clean, [0.1, 0.5, 0.9], axis=(0, 1))
        off = [
            abs(float(one.at(float(at[q, k]))) / (law[0] * float(at[q, k]) + law[1]) - 1)
            for k, one in enumerate(sensor.laws) for q in range(3)
        ]  # fmt: skip
        row = measured(path, folder, without)
        after = light_of(folder / f"{path.stem}-denoised.dng")[1]
        yield name, row | {
            "law": 100 * float(np.mean(off)), "law_most": 100 * max(off),
            "psnr_before": psnr(reference, noisy), "psnr": psnr(reference, after),
        }  # fmt: skip


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--folder", type=Path)
    given = parser.parse_args(argv)
    folder = given.folder or Path(tempfile.mkdtemp())
    rows: list[dict[str, Any]] = []
    for name, row in simulated(folder):
        rows.append({"file": name, **row})
        print(json.dumps(rows[-1]), flush=True)
    for path in given.files:
        rows.append({"file": path.name, **measured(path, folder)})
        print(json.dumps(rows[-1]), flush=True)
    told = {"block": BLOCK, "dark": DARK, "size": list(SIZE), "libraw": list(rawpy.libraw_version), "rows": rows}
    (MEASURED / "raw.json").write_text(json.dumps(told, indent=1) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
