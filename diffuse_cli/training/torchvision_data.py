"""Labelled data sets of torchvision by name: MNIST, FashionMNIST, KMNIST, CIFAR10, SVHN and others."""

import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ..errors import UsageError
from .config import TORCHVISION

_FORM = re.compile(rf"{TORCHVISION}(?P<name>\w+)(?:/(?P<split>[^:]+))?:(?P<root>.+)")
_DAMAGED = (RuntimeError, ValueError, TypeError, AssertionError, LookupError, EOFError, OSError)
"""What torchvision raises if files are missing or damaged."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TorchvisionData:
    """A data set of torchvision.datasets, and the folder that holds its files.

    Attributes:
        name: the class, such as MNIST.
        root: the folder, as torchvision takes it; the files of MNIST are in root/MNIST/raw.
        split: which part; None = the class's default, the pictures to train on.
        download: fetch the files if they are not there.
    """

    name: str
    root: Path
    split: str | None = None
    download: bool = False

    @classmethod
    def parse(cls, text: str, *, download: bool = False) -> Self:
        """Read torchvision:NAME:ROOT or torchvision:NAME/SPLIT:ROOT.

        Args:
            text: as above.
            download: fetch the files if they are not there.

        Raises:
            UsageError: the text has another form.
        """
        found = _FORM.fullmatch(text)
        if found is None:
            raise UsageError(f"{text}: give it as {TORCHVISION}NAME:ROOT, for example {TORCHVISION}MNIST:data")
        return cls(name=found["name"], split=found["split"], root=Path(found["root"]), download=download)

    def __str__(self) -> str:
        """Return the text that `parse` reads."""
        return f"{TORCHVISION}{self.name}{f'/{self.split}' if self.split else ''}:{self.root}"

    def open(self) -> "LabelledPictures":
        """Open the data set.

        Raises:
            UsageError: torchvision has no such data set, or its files are missing or damaged.
        """
        from torchvision import datasets  # takes a second, and most runs do not need it

        kind = getattr(datasets, self.name, None) if self.name in datasets.__all__ else None
        if kind is None or "root" not in inspect.signature(kind).parameters:
            raise UsageError(f"{self}: torchvision has no data set {self.name}; names are such as MNIST and CIFAR10")
        folder = self.root / self.name / "raw" if issubclass(kind, datasets.MNIST) else self.root
        try:
            dataset = kind(self.root, **self._options(kind))
        except ImportError as error:
            raise UsageError(f"{self}: needs the package {error.name}, which is not installed") from None
        except _DAMAGED as error:
            raise UsageError(self._problem(folder, error)) from None
        return LabelledPictures(source=self, dataset=dataset)

    def _options(self, kind: type[Any]) -> dict[str, Any]:
        """Return what the class is told beside the folder."""
        known = inspect.signature(kind).parameters
        options: dict[str, Any] = {}
        if self.download or "download" in known:  # one class downloads unless it is told not to
            options["download"] = self.download
        if "split" in known:
            if self.split is None and known["split"].default is inspect.Parameter.empty:
                parts = ", ".join(getattr(kind, "splits", ()))
                raise UsageError(
                    f"{self}: has several parts; name one, as {TORCHVISION}{self.name}/SPLIT:ROOT: {parts}"
                )
            return options if self.split is None else {**options, "split": self.split}
        if self.split is None:
            return options
        if "train" not in known or self.split not in ("train", "test"):
            raise UsageError(f"{self}: {self.name} has no part {self.split}")
        return {**options, "train": self.split == "train"}

    def _problem(self, folder: Path, error: Exception) -> str:
        """Return one line: what is wrong, and what to do."""
        reason = " ".join(str(error).split()) or "it is damaged"
        if self.download:
            return f"{self}: cannot be downloaded ({reason}); put the files of {self.name} into {folder}"
        if isinstance(error, FileNotFoundError) or "not found" in reason:
            return f"{self}: {folder} does not hold {self.name}; put its files there, or add --download"
        return f"{self}: the files in {folder} cannot be read: {reason}"


@dataclass(frozen=True, kw_only=True, slots=True)
class LabelledPictures:
    """An open data set.

    Attributes:
        source: its name and folder.
        dataset: the instance of torchvision's class.
    """

    source: TorchvisionData
    dataset: Any

    def __iter__(self) -> Iterator[tuple[NDArray[np.uint8], int]]:
        """Read the pictures in order: (H, W) or (H, W, 3) levels, and the number of the class.

        Raises:
            UsageError: a picture cannot be read, or has no class.
        """
        for k in range(len(self.dataset)):
            try:
                image, number = self.dataset[k]
                levels = np.array(image if image.mode == "L" else image.convert("RGB"))
            except _DAMAGED as error:
                raise UsageError(f"{self.source}: picture {k} cannot be read: {error}") from None
            if not isinstance(number, int | np.integer):
                raise UsageError(f"{self.source}: its pictures have no classes to learn; give a labelled data set")
            yield levels, int(number)

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes by number; empty if the data set numbers them only.

        MNIST's "0 - zero" is just "0". Of several names of a class, the first one counts.
        """
        names = [name if isinstance(name, str) else name[0] for name in getattr(self.dataset, "classes", ())]
        names = [re.sub(r"^(\d+) - .*", r"\1", name) for name in names]
        return tuple(names) if len(set(names)) == len(names) else ()

    @property
    def key(self) -> str:
        """What changes if the files do: the name, and path, size and time of all files below the folder."""
        files = sorted(path for path in self.source.root.rglob("*") if path.is_file())
        stats = [(str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in files]
        return f"{self.source} {stats}"
