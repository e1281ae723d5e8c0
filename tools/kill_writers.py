"""Kill writers at random moments of writing: `python -m tools.kill_writers FOLDER COUNT`.

Each child writes the same few outputs over and over, in several formats, until SIGKILL hits it. After every kill each
output must be whole, byte for byte one of the versions that are written, and the input untouched.
"""

import itertools
import os
import random
import signal
import sys
import time
from pathlib import Path

import numpy as np

from diffuse_cli.images.image_io import Picture, Source, read_picture, to_unit, write_pages, write_picture
from diffuse_cli.system.files import remove_stale

NAMES = ("deep.png", "photo.jpg", "pages.tif", "web.webp", "floats.npy")


def versions() -> list[Picture]:
    """Two pictures, so that one replaces the other."""
    rng = np.random.default_rng(0)
    return [Picture(pixels=to_unit(rng.integers(0, 256, (200, 300, 3)).astype(np.uint8), 8)) for _ in range(2)]


def write(picture: Picture, path: Path) -> None:
    if path.suffix == ".tif":
        two = Picture(pixels=picture.pixels, source=Source(pages=2))
        write_pages([two, two], path)
    else:
        write_picture(picture, path)


def write_for_ever(folder: Path) -> None:
    for picture, name in itertools.cycle(itertools.product(versions(), NAMES)):
        write(picture, folder / name)


def main(folder: Path, count: int) -> None:
    original = folder / "input.png"
    write_picture(versions()[0], original)
    precious = original.read_bytes()
    whole: dict[str, set[bytes]] = {name: set() for name in NAMES}
    for picture, name in itertools.product(versions(), NAMES):
        write(picture, folder / name)
        whole[name].add((folder / name).read_bytes())
        (folder / name).unlink()
    rng, left, seen = random.Random(0), 0, 0
    for _ in range(count):
        child = os.fork()
        if child == 0:
            read_picture(original)
            write_for_ever(folder)
        time.sleep(rng.uniform(0.005, 0.15))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        for name in NAMES:
            if (folder / name).exists():
                seen += 1
                assert (folder / name).read_bytes() in whole[name], f"{name} is torn"
        assert original.read_bytes() == precious, "the input is changed"
        left += len(remove_stale([folder]))
        assert {p.name for p in folder.iterdir()} <= {"input.png", *NAMES}, "a temporary stays"
    print(f"{count} kills: {seen} outputs looked at, all whole; {left} temporaries of dead writers removed")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
