"""A painted wall with craquelure and lost plaster, and what became of it: mural.png, mural_losses.png, mural.jpg.

The wall is drawn: a painting of van Gogh, on a plaster that cracks and comes off. `make` draws it, `show` lays the
figure out.

    python examples/mural.py make
    diffuse inpaint examples/mural.png --mask examples/mural_losses.png -o out/whole.png --show-fill out/added.png
    python examples/mural.py show out
"""

import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy import ndimage
from scipy.spatial import cKDTree

HERE = Path(__file__).resolve().parent
SIZE = (300, 320)
"""Height and width."""
PLASTER = (214, 205, 188)
Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


def soft(rng: np.random.Generator, sigma: float) -> Floats:
    """Return smooth noise of std 1."""
    field = ndimage.gaussian_filter(rng.standard_normal(SIZE), sigma)
    return np.asarray(field / field.std())


def cracks(rng: np.random.Generator) -> Floats:
    """Return how dark the cracks are, 0..1: the borders of cells, bent, and closed in places."""
    rows, columns = np.indices(SIZE).astype(float)
    places = np.dstack([rows + 5 * soft(rng, 6), columns + 5 * soft(rng, 6)])
    cells = rng.uniform((-20, -20), (SIZE[0] + 20, SIZE[1] + 20), (60, 2))
    distances = cKDTree(cells).query(places, 2)[0]
    width = 0.7 + 0.25 * soft(rng, 15)
    return np.asarray((width + 0.8 - (distances[..., 1] - distances[..., 0])).clip(0, 1) * (soft(rng, 12) > -0.6))


def losses(rng: np.random.Generator) -> Mask:
    """Return where the plaster has come off."""
    field = soft(rng, 14) + 0.15 * soft(rng, 3)
    off: Mask = field > np.quantile(field, 0.955)
    return off


def make() -> None:
    """Draw the wall, and the losses as a conservator marks them: red paint on a transparent layer."""
    rng = np.random.default_rng(4)
    with Image.open(HERE / "auvers.jpg") as painting:
        left, top = 240, 120
        wall = np.asarray(painting.convert("RGB").crop((left, top, left + SIZE[1], top + SIZE[0])), float)
    crack, off = cracks(rng)[..., None], losses(rng)
    wall = wall * (1 - 0.75 * crack)
    ground = np.array(PLASTER) + 7 * soft(rng, 1)[..., None] + 5 * soft(rng, 8)[..., None]
    shade = np.roll(off, (2, 2), (0, 1)) ^ off
    wall = np.where(off[..., None], ground * np.where(shade, 0.75, 1)[..., None], wall)
    Image.fromarray(wall.round().clip(0, 255).astype(np.uint8)).save(HERE / "mural.png", optimize=True)
    marked = ndimage.binary_dilation(off | (crack[..., 0] > 0.1), iterations=1)
    layer = np.zeros((*SIZE, 4), np.uint8)
    layer[marked] = (255, 0, 0, 255)
    Image.fromarray(layer).save(HERE / "mural_losses.png", optimize=True)


def show(folder: Path) -> None:
    """Lay out the wall, the marks, what was added, and the whole."""
    pictures = [HERE / "mural.png", HERE / "mural_losses.png", folder / "added.png", folder / "whole.png"]
    sheet = Image.new("RGB", (2 * SIZE[1] + 6, 2 * SIZE[0] + 6), "white")
    for k, path in enumerate(pictures):
        with Image.open(path) as picture:
            board = checks()
            board.alpha_composite(picture.convert("RGBA"))
        sheet.paste(board.convert("RGB"), (k % 2 * (SIZE[1] + 6), k // 2 * (SIZE[0] + 6)))
    sheet.save(HERE / "mural.jpg", quality=88, optimize=True)


def checks() -> Image.Image:
    """Return the board that stands for transparency."""
    board = Image.new("RGBA", SIZE[::-1], (235, 235, 235, 255))
    draw = ImageDraw.Draw(board)
    for top in range(0, SIZE[0], 8):
        for left in range(top // 8 % 2 * 8, SIZE[1], 16):
            draw.rectangle((left, top, left + 7, top + 7), fill=(200, 200, 200, 255))
    return board


if __name__ == "__main__":
    if sys.argv[1] == "make":
        make()
    else:
        show(Path(sys.argv[2]))
