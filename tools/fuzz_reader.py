"""Damage files and read them: `python -m tools.fuzz_reader COUNT [FOLDER]` (see also `tools.fuzz_guided`).

Seeds are small files of every format that the libraries at hand can write, and those in FOLDER. Each is damaged by
flipped bytes, by truncation, by blocks moved, doubled or set to extremes. A reader may refuse a file only by
PictureError; it may not take longer than 10 seconds, nor more than 2 GiB, nor crash. A JPEG that was read is
written again, and must be the same if its coded picture was copied. A DICOM file that was read is written again as
well, and shown. What breaks a rule is kept.
"""

import argparse
import importlib.util
import multiprocessing
import random
import resource
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from diffuse_cli.errors import PictureError
from diffuse_cli.images.dicom_values import displayed
from diffuse_cli.images.image_io import (
    Encoding,
    Picture,
    Source,
    read_pages,
    read_picture,
    to_unit,
    write_pages,
    write_picture,
)
from diffuse_cli.images.picture import integers, levels_of

LIMIT_SECONDS, LIMIT_MEMORY = 10.0, 2 * 2**30
OPTIONAL = {".heic": "pillow_heif", ".jxl": "imagecodecs"}


def seeds(folder: Path) -> list[Path]:
    """Small files of every format, mode and depth that diffuse writes, and a GIF."""
    from PIL import Image

    rng, exif = np.random.default_rng(0), Image.Exif()
    made: list[Path] = []

    def picture(channels: int, depth: int, floating: bool = False) -> Picture:
        levels = integers(rng.integers(0, 2**depth, (20, 24, channels)), depth)
        exif = Image.Exif()
        exif[271], exif[274], exif[34665] = "Maker", 1, {37500: b"maker note", 33434: 0.01}
        source = Source(exif=exif.tobytes()[6:], xmp=b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>", dpi=(300, 300))
        colours = channels - (channels in (2, 4))
        alpha = integers(levels[..., -1], depth) if channels in (2, 4) else None
        pixels = to_unit(integers(levels[..., :colours], depth), depth)
        return Picture(pixels=pixels, alpha=alpha, depth=depth, floating=floating, source=source)

    for suffix in (".png", ".tif", ".jpg", ".webp", ".bmp", ".ppm", ".avif", ".npy", *OPTIONAL):
        if suffix in OPTIONAL and importlib.util.find_spec(OPTIONAL[suffix]) is None:
            continue
        for channels in (1, 2, 3, 4):
            for depth in (8, 16):
                path = folder / f"{channels}_{depth}{suffix}"
                try:
                    write_picture(picture(channels, depth), path)
                except PictureError:
                    continue  # the format does not hold it
                made.append(path)
    for suffix in (".tif", ".npy"):
        write_picture(picture(3, 16, floating=True), folder / f"float{suffix}")
        made.append(folder / f"float{suffix}")
    write_pages([picture(3, 8), picture(1, 8)], folder / "pages.tif", encoding=Encoding())
    Image.effect_noise((24, 20), 50).save(folder / "still.gif")
    Image.effect_noise((24, 20), 50).save(folder / "lossy.webp", quality=80)
    exif[274] = 6
    ways: dict[str, dict[str, Any]] = {
        "progressive": {"progressive": True}, "restarts": {"restart_marker_blocks": 3}, "chroma": {"subsampling": 2},
        "turned": {"exif": exif}, "optimized": {"optimize": True, "quality": 30},
    }  # fmt: skip
    for name, way in ways.items():
        Image.effect_noise((75, 60), 50).convert("RGB").save(folder / f"{name}.jpg", **way)
    jpegs = [folder / f"{name}.jpg" for name in ways]
    return [*made, folder / "pages.tif", folder / "still.gif", folder / "lossy.webp", *jpegs, *dicom_seeds(folder)]


def dicom_seeds(folder: Path) -> list[Path]:
    """Small gray files of every coding, of those that come with pydicom."""
    if importlib.util.find_spec("pydicom") is None:
        return []
    from pydicom.data import get_testdata_file

    names = (
        "CT_small", "MR_small", "MR_small_RLE", "MR_small_bigendian", "MR_small_implicit", "MR_small_jp2klossless",
        "MR_small_jpeg_ls_lossless", "JPEG2000", "JPEGLSNearLossless_16", "JPGExtended", "image_dfl",
    )  # fmt: skip
    made = []
    for name in names:
        made.append(folder / f"{name}.dcm")
        made[-1].write_bytes(Path(str(get_testdata_file(f"{name}.dcm", download=False))).read_bytes())
    return made


def damaged(data: bytes, rng: random.Random) -> bytes:
    """A file with something wrong."""
    changed, size = bytearray(data), len(data)
    at, length = rng.randrange(size), rng.choice([1, 2, 4, 8, 64])
    match rng.randrange(6):
        case 0:
            return data[:at]
        case 1:
            for _ in range(rng.choice([1, 2, 5, 20])):
                changed[rng.randrange(size)] ^= 1 << rng.randrange(8)
        case 2:
            for _ in range(rng.choice([1, 2, 5, 20])):
                changed[rng.randrange(min(size, 600))] = rng.choice([0, 1, 127, 128, 255, rng.randrange(256)])
        case 3:
            changed[at : at + length] = bytes([rng.choice([0, 255])]) * length
        case 4:
            other = rng.randrange(size)
            changed[at : at + length] = data[other : other + length]
        case _:
            changed[at:at] = data[max(at - length, 0) : at] * rng.choice([1, 3])
    return bytes(changed)


def read(data: bytes, suffix: str, folder: Path) -> str:
    """Read it as a user would, every page; what became of it.

    Raises: whatever is no PictureError.
    """
    path = folder / f"case{suffix}"
    path.write_bytes(data)
    try:
        frames = []
        for page in read_pages(path):
            page.pixels.sum()
            if page.source.dicom is not None:
                frames.append(page)
                levels_of(displayed(page))
            if suffix == ".jpg" and page.source.format == "JPEG":
                notes: list[str] = []
                write_pages([page], folder / "again.jpg", tell=notes.append)
                is_copied = any("copied" in note for note in notes)
                if is_copied and not np.array_equal(page.pixels, read_picture(folder / "again.jpg").pixels):
                    raise AssertionError("a JPEG that did not change was written with other pixels")
        if frames:
            write_again(frames, folder / "again.dcm")
    except PictureError as error:
        if not str(error).startswith(f"{path}: ") or "\n" in str(error):
            raise AssertionError(f"not one line that names the file: {error}") from error
        return "refused"
    return "read"


def write_again(frames: list[Picture], path: Path) -> None:
    """Write DICOM again. What cannot be written may be refused, and the refusal names the new file."""
    try:
        write_pages(frames, path)
    except PictureError as error:
        if not str(error).startswith(f"{path}: ") or "\n" in str(error):
            raise AssertionError(f"not one line that names the file: {error}") from error
        return
    for page, again in zip(frames, read_pages(path), strict=True):
        if not np.array_equal(page.pixels, again.pixels):
            raise AssertionError("a DICOM file that did not change was written with other values")


def _work(job: tuple[int, list[str], str, int]) -> tuple[Counter[str], float, int, list[str]]:
    """A share of the cases, in a process of its own: (outcomes, longest seconds, most memory, broken rules)."""
    seed, paths, keep, count = job
    rng, counts, longest, broken = random.Random(seed), Counter[str](), 0.0, []
    with tempfile.TemporaryDirectory() as folder:
        for number in range(count):
            origin = Path(paths[number % len(paths)])
            data = damaged(origin.read_bytes(), rng)
            begin = time.monotonic()
            Path(keep, f"last_{seed}{origin.suffix}").write_bytes(data)  # so that a crash can be looked at
            try:
                outcome = read(data, origin.suffix, Path(folder))
            except Exception as error:  # what is looked for
                outcome = f"{type(error).__name__}: {error}"
            seconds = time.monotonic() - begin
            longest = max(longest, seconds)
            memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
            if outcome not in ("read", "refused") or seconds > LIMIT_SECONDS or memory > LIMIT_MEMORY:
                name = f"broken_{seed}_{number}{origin.suffix}"
                Path(keep, name).write_bytes(data)
                broken.append(f"{name}: {outcome[:200]}, {seconds:.1f} s, {memory / 2**20:.0f} MiB")
            counts[f"{origin.suffix} {outcome if outcome in ('read', 'refused') else 'broken'}"] += 1
            if memory > LIMIT_MEMORY:
                break  # a high-water mark never falls again
    return counts, longest, memory, broken


def run(count: int, extra: Path | None, keep: Path, only: str | None = None) -> int:
    """Read so many damaged files; returns how many broke a rule."""
    with tempfile.TemporaryDirectory() as folder:
        paths = [str(p) for p in seeds(Path(folder))]
        paths += [str(p) for p in sorted(extra.rglob("*")) if p.is_file()] if extra else []
        paths = [path for path in paths if only is None or path.endswith(only)]
        share, total, longest, most, broken = 200, Counter[str](), 0.0, 0, []
        jobs = [(seed, paths[seed * 7 % len(paths) :] + paths, str(keep), share) for seed in range(-(-count // share))]
        with multiprocessing.Pool(1, maxtasksperchild=1) as pool:
            for job in jobs:
                pending = pool.apply_async(_work, (job,))
                try:
                    counts, seconds, memory, found = pending.get(timeout=share * LIMIT_SECONDS / 4)
                except multiprocessing.TimeoutError:
                    broken.append(f"seed {job[0]}: a hang or a crash; see last_{job[0]}.* in {keep}")
                    pool.terminate()
                    break
                total, longest, most, broken = total + counts, max(longest, seconds), max(most, memory), broken + found
    for name, number in sorted(total.items()):
        print(f"{name}: {number}")
    print(f"{sum(total.values())} damaged files: longest {longest:.1f} s, at most {most / 2**20:.0f} MiB")
    print(f"{len(broken)} broke a rule", *broken, sep="\n")
    return len(broken)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", type=int, help="how many files")
    parser.add_argument("extra", nargs="?", type=Path, help="a folder of further seeds")
    parser.add_argument("--only", metavar="SUFFIX", help="damage only files with this suffix")
    arguments = parser.parse_args()
    sys.exit(run(arguments.count, arguments.extra, Path(tempfile.mkdtemp(prefix="fuzz-")), arguments.only) > 0)
