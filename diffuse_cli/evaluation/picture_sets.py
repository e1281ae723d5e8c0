"""Test sets: folders of pictures, and how one of their pictures is read."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..errors import PictureError, UsageError
from ..images.encoding import PICTURE_SUFFIXES
from ..images.image_io import Picture, read_picture, to_levels

Levels = NDArray[Any]
Item = TypeVar("Item")


def pictures(folder: Path, limit: int | None) -> list[Path]:
    """Return the picture files of a folder in the order of their names.

    Args:
        folder: of pictures.
        limit: this number of them, evenly spread; None = all.

    Raises:
        UsageError: there is no folder, or no picture in it.
    """
    if not folder.is_dir():
        raise UsageError(f"{folder}: no such folder; name a folder of pictures")
    here = (p for p in folder.iterdir() if p.is_file() and not p.name.startswith("."))
    paths = sorted(p for p in here if p.suffix.lower() in PICTURE_SUFFIXES)
    if not paths:
        raise UsageError(f"{folder}: no pictures in it ({' '.join(PICTURE_SUFFIXES)})")
    return spread(paths, limit)


def spread(items: Sequence[Item], limit: int | None) -> list[Item]:
    """Return so many of the items, evenly spread; all of them for None."""
    count = min(limit or len(items), len(items))
    return [items[k * len(items) // count] for k in range(count)]


def sets_of(folders: Sequence[Path], limit: int | None) -> dict[str, list[Path]]:
    """Return picture files by the name of their set.

    Args:
        folders: of clean pictures.
        limit: pictures of each folder; None = all.

    Raises:
        UsageError: no folder, or no pictures in it.
    """
    return {name: pictures(folder, limit) for name, folder in zip(set_names(folders), folders, strict=True)}


def set_names(folders: Sequence[Path]) -> list[str]:
    """Return the name of each set: the folder's own, or its path if two folders have one name."""
    names = [folder.resolve().name for folder in folders]
    return [name if names.count(name) == 1 else str(folder) for name, folder in zip(names, folders, strict=True)]


def clean_levels(path: Path, *, gray: bool, crop: int | None = None) -> Levels:
    """Read a picture of a test set: (H, W, C) uint8.

    Args:
        path: the file.
        gray: convert colour to gray, as Pillow's L.
        crop: return the middle of so many pixels a side; None = all.

    Raises:
        PictureError: it cannot be read, or has transparency.
    """
    picture = opaque_picture(path)
    levels = _middle(to_levels(picture.pixels, 8), crop)
    if gray and levels.shape[2] == 3:
        levels = np.asarray(Image.fromarray(levels).convert("L"))[..., None]
    return levels


def opaque_picture(path: Path) -> Picture:
    """Read a picture.

    Args:
        path: the file.

    Raises:
        PictureError: it cannot be read, or has transparency.
    """
    picture = read_picture(path)
    if picture.alpha is not None:
        raise PictureError(f"{path}: has transparency, so there is no one right result; flatten it first")
    return picture


def _middle(levels: NDArray[Any], side: int | None) -> NDArray[Any]:
    """Return the middle (side, side, C), or less where the picture (H, W, C) is smaller."""
    top, left = (max(n - (side or n), 0) // 2 for n in levels.shape[:2])
    return levels[top : top + (side or levels.shape[0]), left : left + (side or levels.shape[1])]
