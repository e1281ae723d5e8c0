"""Noise that varies and a hole that is wide, as the program leaves them: python examples/varying.py

Writes varying_noise.png (the input, one level, `--noise auto-map`, the true `--noise-map`) and wide_hole.png (the input
with its hole, two seeds, `--steps 1`), all at 1:1.
"""

from pathlib import Path

import numpy as np
from PIL import Image

from diffuse_cli import Denoise, Inpaint, restore

HERE = Path(__file__).resolve().parent
HOLE = (60, 150, 110, 110)


def beside(name: str, pictures: list[Image.Image], box: tuple[int, int, int, int]) -> None:
    """Crops in a row."""
    row = [np.asarray(picture.convert("RGB").crop(box)) for picture in pictures]
    Image.fromarray(np.concatenate(row, axis=1)).save(HERE / name, optimize=True)


def main() -> None:
    """Write both sheets."""
    noisy, std = HERE / "corners_noisy.png", HERE / "corners_std.png"
    with Image.open(noisy) as image:
        varying = [image.copy(), restore(noisy, Denoise()), restore(noisy, Denoise(noise="auto-map"))]
    with Image.open(std) as image:
        levels = np.asarray(image, np.float32)
    beside("varying_noise.png", [*varying, restore(noisy, Denoise(noise_map=levels))], (0, 0, 240, 160))

    clean = restore(HERE / "cat_noisy.png", Denoise())
    x, y, w, h = HOLE
    hole = clean.copy()
    hole.paste((128, 128, 128), (x, y, x + w, y + h))
    task = Inpaint(boxes=[HOLE])
    filled = [restore(clean, task, seed=seed) for seed in (0, 1)]
    beside("wide_hole.png", [hole, *filled, restore(clean, task, steps=1)], (20, 90, 260, 290))


if __name__ == "__main__":
    main()
