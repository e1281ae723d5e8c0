"""Mean, samples, and how much they differ, side by side: python examples/samples.py OUT.jpg"""

import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from diffuse_cli import Denoise, Inpaint, SuperResolve, restore, sample
from diffuse_cli.images.image_io import to_levels
from diffuse_cli.restoration.uncertainty import std_view

HERE = Path(__file__).resolve().parent
MASK = np.asarray(Image.open(HERE / "camera_mask.png").convert("L")) >= 128
JOBS = (
    (SuperResolve(scale=4), "coffee_small.png", (60, 60)),
    (Denoise(noise=25), "cat_noisy.png", (130, 60)),
    (Inpaint(mask=MASK), "camera_scratched.png", (150, 70)),
)
SIZE, GAP, LABEL = (240, 152), 4, 16


def main(out: Path) -> None:
    """One row a job, at 1:1: the input, fidelity 1, 0.5 and 0, and the std of eight samples at each pixel."""
    heads = ("input", "fidelity 1 (the mean)", "fidelity 0.5", "fidelity 0 (a sample)", "std of 8 samples")
    width, height = SIZE
    cell = width + GAP, height + 44 + GAP
    sheet = Image.new("RGB", (len(heads) * cell[0] - GAP, LABEL + len(JOBS) * cell[1]), "white")
    draw = ImageDraw.Draw(sheet)
    for column, head in enumerate(heads):
        draw.text((column * cell[0] + 2, 2), head, fill="black")
    for row, (task, name, (left, top)) in enumerate(JOBS):
        box = (left, top, left + width, top + height)
        with Image.open(HERE / name) as image:
            found = sample(image, task, count=8)
            half = restore(image, task, fidelity=0.5)
            before = image.resize(found.mean.size, Image.Resampling.NEAREST)
        pictures = [one.convert("RGB").crop(box) for one in (before, found.mean, half, found.samples[0])]
        view = std_view(np.ascontiguousarray(found.std[top : top + height, left : left + width]))
        pictures.append(Image.fromarray(to_levels(view.pixels, 8)))
        for column, picture in enumerate(pictures):
            sheet.paste(picture, (column * cell[0], LABEL + row * cell[1]))
    sheet.save(out, quality=93, subsampling=0, optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
