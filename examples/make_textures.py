"""A folder of textures to fine-tune on, and one to validate on: python examples/make_textures.py FOLDER

Bricks, grass and gravel, photographs of scikit-image's sample data (CC0), in tiles of 128 pixels: the upper three
quarters of each into FOLDER/train, the lowest quarter into FOLDER/val.
"""

import sys
from importlib.util import find_spec
from pathlib import Path

from PIL import Image

SIDE = 128


def main(folder: Path) -> None:
    """Cut the tiles."""
    found = find_spec("skimage")
    if found is None or found.origin is None:
        sys.exit("needs scikit-image: pip install scikit-image")
    for name in ("brick", "grass", "gravel"):
        with Image.open(Path(found.origin).parent / "data" / f"{name}.png") as image:
            for top in range(0, image.height - SIDE + 1, SIDE):
                part = folder / ("val" if top + SIDE > 0.75 * image.height else "train")
                part.mkdir(parents=True, exist_ok=True)
                for left in range(0, image.width - SIDE + 1, SIDE):
                    tile = image.crop((left, top, left + SIDE, top + SIDE))
                    tile.save(part / f"{name}_{top}_{left}.png")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
