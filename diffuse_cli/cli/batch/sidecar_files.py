"""Which mask or noise map belongs to which picture: one for all, or one for each by its name."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from ...errors import PictureError, UsageError
from ...images.encoding import PICTURE_SUFFIXES
from ...system.files import file_sha256, shown
from ...system.urls import path_of
from .naming import filled

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Sidecar(Generic[T]):
    """A file that belongs to a picture.

    Attributes:
        value: what it was read as.
        sha256: the hash of the file.
    """

    value: T
    sha256: str


class SidecarFiles(Generic[T]):
    """The files of --mask FILE, --mask DIR/ or --mask 'masks/{stem}.png', or of another such option.

    Attributes:
        files: those that are known before any picture is. No result overwrites them.
    """

    def __init__(self, name: str, *, option: str, what: str, read: Callable[[Path], T]) -> None:
        """Read the file for all pictures, if there is one.

        Args:
            name: what the option was given.
            option: the option, such as "--mask".
            what: what messages call such a file, such as "mask".
            read: reads such a file.

        Raises:
            UsageError: there is no such file or folder, or the template has an unknown field.
            PictureError: the file for all pictures cannot be read.
        """
        self.name, self.option, self.what, self.read = name, option, what, read
        self.is_folder = path_of(name).is_dir()
        self.is_template = not self.is_folder and "{" in name and not path_of(name).exists()
        self._read = functools.lru_cache(maxsize=4)(self._read_file)
        self.files: tuple[Path, ...] = ()
        if self.is_template:
            self._templated(Path("x.png"))
        elif not self.is_folder:
            if not path_of(name).exists():
                raise UsageError(f"{name}: no such {what} {'folder' if name.endswith('/') else 'file'}; check the name")
            self.files = (path_of(name),)
            self._read(path_of(name))

    def __getstate__(self) -> dict[str, Any]:
        """Return what another machine is told: all but the files that were read."""
        return {key: value for key, value in vars(self).items() if key != "_read"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Begin anew to read files."""
        vars(self).update(state)
        self._read = functools.lru_cache(maxsize=4)(self._read_file)

    def of(self, picture: Path) -> Sidecar[T]:
        """Return a picture's own file.

        Raises:
            PictureError: it is missing, or cannot be read.
        """
        return self._read(self.path_of(picture))

    def path_of(self, picture: Path) -> Path:
        """Return the name of a picture's own file, whether there is one or not.

        Raises:
            PictureError: two files of a folder could be it.
        """
        if self.is_folder:
            return self._in_folder(picture)
        return self._templated(picture) if self.is_template else path_of(self.name)

    def _templated(self, picture: Path) -> Path:
        values: dict[str, object] = {"dir": str(picture.parent), "stem": picture.stem, "ext": picture.suffix}
        return path_of(filled(self.name, values, self.option))

    def _in_folder(self, picture: Path) -> Path:
        """Return the file with the picture's name, or its stem and another suffix."""
        same = path_of(self.name) / picture.name
        if same.is_file():
            return same
        others = [same.with_suffix(suffix) for suffix in PICTURE_SUFFIXES if same.with_suffix(suffix).is_file()]
        if len(others) > 1:
            names = f"{shown(others[0])} and {shown(others[1])}"
            raise PictureError(f"{shown(picture)}: {names} could both be its {self.what}; remove one of them")
        return others[0] if others else same

    def _read_file(self, path: Path) -> Sidecar[T]:
        if not path.exists():
            needed = f"every picture needs one under {self.option} {self.name}"
            raise PictureError(f"{shown(path)}: no such {self.what}; {needed}")
        return Sidecar(value=self.read(path), sha256=file_sha256(path, PictureError))
