"""The pictures of a data set: files below folders, tar shards (webdataset), IDX files (MNIST and its kin)."""

import gzip
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
from typing import BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from ..errors import PictureError, UsageError
from ..images.image_io import read_picture, to_levels

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp", ".ppm", ".pgm", ".avif")
_IDX_IMAGES, _IDX_LABELS = b"\0\0\x08\x03", b"\0\0\x08\x01"
_PIXELS_AHEAD = 4


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """A picture of the data, or why it is none.

    Attributes:
        name: of the file, or of the record within one; no path.
        levels: (H, W, 3) uint8; None = unreadable.
        sha256: of the file or record.
        label: what the data calls it, None = nothing.
        problem: why there are no levels, one line.
    """

    name: str
    levels: NDArray[np.uint8] | None = None
    sha256: str = ""
    label: str | None = None
    problem: str = ""


def files_of(data: Sequence[Path]) -> list[tuple[Path, Path]]:
    """(root, file) of every file that may hold pictures, in a fixed order.

    Raises: UsageError: a folder that is not there, or none with pictures.
    """
    found = []
    for root in data:
        if not root.exists():
            raise UsageError(f"{root}: no such file or folder")
        paths = sorted(_below(root)) if root.is_dir() else [root]
        found += [(root, path) for path in paths]
    if not found:
        raise UsageError(f"{', '.join(map(str, data))}: no pictures there ({', '.join(SUFFIXES)}, .tar, IDX)")
    return found


def _below(root: Path) -> Iterator[Path]:
    for folder, _, names in os.walk(root):
        for name in names:
            path = Path(folder, name)
            if path.suffix.lower() in (*SUFFIXES, ".tar") or _is_idx(name):
                yield path


def _is_idx(name: str) -> bool:
    return name.removesuffix(".gz").endswith(("idx3-ubyte", "idx3"))


def read_all(files: Sequence[tuple[Path, Path]], *, folder_labels: bool) -> Iterator[Found]:
    """Read every picture, in order, some of them ahead in other threads; never more than a few in memory.

    Args: folder_labels: a file's label is its top-most folder below the root.
    Raises: UsageError: an IDX file or a shard that is none.
    """
    workers = min(os.cpu_count() or 1, 8)
    ahead: deque[Future[Found]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        for root, path in files:
            if path.suffix.lower() in SUFFIXES:
                label = _folder_label(root, path) if folder_labels else None
                ahead.append(pool.submit(_read_file, path, label))
                if len(ahead) >= _PIXELS_AHEAD * workers:
                    yield ahead.popleft().result()
                continue
            while ahead:
                yield ahead.popleft().result()
            yield from _read_tar(path) if path.suffix.lower() == ".tar" else _read_idx(path)
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


def _read_tar(path: Path) -> Iterator[Found]:
    """A webdataset shard: records share the name up to the first dot; `.cls` holds a record's label."""
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


def _read_idx(path: Path) -> Iterator[Found]:
    images = _idx(path, _IDX_IMAGES)
    beside = path.with_name(path.name.replace("images", "labels").replace("idx3", "idx1"))
    labels = _idx(beside, _IDX_LABELS) if beside != path and beside.exists() else None
    if labels is not None and len(labels) != len(images):
        raise UsageError(f"{beside}: holds {len(labels)} labels for {len(images)} pictures in {path.name}")
    for k, image in enumerate(images):
        levels = np.repeat(image[..., None], 3, 2)
        yield Found(
            name=f"{path.name}/{k}",
            levels=levels,
            sha256=hashlib.sha256(image.tobytes()).hexdigest(),
            label=None if labels is None else str(labels[k]),
        )


def _idx(path: Path, magic: bytes) -> NDArray[np.uint8]:
    """An IDX file of bytes, gzipped or not (LeCun's format: magic, dimensions as big-endian int32, data)."""
    try:
        with path.open("rb") as plain:
            zipped = plain.read(2) == b"\x1f\x8b"
        with cast(BinaryIO, gzip.open(path)) if zipped else path.open("rb") as file:
            head, data = file.read(4 + 4 * magic[3]), file.read()
    except (OSError, EOFError) as error:
        raise UsageError(f"{path}: cannot be read as IDX ({error})") from None
    shape = [int.from_bytes(head[k : k + 4], "big") for k in range(4, len(head), 4)]
    if head[:4] != magic or len(shape) != magic[3] or int(np.prod(shape)) != len(data):
        raise UsageError(f"{path}: is not a whole IDX file of {'pictures' if magic[3] == 3 else 'labels'}")
    return np.frombuffer(data, np.uint8).reshape(shape)
