"""Damage files and read them: `python -m tools.fuzz_reader COUNT [FOLDER]` (see also `tools.fuzz_guided`).

Seeds are small files of every format that the libraries at hand can write, and those in FOLDER. Each is damaged by
flipped bytes, by truncation, by blocks moved, doubled or set to extremes. The checksums of a PNG are mended in half of
the cases. A reader may refuse a file only by PictureError; it may not take longer than 10 seconds of computing, nor
more than 2 GiB, nor crash. What was read is written again, and read once more: a JPEG must be the same if its coded
picture was copied, frames and pages must be the same where the format is lossless. DICOM is also shown. What breaks a
rule is kept.
"""

import argparse
import importlib.util
import io
import itertools
import math
import multiprocessing
import random
import resource
import sys
import tempfile
import time
import zlib
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from diffuse_cli.errors import PictureError, UsageError
from diffuse_cli.images.containers import png_chunks
from diffuse_cli.images.dicom_values import displayed
from diffuse_cli.images.image_io import (
    Encoding,
    Picture,
    Source,
    read_pages,
    to_unit,
    write_pages,
    write_picture,
)
from diffuse_cli.images.picture import ExtraChannels, integers, levels_of

LIMIT_SECONDS, LIMIT_MEMORY = 10.0, 2 * 2**30
MOST_PAGES, MOST_WRITTEN = 40, 1 << 22
"""Pages and numbers that are written again."""
OPTIONAL = {".heic": "pillow_heif", ".jxl": "imagecodecs"}


def seeds(folder: Path) -> list[Path]:
    """Small files of every format, mode and depth that diffuse writes; animations, CMYK, more channels in TIFFs."""
    from PIL import Image

    made = plain(folder)
    for suffix in (".tif", ".npy"):
        write_picture(noise(3, 16, floating=True), folder / f"float{suffix}")
        made.append(folder / f"float{suffix}")
    write_pages([noise(3, 8), noise(1, 8)], folder / "pages.tif", encoding=Encoding())
    Image.effect_noise((24, 20), 50).save(folder / "still.gif")
    Image.effect_noise((24, 20), 50).save(folder / "lossy.webp", quality=80)
    made += [folder / "pages.tif", folder / "still.gif", folder / "lossy.webp"]
    return [*made, *more_channels(folder), *jpegs(folder), *animations(folder), *dicom_seeds(folder)]


def noise(channels: int, depth: int, floating: bool = False) -> Picture:
    """A picture with metadata."""
    from PIL import Image

    levels = integers(np.random.default_rng(channels).integers(0, 2**depth, (20, 24, channels)), depth)
    exif = Image.Exif()
    exif[271], exif[274], exif[34665] = "Maker", 1, {37500: b"maker note", 33434: 0.01}
    source = Source(exif=exif.tobytes()[6:], xmp=b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>", dpi=(300, 300))
    colours = channels - (channels in (2, 4))
    alpha = integers(levels[..., -1], depth) if channels in (2, 4) else None
    pixels = to_unit(integers(levels[..., :colours], depth), depth)
    return Picture(pixels=pixels, alpha=alpha, depth=depth, floating=floating, source=source)


def plain(folder: Path) -> list[Path]:
    """A file of each format, number of channels and depth."""
    made = []
    for suffix in (".png", ".tif", ".jpg", ".webp", ".bmp", ".ppm", ".avif", ".npy", *OPTIONAL):
        if suffix in OPTIONAL and importlib.util.find_spec(OPTIONAL[suffix]) is None:
            continue
        for channels, depth in itertools.product((1, 2, 3, 4), (8, 16)):
            path = folder / f"{channels}_{depth}{suffix}"
            with suppress(PictureError):  # the format does not hold it
                write_picture(noise(channels, depth), path)
                made.append(path)
    return made


def more_channels(folder: Path) -> list[Path]:
    """TIFFs with channels beside colour and alpha."""
    made = []
    for count, channels in itertools.product((1, 2), (1, 4)):
        extra = ExtraChannels(levels=np.full((20, 24, count), 77, np.uint8), kinds=(0,) * count)
        page, path = noise(channels, 8), folder / f"extra{count}_{channels}.tif"
        write_picture(replace(page, source=replace(page.source, extra=extra)), path)
        made.append(path)
    return made


def jpegs(folder: Path) -> list[Path]:
    """JPEGs of several codings."""
    from PIL import Image

    exif = Image.Exif()
    exif[274] = 6
    ways: dict[str, dict[str, Any]] = {
        "progressive": {"progressive": True}, "restarts": {"restart_marker_blocks": 3}, "chroma": {"subsampling": 2},
        "turned": {"exif": exif}, "optimized": {"optimize": True, "quality": 30}, "CMYK": {}, "L": {},
    }  # fmt: skip
    for name, way in ways.items():
        mode = name if name in ("CMYK", "L") else "RGB"
        Image.effect_noise((75, 60), 50).convert(mode).save(folder / f"{name}.jpg", **way)
    return [folder / f"{name}.jpg" for name in ways]


def animations(folder: Path) -> list[Path]:
    """Small animations, with and without transparency, with all ways of disposal and blending."""
    from PIL import Image

    made = []
    opaque = [Image.effect_noise((24, 20), 20 + 10 * k).convert("RGB") for k in range(4)]
    clear = [image.copy() for image in opaque]
    for k, image in enumerate(clear):
        alpha = Image.new("L", image.size, 0)
        alpha.paste(255, (2 * k, k, 12 + 2 * k, 12 + k))
        image.putalpha(alpha)
    ways: dict[str, tuple[list[Image.Image], dict[str, Any]]] = {
        "plain.gif": (opaque, {}), "clear.gif": (clear, {"disposal": 2}), "before.gif": (clear, {"disposal": 3}),
        "plain.png": (opaque, {}), "over.png": (clear, {"blend": 1}), "clear.png": (clear, {"disposal": 1}),
        "before.png": (clear, {"disposal": 2, "blend": 1}), "default.png": (opaque, {"default_image": True}),
        "lossless.webp": (clear, {"lossless": True}), "lossy.webp": (opaque, {"quality": 50}),
        "gray.png": ([image.convert("L") for image in opaque], {}),
    }  # fmt: skip
    for name, (frames, way) in ways.items():
        path = folder / f"moves_{name}"
        count = len(frames) - ("default_image" in way)
        frames[0].save(path, save_all=True, append_images=frames[1:], duration=[40, 70, 100, 30][:count], **way)
        made.append(path)
    return made


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


def summed(data: bytes) -> bytes:
    """A PNG whose checksums are right, whatever its chunks hold."""
    mended = bytearray(data)
    for part in png_chunks(io.BytesIO(data)):
        end = part.at + part.size
        if end + 4 <= len(data):
            mended[end : end + 4] = zlib.crc32(data[part.at - 4 : end]).to_bytes(4, "big")
    return bytes(mended)


def read(data: bytes, suffix: str, folder: Path) -> str:
    """Read it as a user would, every page; what became of it.

    Raises: whatever is no PictureError.
    """
    path = folder / f"case{suffix}"
    path.write_bytes(data)
    try:
        pages: list[Picture] = []
        for page in read_pages(path):
            page.pixels.sum()
            levels_of(displayed(page))
            if len(pages) < MOST_PAGES:
                pages.append(page)
    except PictureError as error:
        if not str(error).startswith(f"{path}: ") or "\n" in str(error):
            raise AssertionError(f"not one line that names the file: {error}") from error
        return "refused"
    if sum(page.pixels.size for page in pages) < MOST_WRITTEN:
        write_again(pages, suffix if pages[0].source.format == "JPEG" else "", folder)
    return "read"


def write_again(pages: list[Picture], suffix: str, folder: Path) -> None:
    """Write what was read, and read it once more.

    Raises: whatever is wrong with it.
    """
    first = pages[0]
    targets = [".tif" if first.floating or first.source.frame is None else ".png"]
    targets += [".gif", ".webp"] if first.source.frame is not None else []
    targets = [".dcm"] if first.source.dicom is not None else targets
    targets += [suffix] if suffix == ".jpg" else []
    for target in targets:
        path, notes = folder / f"again{target}", list[str]()
        try:
            write_pages(pages, path, tell=notes.append)
        except (PictureError, UsageError) as error:
            if "\n" in str(error) or ("cannot be written as" in str(error) and "at most" not in str(error)):
                raise AssertionError(f"what was read is not written: {error}") from error
            continue
        again = list(read_pages(path))
        shown = [p for p in pages if target == ".png" or p.source.frame is None or not p.source.frame.is_still]
        if len(again) != len(shown):
            raise AssertionError(f"{len(again)} pages or frames of {len(shown)} were written as {target}")
        exact = target in (".tif", ".png", ".dcm") or any("copied" in note for note in notes)
        for before, after in zip(shown, again, strict=True):
            if exact and not np.array_equal(before.pixels, after.pixels):
                raise AssertionError(f"other pixels in {target} than were read")


def _work(job: tuple[int, list[str], str, int]) -> tuple[Counter[str], float, int, list[str]]:
    """A share of the cases, in a process of its own: (outcomes, longest seconds, most memory, broken rules)."""
    seed, paths, keep, count = job
    rng, counts, longest, broken = random.Random(seed), Counter[str](), 0.0, []
    with tempfile.TemporaryDirectory() as folder:
        for number in range(count):
            origin = Path(paths[number % len(paths)])
            data = damaged(origin.read_bytes(), rng)
            if origin.suffix == ".png" and rng.random() < 0.5:
                data = summed(data)
            begin = time.process_time()
            Path(keep, f"last_{seed}{origin.suffix}").write_bytes(data)  # so that a crash can be looked at
            try:
                outcome = read(data, origin.suffix, Path(folder))
            except Exception as error:  # what is looked for
                outcome = f"{type(error).__name__}: {error}"
            seconds = time.process_time() - begin
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


def run(
    count: int, extra: Path | None, keep: Path, only: str | None = None, first: int = 0, seconds: float = math.inf
) -> int:
    """Read so many damaged files, or as many as there is time for; returns how many broke a rule."""
    begin = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        paths = [str(p) for p in seeds(Path(folder))]
        paths += [str(p) for p in sorted(extra.rglob("*")) if p.is_file()] if extra else []
        paths = [path for path in paths if only is None or path.endswith(only)]
        share, total, longest, most, broken = 200, Counter[str](), 0.0, 0, []
        numbers = range(first, first - (-count // share))
        jobs = [(seed, paths[seed * 7 % len(paths) :] + paths, str(keep), share) for seed in numbers]
        with multiprocessing.Pool(1, maxtasksperchild=1) as pool:
            for job in jobs:
                if time.monotonic() - begin > seconds:
                    break
                pending = pool.apply_async(_work, (job,))
                try:
                    counts, took, memory, found = pending.get(timeout=share * LIMIT_SECONDS)
                except multiprocessing.TimeoutError:
                    broken.append(f"seed {job[0]}: a hang or a crash; see last_{job[0]}.* in {keep}")
                    pool.terminate()
                    break
                total, longest, most, broken = total + counts, max(longest, took), max(most, memory), broken + found
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
    parser.add_argument("--first", metavar="SEED", type=int, default=0, help="the first seed")
    parser.add_argument("--seconds", metavar="S", type=float, default=math.inf, help="no more files after so long")
    asked = parser.parse_args()
    keep = Path(tempfile.mkdtemp(prefix="fuzz-"))
    sys.exit(run(asked.count, asked.extra, keep, asked.only, asked.first, asked.seconds) > 0)
