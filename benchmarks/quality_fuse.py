"""What fusing copies brings: python -m benchmarks.quality_fuse PHOTOS [--photos 4] [--bursts FRAMES] [--json FILE]

PHOTOS is a folder of clean pictures that the weights were not trained on. Of the middle of each, copies are made,
shifted by up to 4 pixels and turned by up to a degree, each with its own noise, coder, size or blur (`CASES`). Told are
PSNRs against the clean picture, 8 pixels from its edge: of the best copy alone, on the reference's pixels; of the plain
mean of the registered copies; of their fusion; of `diffuse fuse`, which also removes the noise that is left; and of the
best copy restored alone.
FRAMES is a folder of folders, each of neighbouring frames of a clip. There noise is added, and the first frame is what
is compared with. Of shots whose pixels are means of 2 x 2, `fuse --scale 2` is told. How far registration misses is
told in pixels.
"""

import argparse
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from diffuse_cli.diffusion.checkpoint import find, to_recipe
from diffuse_cli.diffusion.model import Model
from diffuse_cli.diffusion.settings import Settings
from diffuse_cli.images.image_io import read_pages
from diffuse_cli.images.picture import Picture, to_unit
from diffuse_cli.restoration.copies.describing import describe
from diffuse_cli.restoration.copies.fusing import Fused, fuse_copies
from diffuse_cli.restoration.copies.registration import coordinates, register
from diffuse_cli.restoration.copies.weighing import mean
from diffuse_cli.restoration.noise_reading import NoiseReader, noise_reader
from diffuse_cli.restoration.problem import GuidePicture
from diffuse_cli.restoration.restore import restore
from diffuse_cli.tasks.denoise import Denoise
from diffuse_cli.tasks.fuse import Fuse
from diffuse_cli.tasks.super_resolve import SuperResolve

Pixels = NDArray[np.float32]
MARGIN, EDGE = 12, 8
"""Pixels around what is copied, so that every copy shows it; and of the edge that does not count."""


@dataclass(frozen=True, kw_only=True)
class Made:
    """How a copy is made.

    Attributes:
        noise: std in levels.
        grain: how coarse it is.
        jpeg: quality; None: PNG.
        scale: its size.
        blur: std of a Gaussian.
        gain: factor of its light.
        wobble: pixels by which places are off, each in its own direction: no homography tells.
        still: neither shifted nor turned.
    """

    noise: float = 0.0
    grain: float = 0.0
    jpeg: int | None = None
    scale: float = 1.0
    blur: float = 0.0
    gain: float = 1.0
    wobble: float = 0.0
    still: bool = False


@dataclass(frozen=True, kw_only=True)
class Case:
    """Copies of one picture, the reference first.

    Attributes:
        copies: how they are made.
        moves: something in them moves.
    """

    copies: tuple[Made, ...] = field(default=())
    moves: bool = False


def burst(count: int, made: Made) -> tuple[Made, ...]:
    return (replace(made, still=True), *[made] * (count - 1))


CASES = {
    "4 of noise 20": Case(copies=burst(4, Made(noise=20))),
    "8 of noise 20": Case(copies=burst(8, Made(noise=20))),
    "4 of noise 10, with an object that moves": Case(copies=burst(4, Made(noise=10)), moves=True),
    "4 of a camera's noise, JPEG 90": Case(copies=burst(4, Made(noise=10, grain=0.7, jpeg=90))),
    "noise 10, 10, 10, and one of 60": Case(copies=(*burst(3, Made(noise=10)), Made(noise=60))),
    "JPEG 30, 50, 70, 90": Case(copies=tuple(Made(jpeg=q, still=q == 30) for q in (30, 50, 70, 90))),
    "noise 10; half the size, noise 3; soft": Case(
        copies=(Made(noise=10, still=True), Made(noise=3, scale=0.5), Made(noise=3, blur=1.5))
    ),
    "4 of noise 10, half a pixel off": Case(
        copies=(Made(noise=10, still=True), *(Made(noise=10, wobble=0.5) for _ in range(3)))
    ),
    "4 of noise 10, darker and lighter": Case(
        copies=(Made(noise=10, still=True), *(Made(noise=10, gain=gain) for gain in (0.7, 0.85, 1.1)))
    ),
}


def matrix(size: tuple[int, int], scale: float, angle: float, shift: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return where the pixels of a copy lie in the photograph."""
    c, s = np.cos(np.deg2rad(angle)) / scale, np.sin(np.deg2rad(angle)) / scale
    made = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1.0]])
    of_copy = np.array([(round(n * scale) - 1) / 2 for n in (size[1], size[0])])
    made[:2, 2] = np.array([(size[1] - 1) / 2, (size[0] - 1) / 2]) + shift - made[:2, :2] @ of_copy
    return made


def placed(photo: Pixels, made: Made, rng: np.random.Generator) -> tuple[Pixels, NDArray[np.float64]]:
    """Return what a copy shows without noise, and where its pixels lie in the middle of the photograph."""
    size = (photo.shape[0], photo.shape[1])
    angle, shift = (0.0, np.zeros(2)) if made.still else (rng.uniform(-1, 1), rng.uniform(-4, 4, 2))
    where = matrix(size, made.scale, angle, shift)
    soft = photo if made.scale == 1 else cv2.GaussianBlur(photo, (0, 0), 0.45 / made.scale - 0.2)
    x, y = coordinates(where, (round(size[0] * made.scale), round(size[1] * made.scale)))
    if made.wobble:
        rows, columns = np.indices(x.shape, np.float32)
        phase = rng.uniform(0, 6)
        x, y = x + made.wobble * np.sin(rows / 9 + phase), y + made.wobble * np.cos(columns / 11 + phase)
    shown = cv2.remap(soft, x, y, cv2.INTER_LANCZOS4, borderMode=cv2.BORDER_REFLECT)
    cut = round(MARGIN * made.scale)
    shown = shown[cut:-cut, cut:-cut]
    back = np.array([[1.0, 0, -MARGIN], [0, 1, -MARGIN], [0, 0, 1]])
    return shown, back @ where @ np.array([[1.0, 0, cut], [0, 1, cut], [0, 0, 1]])


def stored(shown: Pixels, made: Made, rng: np.random.Generator) -> Picture:
    """Return a copy as its file holds it."""
    if made.blur:
        shown = cv2.GaussianBlur(shown, (0, 0), made.blur)
    noise = rng.normal(0, 1, shown.shape)
    if made.grain:
        noise = cv2.GaussianBlur(noise, (0, 0), made.grain)
        noise /= noise.std()
    levels = np.clip(np.round(shown * made.gain + made.noise * noise), 0, 255).astype(np.uint8)
    if made.jpeg is None:
        return Picture(pixels=to_unit(levels, 8))
    file = io.BytesIO()
    Image.fromarray(levels).save(file, "JPEG", quality=made.jpeg)
    file.seek(0)
    return next(read_pages(Path("copy.jpg"), data=file))


def copies_of(photo: Pixels, case: Case, seed: int) -> tuple[Pixels, list[Picture], list[NDArray[np.float64]]]:
    """Return the clean picture, its copies, and where their pixels lie in it."""
    rng = np.random.default_rng([seed, len(case.copies)])
    clean = photo[MARGIN:-MARGIN, MARGIN:-MARGIN].copy()
    thing = 255 - photo[:32, :32]
    pictures, places = [], []
    for k, made in enumerate(case.copies):
        shown, where = placed(photo, made, rng)
        if case.moves:
            left = 16 + 9 * k
            shown[40:72, left : left + 32] = thing
        pictures.append(stored(shown, made, rng))
        places.append(where)
    if case.moves:
        clean[40:72, 16:48] = thing
    return to_unit(np.round(clean).astype(np.uint8), 8), pictures, places


def psnr(one: Pixels, clean: Pixels) -> float:
    inner = (slice(EDGE, -EDGE), slice(EDGE, -EDGE))
    return float(10 * np.log10(4 / np.mean((np.clip(one, -1, 1)[inner] - clean[inner]) ** 2)))


def fused_of(pictures: list[Picture], read: NoiseReader | None, scale: float = 1.0) -> Fused:
    named = [(f"copy {k}", picture) for k, picture in enumerate(pictures)]
    left_out: list[str] = []
    found = fuse_copies(named[0], named[1:], lambda picture: describe(picture, read), left_out.append, scale)
    if found is None or left_out:
        raise SystemExit(f"not registered: {left_out}")
    return found


def measured(clean: Pixels, pictures: list[Picture], model: Model, read: NoiseReader | None) -> dict[str, float]:
    """Return the PSNRs of one set of copies."""
    found = fused_of(pictures, read)
    even = [np.ones(clean.shape[:2], np.float32)] * len(found.copies)
    single = {k: psnr(copy.pixels, clean) for k, copy in enumerate(found.copies)}
    best = max(single, key=lambda k: single[k])
    settings, first = Settings(steps=1), pictures[0]
    whole = restore(first, Fuse(copies=pictures[1:]).problem_of(first, found), settings, model)
    alone = replace(first, pixels=found.copies[best].pixels) if best else first
    restored = restore(alone, Denoise().problem(pictures[best] if not best else alone, read), settings, model)
    return {
        "best": single[best], "naive": psnr(mean(found.copies, even), clean), "fused": psnr(found.pixels, clean),
        "result": psnr(whole.pixels, clean), "alone": psnr(restored.pixels, clean),
        "noise_told": float(np.sqrt(np.mean(found.sigma[EDGE:-EDGE, EDGE:-EDGE] ** 2))) * 127.5,
        "least_share": min(found.shares),
    }  # fmt: skip


def missed(pictures: list[Picture], places: list[NDArray[np.float64]], clean: Pixels) -> Iterator[float]:
    """Yield by how many pixels of the reference each registration is off, on average."""
    weights = np.array([0.299, 0.587, 0.114], np.float32)
    size = (clean.shape[0], clean.shape[1])
    lumas = [(p.pixels @ weights + 1) * np.float32(127.5) for p in pictures]
    for luma, where in zip(lumas[1:], places[1:], strict=True):
        found = register(lumas[0], luma)
        if found is None:
            yield float("nan")
            continue
        x, y = coordinates(where @ found.matrix, size)
        rows, columns = np.indices(size)
        yield float(np.sqrt(np.mean((x - columns) ** 2 + (y - rows) ** 2)))


def enlarged(
    photo: Pixels, count: int, noise: float, model: Model, read: NoiseReader | None, seed: int
) -> dict[str, float]:
    """Return the PSNRs of one shot enlarged, of the fusion enlarged, and of `fuse --scale 2`."""
    rng = np.random.default_rng([seed, count])
    height, width = photo.shape[:2]
    pictures = []
    for k in range(count):
        angle, shift = (0.0, np.zeros(2)) if k == 0 else (rng.uniform(-0.5, 0.5), rng.uniform(-4, 4, 2))
        turn = cv2.getRotationMatrix2D((width / 2, height / 2), angle, 1)
        turn[:, 2] += shift
        shown = cv2.warpAffine(photo, turn, (width, height), flags=cv2.INTER_LANCZOS4, borderMode=cv2.BORDER_REFLECT)
        cut = shown[EDGE:-EDGE, EDGE:-EDGE]
        small = cut.reshape(cut.shape[0] // 2, 2, cut.shape[1] // 2, 2, 3).mean((1, 3))
        pictures.append(stored(small, Made(noise=noise), rng))
    clean = to_unit(np.round(photo[EDGE:-EDGE, EDGE:-EDGE]).astype(np.uint8), 8)
    found, settings, first = fused_of(pictures, read, 2.0), Settings(steps=1), pictures[0]
    problem = Fuse(copies=pictures[1:], scale=2).problem_of(first, found)
    assert isinstance(problem.observation, GuidePicture)
    plain = replace(problem, observation=replace(problem.observation, linear=None))
    one = SuperResolve(scale=2).problem(first, read)
    return {
        "one": psnr(restore(first, one, settings, model).pixels, clean),
        "fused": psnr(restore(first, plain, settings, model).pixels, clean),
        "result": psnr(restore(first, problem, settings, model).pixels, clean),
    }  # fmt: skip


def bursts(folder: Path, side: int, noise: float) -> Iterator[tuple[str, Pixels, list[Picture]]]:
    """Yield the middle of the neighbouring frames of clips, with noise. The first is what counts."""
    for one in sorted(folder.iterdir()):
        frames = [np.asarray(Image.open(path).convert("RGB"), np.float32) for path in sorted(one.glob("*.png"))]
        top, left = ((n - min(side, n)) // 2 for n in frames[0].shape[:2])
        rng = np.random.default_rng(len(frames))
        shown = [frame[top : top + side, left : left + side] for frame in frames]
        yield one.name, to_unit(shown[0].astype(np.uint8), 8), [stored(s, Made(noise=noise), rng) for s in shown]


def write(
    arguments: argparse.Namespace, photos: int, rows: list[Any], of_bursts: list[Any], off: list[float],
    large: list[Any],
) -> None:  # fmt: skip
    """Write what is known so far."""
    missed_by = {"median": float(np.nanmedian(off)), "most": float(np.nanmax(off)), "count": len(off)} if off else {}
    told = {
        "checkpoint": to_recipe(find("photo")), "photos": photos, "side": arguments.side, "rows": rows,
        "noise": arguments.noise, "bursts": of_bursts, "enlarged": large, "missed": missed_by,
    }  # fmt: skip
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


def main() -> None:
    """Measure, and write what `benchmarks/tables.py` makes tables of."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos_in", type=Path, metavar="PHOTOS")
    parser.add_argument("--photos", type=int, default=4)
    parser.add_argument("--side", type=int, default=160)
    parser.add_argument("--bursts", type=Path)
    parser.add_argument("--noise", type=float, default=15, help="of bursts")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    model = Model.load("photo", device="cpu")
    read = noise_reader(model)
    paths = sorted(arguments.photos_in.glob("*.png"))
    paths = paths[:: max(1, len(paths) // arguments.photos)][: arguments.photos]
    rows: list[dict[str, Any]] = []
    of_bursts: list[dict[str, Any]] = []
    off: list[float] = []
    large: list[dict[str, Any]] = []
    for name, case in CASES.items():
        found = []
        for seed, path in enumerate(paths):
            photo, side = np.asarray(Image.open(path).convert("RGB"), np.float32), arguments.side + 2 * MARGIN
            top, left = ((n - side) // 2 for n in photo.shape[:2])
            clean, pictures, places = copies_of(photo[top : top + side, left : left + side], case, seed)
            found.append(measured(clean, pictures, model, read))
            off += [] if case.moves or any(m.wobble for m in case.copies) else missed(pictures, places, clean)
        rows.append({"case": name, **{key: float(np.mean([one[key] for one in found])) for key in found[0]}})
        print(rows[-1], flush=True)
        write(arguments, len(paths), rows, of_bursts, off, large)
    for count, noise in ((6, 2), (4, 8)):
        found = []
        for seed, path in enumerate(paths):
            photo, side = np.asarray(Image.open(path).convert("RGB"), np.float32), 208
            top, left = ((n - side) // 2 for n in photo.shape[:2])
            found.append(enlarged(photo[top : top + side, left : left + side], count, noise, model, read, seed))
        large.append(
            {"shots": count, "noise": noise, **{k: float(np.mean([one[k] for one in found])) for k in found[0]}}
        )
        print(large[-1], flush=True)
        write(arguments, len(paths), rows, of_bursts, off, large)
    for name, clean, pictures in () if arguments.bursts is None else bursts(arguments.bursts, 160, arguments.noise):
        of_bursts.append({"clip": name, "frames": len(pictures), **measured(clean, pictures, model, read)})
        print(of_bursts[-1], flush=True)
        write(arguments, len(paths), rows, of_bursts, off, large)


if __name__ == "__main__":
    main()
