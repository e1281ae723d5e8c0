"""Real pairs: a noisy photograph of a still scene, and the mean of many of it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from ..errors import PictureError, UsageError
from ..images.image_io import to_levels
from ..restoration.noise_reading import NoiseReader
from .conditions import Condition
from .picture_sets import opaque_picture, pictures
from .protocol import Case, noise_between, photograph

PAIRS: Final = Condition(task="pairs", level=0)
NOISY, CLEAN = "_real", "_mean"
"""How the names of a pair end where both are in one folder."""


def pairs(noisy: Sequence[Path], clean: Sequence[Path]) -> list[dict[Path, Path]]:
    """Return the clean picture of each noisy one, for each folder.

    Args:
        noisy: folders.
        clean: as many folders, with pictures of the same names; empty = both pictures of a pair are in one folder.

    Raises:
        UsageError: there is no folder or picture, or a picture has no partner.
    """
    if not clean:
        return [_within(folder) for folder in noisy]
    if len(noisy) != len(clean):
        raise UsageError(f"--pairs: {len(noisy)} folders of noisy pictures, but {len(clean)} of clean ones by --data")
    return [_across(*folders) for folders in zip(noisy, clean, strict=True)]


def _within(folder: Path) -> dict[Path, Path]:
    """Match NAME_real with NAME_mean, as PolyU (Xu et al. 2018, arXiv:1804.02603) and CC name them."""
    found: dict[str, dict[str, Path]] = {NOISY: {}, CLEAN: {}}
    for path in pictures(folder, None):
        ending = path.stem[-len(NOISY) :].lower()
        if ending not in found:
            raise UsageError(
                f"{path}: neither NAME{NOISY} nor NAME{CLEAN}; "
                "name the pairs so, or give --pairs NOISY_FOLDER --data CLEAN_FOLDER"
            )
        _add(found[ending], path.stem[: -len(NOISY)], path)
    return _matched(found[NOISY], found[CLEAN], f"NAME{NOISY} and NAME{CLEAN}")


def _across(noisy: Path, clean: Path) -> dict[Path, Path]:
    """Match the pictures of one name in two folders."""
    sides: list[dict[str, Path]] = [{}, {}]
    for side, folder in zip(sides, (noisy, clean), strict=True):
        for path in pictures(folder, None):
            _add(side, path.stem, path)
    return _matched(sides[0], sides[1], f"the same name in {noisy} and {clean}")


def _add(side: dict[str, Path], name: str, path: Path) -> None:
    if name in side:
        raise UsageError(f"{path} and {side[name].name} have one name; leave one of them")
    side[name] = path


def _matched(noisy: dict[str, Path], clean: dict[str, Path], names: str) -> dict[Path, Path]:
    alone = sorted(noisy.keys() ^ clean.keys())
    if alone:
        path = noisy.get(alone[0]) or clean[alone[0]]
        more = f" (and {len(alone) - 1} more)" if len(alone) > 1 else ""
        raise UsageError(f"{path}: has no partner{more}; a pair has {names}")
    return {noisy[name]: clean[name] for name in noisy}


def pair(noisy: Path, clean: Path, read: NoiseReader | None) -> Case:
    """Read a pair. The noise is what lies between its pictures.

    Args:
        noisy: a file. A JPEG's tables are known, as they are to `denoise`.
        clean: its partner.
        read: reads the noise of photographs.

    Raises:
        PictureError: a file cannot be read, or they do not fit together.
    """
    damaged, truth = opaque_picture(noisy), opaque_picture(clean)
    if damaged.pixels.shape != truth.pixels.shape:
        sizes = " and ".join(f"{w}x{h}x{c}" for h, w, c in (damaged.pixels.shape, truth.pixels.shape))
        raise PictureError(f"{noisy}: {sizes} differ (width x height x channels); {clean.name} must fit it")
    levels = to_levels(truth.pixels, 8)
    return photograph(PAIRS, levels, damaged, noise_between(levels, to_levels(damaged.pixels, 8)), read)
