"""The pictures to train on: files below folders, tar shards (webdataset), data sets of torchvision."""

import hashlib
import io
import os
import tarfile
import tempfile
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import cast

import numpy as np
from numpy.typing import NDArray

from ..errors import PictureError, UsageError
from ..images.image_io import read_picture, to_levels
from .torchvision_data import LabelledPictures, TorchvisionData

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp", ".ppm", ".pgm", ".avif")
_PIXELS_AHEAD = 4
Data = Path | TorchvisionData
"""What to train on: a file, a folder, or a data set of torchvision."""
Part = tuple[Path, Path] | LabelledPictures
"""A file that may hold pictures, after the folder or file that was given; or an open data set."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """A picture of the data, or why it cannot be used.

    Attributes:
        name: of the file, or of the record in one; without a path.
        levels: (H, W, 3) uint8; None = unreadable.
        sha256: of the file or record.
        label: from the data; None = none.
        problem: why there are no levels, in one line.
    """

    name: str
    levels: NDArray[np.uint8] | None = None
    sha256: str = ""
    label: str | None = None
    problem: str = ""


def open_data(data: Sequence[Data]) -> list[Part]:
    """Find every file that may hold pictures, and open the data sets.

    Args:
        data: files, folders with all below them, and data sets of torchvision.

    Returns:
        (folder or file that was given, file), or a data set; in a fixed order.

    Raises:
        UsageError: a folder or data set that is not there, or nothing that may hold pictures.
    """
    found: list[Part] = []
    for root in data:
        if isinstance(root, TorchvisionData):
            found.append(root.open())
            continue
        if not root.exists():
            raise UsageError(f"{root}: no such file or folder")
        paths = sorted(_below(root)) if root.is_dir() else [root]
        found += [(root, path) for path in paths]
    if not found:
        raise UsageError(f"{', '.join(map(str, data))}: no pictures there ({', '.join(SUFFIXES)}, .tar)")
    return found


def picture_files(folders: Sequence[Path]) -> list[Path]:
    """Return the pictures below folders, by their suffixes.

    Raises:
        UsageError: there are none.
    """
    files = [path for folder in folders for path in sorted(folder.rglob("*")) if path.suffix.lower() in SUFFIXES]
    if not files:
        raise UsageError(f"--data {', '.join(map(str, folders))}: no pictures there")
    return files


def _below(root: Path) -> Iterator[Path]:
    for folder, _, names in os.walk(root):
        for name in names:
            path = Path(folder, name)
            if path.suffix.lower() in (*SUFFIXES, ".tar"):
                yield path


def read_all(parts: Sequence[Part], *, folder_labels: bool) -> Iterator[Found]:
    """Read every picture in order. Other threads read a few ahead; no more are in memory.

    Args:
        parts: as `open_data` returns them.
        folder_labels: a file's label is its top-most folder below the one that was given.

    Raises:
        UsageError: a shard that is damaged, or a data set without classes.
    """
    workers = min(os.cpu_count() or 1, 8)
    ahead: deque[Future[Found]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        for part in parts:
            if not isinstance(part, LabelledPictures) and part[1].suffix.lower() in SUFFIXES:
                root, path = part
                label = _folder_label(root, path) if folder_labels else None
                ahead.append(pool.submit(_read_file, path, label))
                if len(ahead) >= _PIXELS_AHEAD * workers:
                    yield ahead.popleft().result()
                continue
            while ahead:
                yield ahead.popleft().result()
            yield from _read_labelled(part) if isinstance(part, LabelledPictures) else _read_shard(part[1])
        while ahead:
            yield ahead.popleft().result()


def _folder_label(root: Path, path: Path) -> str | None:
    parts = path.relative_to(root).parts
    return parts[0] if len(parts) > 1 else None


def _read_file(path: Path, label: str | None, name: str = "") -> Found:
    try:
        picture = read_picture(path)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
    except (PictureError, OSError) as error:
        return Found(name=name or path.name, problem=str(error))
    if picture.alpha is not None and bool((picture.alpha < picture.alpha.dtype.type(-1 % 2**picture.depth)).any()):
        return Found(name=name or path.name, problem=f"{path}: has transparent pixels; flatten it first")
    levels = np.broadcast_to(to_levels(picture.pixels, 8), (*picture.pixels.shape[:2], 3)).astype(np.uint8)
    return Found(name=name or path.name, levels=levels, sha256=digest, label=label)


def _read_shard(path: Path) -> Iterator[Found]:
    """Read a webdataset shard: a record's files share the name up to the first dot; `.cls` holds its label."""
    try:
        with tarfile.open(path) as shard, tempfile.TemporaryDirectory() as folder:
            labels: dict[str, str] = {}
            for member in shard:  # labels first: a shard may hold a picture before its label
                if member.name.endswith(".cls"):
                    content = cast("io.BufferedReader", shard.extractfile(member)).read()
                    labels[_record(member.name)] = content.decode("utf-8", "replace").strip()
            for member in shard.getmembers():
                suffix = PurePosixPath(member.name).suffix.lower()
                if member.isfile() and suffix in SUFFIXES:
                    file = Path(folder, f"picture{suffix}")
                    file.write_bytes(cast("io.BufferedReader", shard.extractfile(member)).read())
                    name = f"{path.name}/{member.name}"
                    found = _read_file(file, labels.get(_record(member.name)), name)
                    yield (
                        Found(name=name, problem=found.problem.replace(str(file), f"{path}/{member.name}"))
                        if (found.problem)
                        else found
                    )
    except (tarfile.TarError, EOFError) as error:
        raise UsageError(f"{path}: is not a whole tar file ({error}); make it again or leave it out") from None


def _record(name: str) -> str:
    folder, _, base = name.rpartition("/")
    return f"{folder}/{base.split('.')[0]}"


def _read_labelled(pictures: LabelledPictures) -> Iterator[Found]:
    for k, (levels, number) in enumerate(pictures):
        colour = np.repeat(levels[..., None], 3, 2) if levels.ndim == 2 else levels
        digest = hashlib.sha256(levels.tobytes()).hexdigest()
        yield Found(name=f"{pictures.source.name}/{k}", levels=colour, sha256=digest, label=str(number))
