"""Animations that tests make, with Pillow."""

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageSequence

DURATIONS = (100, 50, 200, 70, 30, 500)
"""Milliseconds."""


def frames(mode: str = "RGB", *, size: tuple[int, int] = (48, 40), noise: float = 8.0) -> list[Image.Image]:
    """A square that moves over a noisy ramp; of RGBA, nothing but the square is opaque."""
    rng, made = np.random.default_rng(0), []
    width, height = size
    ramp = np.linspace(40, 200, width)[None, :, None] * np.array([1, 0.8, 0.6])
    for k in range(len(DURATIONS)):
        levels = (ramp + rng.normal(0, noise, (height, width, 3))).clip(0, 255)
        left = 3 + 5 * k
        levels[8:24, left : left + 14] = (210, 60 + 20 * k, 30)
        image = Image.fromarray(levels.astype(np.uint8))
        if mode == "RGBA":
            alpha = np.zeros((height, width), np.uint8)
            alpha[6:26, left - 2 : left + 16] = 255
            image.putalpha(Image.fromarray(alpha))
        made.append(image)
    return made


def save(path: Path, mode: str = "RGB", **options: object) -> Path:
    """Write an animation. Pillow's defaults lose something in a WebP."""
    made = frames(mode)
    said: dict[str, Any] = {"duration": list(DURATIONS), "loop": 2}
    said |= {"lossless": True, "exact": True} if path.suffix == ".webp" else {}
    made[0].save(path, save_all=True, append_images=made[1:], **(said | options))
    return path


def shown(path: Path) -> list[Image.Image]:
    """The frames as Pillow composes them, RGBA."""
    with Image.open(path) as image:
        return [frame.convert("RGBA") for frame in ImageSequence.Iterator(image)]


def durations(path: Path) -> list[float]:
    """Milliseconds of each frame, as Pillow reads them."""
    found = []
    with Image.open(path) as image:
        for frame in ImageSequence.Iterator(image):
            frame.load()
            found.append(float(frame.info["duration"]))
    return found


def loop(path: Path) -> object:
    """What the file says of repetitions, as Pillow reads it; None = nothing."""
    with Image.open(path) as image:
        return image.info.get("loop")
