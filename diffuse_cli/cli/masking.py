"""The options that name what is to be filled, for every command that fills."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

import typer

from ..errors import UsageError
from .options import whole_number

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ..batches.plan import Job
    from ..files_beside import FilesBeside
    from ..request import Box, Inpaint


@dataclass(frozen=True, kw_only=True, slots=True)
class Masking:
    """What is to be filled."""

    mask: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|DIR/|alpha",
            help="White = fill, black = keep; a folder, or a name like 'masks/{stem}.png', has one for each picture; "
            "alpha = the transparent pixels.",
        ),
    ] = None
    box: Annotated[list[str] | None, typer.Option(metavar="X,Y,W,H", help="A rectangle to fill; may be repeated.")] = (
        None
    )
    invert_mask: Annotated[bool, typer.Option("--invert-mask", help="Fill what mask and boxes leave.")] = False

    @property
    def given(self) -> bool:
        """Whether anything is to be filled."""
        return self.mask is not None or bool(self.box)


@dataclass(frozen=True, kw_only=True)
class Holes:
    """What is to be filled in each picture."""

    masking: Masking
    max_pixels: int

    def __post_init__(self) -> None:
        """Find out now what can be wrong.

        Raises: UsageError, PictureError: as `FilesBeside` and `request.Inpaint`.
        """
        if self._masks is None:
            self._asked(cast("Literal['alpha'] | None", self.masking.mask))

    @property
    def files(self) -> tuple[Path, ...]:
        """Masks that are not to be overwritten."""
        return () if self._masks is None else self._masks.files

    @cached_property
    def _masks(self) -> "FilesBeside[NDArray[np.bool_]] | None":
        from ..files_beside import FilesBeside
        from ..image_file.image_io import read_picture
        from ..request import mask_of

        if self.masking.mask in (None, "alpha"):
            return None
        return FilesBeside(
            str(self.masking.mask), option="--mask", what="mask",
            read=lambda path: mask_of(read_picture(path, max_pixels=self.max_pixels)),
        )  # fmt: skip

    def of(self, job: "Job") -> "tuple[Inpaint, Mapping[str, Any]]":
        """What is to be filled in one picture, and what its recipe says of the mask.

        Raises: PictureError: its mask is missing, or cannot be read.
        """
        if self._masks is None:
            mask = cast("Literal['alpha'] | None", self.masking.mask)
            return self._asked(mask), {} if mask is None else {"mask": mask}
        found = self._masks.of(job.source)
        return self._asked(found.value), {"mask": found.sha256}

    def _asked(self, mask: Any) -> "Inpaint":  # noqa: ANN401 - as `Inpaint.mask`
        from ..request import Inpaint

        boxes = [_box(text) for text in self.masking.box or ()]
        return Inpaint(mask=mask, boxes=boxes, invert_mask=self.masking.invert_mask)


def _box(text: str) -> "Box":
    numbers = [whole_number("box", part) for part in text.split(",")]
    if len(numbers) != 4:
        raise UsageError(f"--box {text}: give four numbers, x,y,width,height")
    return numbers[0], numbers[1], numbers[2], numbers[3]
