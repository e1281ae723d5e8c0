"""Which mask belongs to which picture: one for all, or one for each by its name."""

import functools
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .atomic import shown
from .batches.plan import filled
from .errors import PictureError, UsageError
from .image_file.encoding import PICTURE_SUFFIXES
from .image_file.image_io import read_picture
from .request import mask_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Mask:
    """A mask's file, read.

    Attributes:
        hole: (H, W), True = fill.
        sha256: of the file.
    """

    hole: "NDArray[np.bool_]"
    sha256: str


class MaskFiles:
    """--mask FILE, --mask DIR/ or --mask 'masks/{stem}.png'.

    Attributes:
        files: the masks that are known before any picture is, none of which is to be overwritten.
    """

    def __init__(self, name: str, *, max_pixels: int) -> None:
        """A mask for all pictures is read at once.

        Raises: UsageError: there is no such file or folder, or a template's field is unknown. PictureError: the one
            mask cannot be read.
        """
        self.name, self.max_pixels = name, max_pixels
        self.is_folder = Path(name).is_dir()
        self.is_template = not self.is_folder and "{" in name and not Path(name).exists()
        self._read = functools.lru_cache(maxsize=4)(self._read_file)
        self.files: tuple[Path, ...] = ()
        if self.is_template:
            self._templated(Path("x.png"))
        elif not self.is_folder:
            if not Path(name).exists():
                what = "mask folder" if name.endswith("/") else "mask file"
                raise UsageError(f"{name}: no such {what}")
            self.files = (Path(name),)
            self._read(Path(name))

    def of(self, picture: Path) -> Mask:
        """A picture's mask.

        Raises: PictureError: it is missing, or cannot be read.
        """
        if self.is_folder:
            return self._read(self._in_folder(picture))
        return self._read(self._templated(picture) if self.is_template else Path(self.name))

    def _templated(self, picture: Path) -> Path:
        values: dict[str, object] = {"dir": str(picture.parent), "stem": picture.stem, "ext": picture.suffix}
        return Path(filled(self.name, values, "--mask"))

    def _in_folder(self, picture: Path) -> Path:
        """Of the picture's name, or with another suffix."""
        same = Path(self.name) / picture.name
        if same.is_file():
            return same
        others = [same.with_suffix(suffix) for suffix in PICTURE_SUFFIXES if same.with_suffix(suffix).is_file()]
        if len(others) > 1:
            raise PictureError(f"{shown(picture)}: {shown(others[0])} and {shown(others[1])} could both be its mask")
        return others[0] if others else same

    def _read_file(self, path: Path) -> Mask:
        if not path.exists():
            raise PictureError(f"{shown(path)}: no such mask; every picture needs one under --mask {self.name}")
        data = path.read_bytes()
        return Mask(
            hole=mask_of(read_picture(path, max_pixels=self.max_pixels)), sha256=hashlib.sha256(data).hexdigest()
        )
