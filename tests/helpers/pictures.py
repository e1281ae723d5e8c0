"""Pictures that tests make."""

import hashlib
import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from diffuse_cli.images.image_io import Picture, read_picture, to_unit


def flat(size: tuple[int, int] = (64, 64), *, gray: bool = False, noise: float = 0.0) -> Picture:
    shape = (*size, 1 if gray else 3)
    levels = np.random.default_rng(0).normal(120, noise, shape).round().clip(0, 255).astype(np.uint8)
    return Picture(pixels=to_unit(levels, 8))


def as_jpeg(picture: Picture, folder: Path, *, quality: int, subsampling: str) -> Picture:
    levels = ((picture.pixels + 1) * 127.5).round().astype(np.uint8)
    buffer = io.BytesIO()
    image = Image.fromarray(levels[..., 0] if levels.shape[2] == 1 else levels)
    image.save(buffer, "JPEG", quality=quality, **({} if image.mode == "L" else {"subsampling": subsampling}))
    (folder / "x.jpg").write_bytes(buffer.getvalue())
    return read_picture(folder / "x.jpg")


def noise(width: int, height: int, seed: int = 0) -> Image.Image:
    """What compresses worst."""
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8))


def shrunk(pixels: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
    """By Pillow's float resize, which has nothing to do with the code under test."""
    planes = [
        Image.fromarray(np.ascontiguousarray(pixels[..., c])).resize(size[::-1], Image.Resampling.BICUBIC)
        for c in range(pixels.shape[2])
    ]
    return np.stack([np.asarray(plane) for plane in planes], axis=2)


def make(folder: Path, *names: str, side: int = 40) -> list[Path]:
    """Pictures that differ, each with a description of its own."""
    paths = [folder / name for name in names]
    for k, path in enumerate(paths):
        path.parent.mkdir(parents=True, exist_ok=True)
        exif = Image.Exif()
        exif[270] = f"description of {k}"
        levels = np.random.default_rng(k).normal(60 + 10 * k, 25, (side, side, 3)).clip(0, 255).astype(np.uint8)
        image = Image.fromarray(levels)
        image.save(path) if path.suffix == ".bmp" else image.save(path, exif=exif.tobytes())
    return paths


def digests(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
