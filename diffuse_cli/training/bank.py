"""Pictures that are decoded once into a memory-mapped file, and random crops from it."""

import hashlib
import json
import os
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
from numpy.typing import NDArray

from ..degradation.operators import resize
from ..errors import PictureError, UsageError
from .config import TrainConfig
from .pictures import Data, Found, Part, open_data, read_all
from .sample_spec import Rng
from .torchvision_data import LabelledPictures

PIXELS, TABLE, SOURCES = "pictures.u8", "pictures.npy", "pictures.json"
LEVELS = (1.0, 0.5, 0.25, 0.0)
"""Sizes of the pyramid; 0 stands for the whole picture shrunk until its shorter side is a crop."""
_ROW = np.dtype([("offset", "<i8"), ("h", "<i4"), ("w", "<i4"), ("level", "<i4"), ("source", "<i4")])
AREA_POWER = 0.7
"""Pictures are drawn in proportion to their area to this power."""

Warn = Callable[[str], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """A picture that was packed."""

    name: str
    sha256: str
    label: str | None
    held_out: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Sources:
    """All pictures that were packed.

    Attributes:
        key: a hash of the files and settings that they were packed from.
        pictures: the pictures.
        skipped: why each of the other pictures was left out.
        gray: no picture has colour.
        classes: names of the labels that are numbers; empty if they have no names.
    """

    key: str
    pictures: tuple[Source, ...]
    skipped: tuple[str, ...]
    gray: bool
    classes: tuple[str, ...] = ()

    @property
    def sha256(self) -> str:
        """The hash of all names and hashes: which data this is."""
        lines = [f"{s.name} {s.sha256} {s.label} {s.held_out}\n" for s in self.pictures]
        return hashlib.sha256("".join(lines).encode()).hexdigest()

    def label_names(self) -> tuple[str, ...]:
        """Return the labels in order: numbers by value, then names by the alphabet."""
        found = {s.label for s in self.pictures if s.label is not None}
        return tuple(sorted(found, key=lambda name: (not name.isdigit(), int(name) if name.isdigit() else 0, name)))


def pack(
    data: Sequence[Data],
    validation: Sequence[Data],
    folder: Path,
    config: TrainConfig,
    *,
    folder_labels: bool,
    warn: Warn,
) -> Sources:
    """Decode every picture once into a folder, unless that has been done.

    Args:
        data: files, folders and data sets to train on.
        validation: files, folders and data sets to validate on; empty = hold out one picture in `config.holdout`.
        folder: where to.
        config: the crop's side and the hold-out.
        folder_labels: sub-folders are labels.
        warn: told of every picture that cannot be used.

    Returns:
        What was packed.

    Raises:
        UsageError: there is no usable picture.
        PictureError: the disk is full.
    """
    held = open_data(validation) if validation else []
    parts = open_data(data)
    key = _key([*parts, *held], config, folder_labels, bool(held))
    known = read_sources(folder)
    if known is not None and known.key == key and (folder / PIXELS).exists():
        return known
    with suppress(OSError):
        (folder / SOURCES).unlink()
    holdout = 0 if held else config.holdout

    def found() -> Iterator[tuple[Found, bool]]:
        for picture in read_all(parts, folder_labels=folder_labels):
            yield picture, holdout > 0 and zlib.crc32(picture.name.encode()) % holdout == 0
        for picture in read_all(held, folder_labels=folder_labels):
            yield picture, True

    try:
        sources = _write(found(), folder, config, key, _classes([*parts, *held]), warn)
    except OSError as error:
        raise PictureError(f"{folder / PIXELS}: cannot be written: {error.strerror}") from None
    return sources


def _key(parts: Sequence[Part], config: TrainConfig, folder_labels: bool, has_validation: bool) -> str:
    stats = [part.key if isinstance(part, LabelledPictures) else _stat(part[1]) for part in parts]
    settings = (config.crop, config.holdout, folder_labels, has_validation)
    return hashlib.sha256(repr((stats, settings)).encode()).hexdigest()


def _stat(path: Path) -> tuple[str, int, int]:
    return str(path), path.stat().st_size, path.stat().st_mtime_ns


def _classes(parts: Sequence[Part]) -> tuple[str, ...]:
    """Return the names of the data sets' classes.

    Raises:
        UsageError: two data sets have different classes.
    """
    sets = [part for part in parts if isinstance(part, LabelledPictures)]
    for other in sets[1:]:
        if other.classes != sets[0].classes:
            raise UsageError(f"{sets[0].source} and {other.source} have different classes; train on one of them")
    return sets[0].classes if sets else ()


def read_sources(folder: Path) -> Sources | None:
    """Return what was packed into a folder; None if nothing was, or not all of it."""
    try:
        values: dict[str, Any] = json.loads((folder / SOURCES).read_text(encoding="utf-8"))
        pictures = tuple(Source(**s) for s in values.pop("pictures"))
        skipped, classes = tuple(values.pop("skipped")), tuple(values.pop("classes", ()))
        return Sources(pictures=pictures, skipped=skipped, classes=classes, **values)
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _write(
    found: Iterator[tuple[Found, bool]],
    folder: Path,
    config: TrainConfig,
    key: str,
    classes: tuple[str, ...],
    warn: Warn,
) -> Sources:
    pictures: list[Source] = []
    skipped: list[str] = []
    rows: list[tuple[int, int, int, int, int]] = []
    gray = True
    with (folder / PIXELS).open("wb") as file:
        for picture, held_out in found:
            problem = _problem(picture, config.crop)
            if problem or picture.levels is None:
                skipped.append(problem)
                warn(problem)
                continue
            rows += _append(file, picture.levels, config.crop, len(pictures))
            gray = gray and bool((picture.levels == picture.levels[..., :1]).all())
            pictures.append(Source(name=picture.name, sha256=picture.sha256, label=picture.label, held_out=held_out))
        file.flush()
        os.fsync(file.fileno())
    if all(source.held_out for source in pictures):
        raise UsageError(
            f"no picture to train on: {len(skipped)} of {len(skipped) + len(pictures)} cannot be used"
            + (f" (first: {skipped[0]})" if skipped else ", all are held out")
        )
    np.save(folder / TABLE, np.array(rows, _ROW))
    sources = Sources(key=key, pictures=tuple(pictures), skipped=tuple(skipped), gray=gray, classes=classes)
    (folder / SOURCES).write_text(json.dumps(asdict(sources)), encoding="utf-8")
    return sources


def _problem(picture: Found, crop: int) -> str:
    """Return why a picture cannot be used; empty if it can."""
    if picture.levels is None:
        return picture.problem or f"{picture.name}: cannot be read"
    h, w, _ = picture.levels.shape
    return f"{picture.name}: {w}x{h} is smaller than the crop of {crop}" if min(h, w) < crop else ""


def _append(file: BinaryIO, levels: NDArray[np.uint8], crop: int, source: int) -> list[tuple[int, int, int, int, int]]:
    """Write a picture at every size of the pyramid that holds a crop."""
    rows = []
    for level, factor in enumerate(LEVELS):
        shrunk = _shrink(levels, factor, crop)
        if shrunk is not None:
            rows.append((file.tell(), shrunk.shape[0], shrunk.shape[1], level, source))
            file.write(np.ascontiguousarray(shrunk).data)
    return rows


def _shrink(levels: NDArray[np.uint8], factor: float, crop: int) -> NDArray[np.uint8] | None:
    h, w, _ = levels.shape
    if factor == 1:
        return levels
    if factor == 0:
        if min(h, w) <= crop:
            return None
        factor = crop / min(h, w)
    size = (round(h * factor), round(w * factor))
    if min(size) < crop:
        return None
    x = torch.from_numpy(np.ascontiguousarray(levels)).permute(2, 0, 1)[None].float()
    return resize(x, size)[0].clamp(0, 255).round().byte().permute(1, 2, 0).numpy()


class Bank:
    """Random crops from packed pictures.

    The file is memory-mapped: processes share it, and it may be larger than the memory.
    """

    def __init__(
        self, folder: Path, sources: Sources, config: TrainConfig, *, held_out: bool, labels: Sequence[str] = ()
    ) -> None:
        """Open the packed pictures of a folder.

        Args:
            folder: where they were packed.
            sources: what was packed.
            config: the crop's side and the shares of the sizes.
            held_out: take the pictures for validation, not those to train on.
            labels: names in the order of the condition.
        """
        self.folder, self.crop_size, self.is_gray, self.labels = folder, config.crop, sources.gray, tuple(labels)
        self.names = [source.name for source in sources.pictures]
        self._labels = [_number(source.label, self.labels) for source in sources.pictures]
        table = np.load(folder / TABLE)
        mine = np.array([source.held_out == held_out for source in sources.pictures])
        table = table[mine[table["source"]]]
        self.tables = [table[table["level"] == level] for level in range(len(LEVELS))]
        shares = np.array([share if len(rows) else 0 for rows, share in zip(self.tables, config.pyramid, strict=True)])
        self.count = int(mine.sum())
        self._levels = np.cumsum(shares / shares.sum()) if shares.sum() else None
        areas = [(rows["h"].astype(float) * rows["w"]) ** AREA_POWER for rows in self.tables]
        self._chances = [np.cumsum(a / a.sum()) if len(a) else a for a in areas]

    @cached_property
    def pixels(self) -> NDArray[np.uint8]:
        """The bytes of the packed file."""
        return np.memmap(self.folder / PIXELS, np.uint8, "r")

    def label(self, picture: int) -> int:
        """Return the number of a picture's label; -1 = none."""
        return self._labels[picture]

    def crop(self, rng: Rng, textured: float) -> tuple[NDArray[np.uint8], int]:
        """Draw a crop.

        Args:
            rng: draws it.
            textured: how often the more textured of two candidates is taken.

        Returns:
            The crop (P, P, 3), and the number of its picture.

        Raises:
            UsageError: every picture is too small for a crop.
        """
        if self._levels is None:
            raise UsageError("no picture is large enough for a crop at any size that pyramid allows")
        level = int(np.searchsorted(self._levels, rng.random(), side="right"))
        level = min(level, len(self.tables) - 1)
        best, source = self._at(level, rng)
        if LEVELS[level] > 0 and rng.random() < textured:
            other, its_source = self._at(level, rng)
            if _texture(other) > _texture(best):
                return other, its_source
        return best, source

    def _at(self, level: int, rng: Rng) -> tuple[NDArray[np.uint8], int]:
        rows, size = self.tables[level], self.crop_size
        row = rows[min(int(np.searchsorted(self._chances[level], rng.random(), side="right")), len(rows) - 1)]
        h, w, offset = int(row["h"]), int(row["w"]), int(row["offset"])
        top, left = int(rng.integers(h - size + 1)), int(rng.integers(w - size + 1))
        picture = self.pixels[offset : offset + 3 * h * w].reshape(h, w, 3)
        return picture[top : top + size, left : left + size], int(row["source"])

    def __getstate__(self) -> dict[str, Any]:
        """Leave out the mapped file; each process maps it itself."""
        return {k: v for k, v in self.__dict__.items() if k != "pixels"}


def _number(label: str | None, labels: Sequence[str]) -> int:
    """Return a label's place among the names; a label that is a number and no name is the place."""
    if label is None or not labels:
        return -1
    return labels.index(label) if label in labels else int(label)


def _texture(crop: NDArray[np.uint8]) -> float:
    """Return the mean absolute difference of diagonal neighbours."""
    levels = crop.astype(np.int16)
    return float(np.abs(levels[1:, 1:] - levels[:-1, :-1]).mean())
