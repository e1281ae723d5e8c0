"""What earlier frames bring: clips of photographs in motion with noise, restored frame by frame and with them.

    python -m benchmarks.quality_video PHOTOS [--clips FOLDER] [--noise 25] [--frames 10] [--side 112] [--photos 3]

PHOTOS is a folder of clean pictures that the weights were not trained on. Each becomes three clips: a pan and a zoom by
fractions of a pixel, and a still camera, each with an object that moves in another direction. FOLDER has real clips, of
which the middle is taken. All are restored from noise, and enlarged from half their size with a fifth of that noise.
Told are the PSNR of the frames after the fifth, and the flicker: how much still areas change from frame to frame, as
their std in levels. --json FILE writes all of it.
"""

import argparse
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from diffuse_cli.degradation.operators import Degradation
from diffuse_cli.diffusion.checkpoint import find, to_recipe
from diffuse_cli.diffusion.model import Model
from diffuse_cli.diffusion.settings import Settings
from diffuse_cli.images.image_io import read_pages
from diffuse_cli.images.picture import Picture
from diffuse_cli.images.units import LEVEL
from diffuse_cli.images.video.clip import ClipPart
from diffuse_cli.restoration.earlier_frames import EarlierFrames, opencv
from diffuse_cli.restoration.problem import GuidePicture, NoisyPicture, Problem
from diffuse_cli.restoration.restore import restore

Pixels = NDArray[np.float32]
KINDS = ("pan", "zoom", "still")
AFTER = 5
"""Frames that are not counted."""
LEAST_STILL = 200
"""Still pixels that must be there to tell of flicker."""
INTER_AREA = 3
"""OpenCV's number for the mean of an area."""


def window(photo: Pixels, kind: str, k: int, side: int) -> Pixels:
    """Return the k-th frame of a camera's way over a photograph."""
    cv2 = opencv()
    height, width = photo.shape[:2]
    x, y, scale = width / 2, height / 2, 1.0
    if kind == "pan":
        x, y = x + 1.37 * k - 8, y + 0.62 * k - 3
    if kind == "zoom":
        scale = 1.3 * 0.985**k
    columns, rows = np.meshgrid(np.arange(side, dtype=np.float32), np.arange(side, dtype=np.float32))
    middle = (side - 1) / 2
    to_x, to_y = ((axis - middle) * scale + at for axis, at in ((columns, x), (rows, y)))
    seen: Pixels = cv2.remap(photo, to_x.astype(np.float32), to_y.astype(np.float32), cv2.INTER_CUBIC)
    return seen


def clip(photo: Pixels, other: Pixels, kind: str, count: int, side: int) -> tuple[list[Pixels], NDArray[np.bool_]]:
    """Return the frames of a clip, and where nothing moves in any of them."""
    frames, still = [], np.full((side, side), kind == "still")
    size = side // 4
    for k in range(count):
        frame = window(photo, kind, k, side)
        left, top = side - size - 4 - 2 * k, side // 3 + k
        frame[top : top + size, left : left + size] = other[:size, :size]
        still[max(top - 3, 0) : top + size + 3, max(left - 3, 0) : left + size + 3] = False
        frames.append(np.clip(frame, -1, 1))
    return frames, still


def real_clip(path: Path, count: int, side: int) -> list[Pixels]:
    """Return the middle of a clip, a few frames after its beginning."""
    frames = [page.pixels for page in read_pages(path, part=ClipPart(start=1.0, frames=count))]
    top, left = ((length - side) // 2 // 2 * 2 for length in frames[0].shape[:2])
    return [np.clip(frame[top : top + side, left : left + side], -1, 1) for frame in frames]


def still_pixels(frames: list[Pixels]) -> list[NDArray[np.bool_]]:
    """Return where two frames of a real clip show the same."""
    cv2 = opencv()
    steps = [np.abs(frames[k + 1] - frames[k]).mean(2) * LEVEL for k in range(len(frames) - 1)]
    return [cv2.boxFilter(step, -1, (7, 7)) < 1.5 for step in steps]


def restored(
    frames: list[Pixels], problem_of: Callable[[Picture], Problem], model: Model, earlier: EarlierFrames | None
) -> list[Pixels]:
    """Restore noisy frames one after the other."""
    done = []
    for frame in frames:
        picture = Picture(pixels=frame)
        problem = problem_of(picture)
        if earlier is not None:
            problem = earlier.joined(picture, problem)
        result = restore(picture, problem, Settings(steps=1), model)
        if earlier is not None:
            earlier.done(result)
        done.append(result.pixels)
    return done


def psnr(one: list[Pixels], other: list[Pixels]) -> float:
    """Return the mean PSNR of the frames after the fifth."""
    errors = [np.mean((a.clip(-1, 1) - b) ** 2) for a, b in zip(one[AFTER:], other[AFTER:], strict=True)]
    return float(np.mean([10 * np.log10(4 / error) for error in errors]))


def flicker(frames: list[Pixels], still: list[NDArray[np.bool_]]) -> float:
    """Return how much still areas change from frame to frame, in 8-bit levels."""
    steps = [(frames[k + 1] - frames[k])[still[k]] for k in range(AFTER - 1, len(frames) - 1)]
    return float(np.sqrt(np.mean(np.concatenate(steps) ** 2)) * LEVEL)


def compared(
    clean: list[Pixels], still: list[NDArray[np.bool_]], noise: float, seed: int, scale: int, model: Model
) -> dict[str, float]:
    """Return what a clip gives with and without earlier frames."""
    rng = np.random.default_rng(seed)
    level = noise / LEVEL
    seen = [opencv().resize(f, None, fx=1 / scale, fy=1 / scale, interpolation=INTER_AREA) for f in clean]
    noisy = [f + rng.normal(0, level, f.shape).astype(np.float32) for f in seen]

    def problem_of(_picture: Picture) -> Problem:
        if scale == 1:
            return Problem(observation=NoisyPicture(noise=level))
        guide = GuidePicture(degradation=Degradation(scale=scale, noise=level), size=clean[0].shape[:2])
        return Problem(observation=guide)

    alone = restored(noisy, problem_of, model, None)
    joined = restored(noisy, problem_of, model, EarlierFrames())
    row = {"alone": psnr(alone, clean), "joined": psnr(joined, clean)}
    if any(mask.sum() > LEAST_STILL for mask in still[AFTER - 1 :]):
        row |= {"flicker_alone": flicker(alone, still), "flicker_joined": flicker(joined, still)}
    return row


def sources(photos: list[Pixels], arguments: argparse.Namespace) -> Iterator[tuple[str, list[Pixels], list[Any]]]:
    """Yield the name of each clip's kind, its frames, and where they are still."""
    for kind in KINDS:
        for number, photo in enumerate(photos):
            clean, still = clip(photo, photos[number - 1], kind, arguments.frames, arguments.side)
            yield kind, clean, [still] * (arguments.frames - 1)
    for path in sorted(arguments.clips.glob("*.mp4")) if arguments.clips else ():
        clean = real_clip(path, arguments.frames, arguments.side)
        yield path.stem, clean, still_pixels(clean)


def measure(photos: list[Pixels], arguments: argparse.Namespace, report: Callable[[str], None]) -> dict[str, Any]:
    """Return what each kind of clip gives, as means over the photographs."""
    model = Model.load("photo", device="cpu")
    rows: dict[str, list[dict[str, float]]] = {}
    for seed, (kind, clean, still) in enumerate(sources(photos, arguments)):
        for name, scale, noise in ((kind, 1, arguments.noise), (f"{kind} x2", 2, arguments.noise / 5)):
            row = compared(clean, still, noise, seed, scale, model)
            rows.setdefault(name, []).append(row)
            report(f"{name}: " + ", ".join(f"{key} {value:.2f}" for key, value in row.items()))
    return {kind: {key: float(np.mean([row[key] for row in of])) for key in of[0]} for kind, of in rows.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos_in", type=Path, metavar="PHOTOS")
    parser.add_argument("--clips", type=Path, metavar="FOLDER")
    parser.add_argument("--noise", type=float, default=25)
    parser.add_argument("--frames", type=int, default=10)
    parser.add_argument("--side", type=int, default=112)
    parser.add_argument("--photos", type=int, default=3)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    paths = sorted(arguments.photos_in.glob("*.png"))
    chosen = paths[:: max(1, len(paths) // arguments.photos)][: arguments.photos]
    photos = [np.asarray(Image.open(p).convert("RGB"), np.float32) / np.float32(LEVEL) - 1 for p in chosen]
    found = measure(photos, arguments, print)
    for kind, row in found.items():
        print(f"{kind}: " + ", ".join(f"{name} {value:.2f}" for name, value in row.items()))
    if arguments.json is not None:
        told: dict[str, Any] = {"checkpoint": to_recipe(find("photo"))}
        told |= {name: getattr(arguments, name) for name in ("noise", "photos", "frames", "side")}
        text = json.dumps({**told, "kinds": found}, indent=1, sort_keys=True)
        arguments.json.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
