"""The options that name what is to be filled, for every command that fills."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

import typer

from ...errors import UsageError
from .options import whole_number

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ...tasks.inpaint import Box, Inpaint, Polygon
    from ..batch.plan import Job
    from ..batch.sidecar_files import SidecarFiles


def mask_files(name: str, max_pixels: int) -> "SidecarFiles[NDArray[np.bool_]]":
    """What --mask names: a mask for all pictures, or one for each.

    Raises: UsageError, PictureError: as `FilesBeside`.
    """
    from ...images.image_io import read_picture
    from ...images.mask_picture import mask_of
    from ..batch.sidecar_files import SidecarFiles

    return SidecarFiles(
        name, option="--mask", what="mask", read=lambda path: mask_of(read_picture(path, max_pixels=max_pixels))
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class MaskOptions:
    """What is to be filled."""

    mask: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|DIR/|alpha|auto",
            help="White = fill, black = keep; a folder, or a name like 'masks/{stem}.png', has one for each picture; "
            "alpha = the transparent pixels; auto = what looks like dust, scratches, tears, missing corners.",
        ),
    ] = None
    mask_strength: Annotated[
        float, typer.Option(metavar="0..1", help="Of --mask auto: 0 = what is surely damage, 1 = whatever may be.")
    ] = 0.5
    mask_limit: Annotated[
        float, typer.Option(metavar="PERCENT", help="Of --mask auto: refuse where more of a picture looks damaged.")
    ] = 5.0
    save_mask: Annotated[
        str | None,
        typer.Option(metavar="FILE|DIR/", help="Write the mask of what is filled; 'm/{stem}.png' for many pictures."),
    ] = None
    box: Annotated[list[str] | None, typer.Option(metavar="X,Y,W,H", help="A rectangle to fill; may be repeated.")] = (
        None
    )
    polygon: Annotated[
        list[str] | None, typer.Option(metavar="X,Y,X,Y,...", help="A polygon to fill; may be repeated.")
    ] = None
    invert_mask: Annotated[bool, typer.Option("--invert-mask", help="Fill what mask, boxes and polygons leave.")] = (
        False
    )
    grow: Annotated[int, typer.Option(metavar="PX", help="Fill so many pixels around all that, too.")] = 0
    feather: Annotated[
        int,
        typer.Option(metavar="PX", help="Fade in over so many pixels, inwards: what is outside stays exact."),
    ] = 0

    @property
    def given(self) -> bool:
        """Whether anything is to be filled."""
        return self.mask is not None or bool(self.box) or bool(self.polygon)

    def check_unused(self) -> None:
        """Refuse what would be said of nothing.

        Raises: UsageError: something is said of a mask that there is none of.
        """
        for name in ("save_mask", "invert_mask", "grow", "feather"):
            if getattr(self, name):
                raise UsageError(f"--{name.replace('_', '-')}: of what? Give --mask, --box or --polygon")


@dataclass(frozen=True, kw_only=True)
class MaskSource:
    """What is to be filled in each picture."""

    masking: MaskOptions
    max_pixels: int

    def __post_init__(self) -> None:
        """Find out now what can be wrong.

        Raises: UsageError, PictureError: as `SidecarFiles` and `Inpaint`.
        """
        masking = self.masking
        defaults = (MaskOptions.__dataclass_fields__[name].default for name in ("mask_strength", "mask_limit"))
        if masking.mask != "auto" and (masking.mask_strength, masking.mask_limit) != tuple(defaults):
            raise UsageError("--mask-strength and --mask-limit are of --mask auto")
        if self._masks is None:
            self._asked(cast("Literal['alpha', 'auto'] | None", masking.mask))

    @property
    def files(self) -> tuple[Path, ...]:
        """Masks that are not to be overwritten."""
        return () if self._masks is None else self._masks.files

    @cached_property
    def _masks(self) -> "SidecarFiles[NDArray[np.bool_]] | None":
        if self.masking.mask in (None, "alpha", "auto"):
            return None
        return mask_files(str(self.masking.mask), self.max_pixels)

    def of(self, job: "Job") -> "tuple[Inpaint, Mapping[str, Any]]":
        """What is to be filled in one picture, and what its recipe says of the mask.

        Raises: PictureError: its mask is missing, or cannot be read.
        """
        if self._masks is None:
            mask = cast("Literal['alpha', 'auto'] | None", self.masking.mask)
            return self._asked(mask), {} if mask is None else {"mask": mask}
        found = self._masks.of(job.source)
        return self._asked(found.value), {"mask": found.sha256}

    def _asked(self, mask: Any) -> "Inpaint":  # noqa: ANN401 - as `Inpaint.mask`
        from ...tasks.inpaint import Inpaint

        masking = self.masking
        return Inpaint(
            mask=mask, boxes=[box_of(text) for text in masking.box or ()],
            polygons=[_polygon(text) for text in masking.polygon or ()], invert_mask=masking.invert_mask,
            grow=masking.grow, feather=masking.feather, mask_strength=masking.mask_strength,
            mask_limit=masking.mask_limit,
        )  # fmt: skip

    def saved(self, job: "Job") -> "Path | None":
        """Where what is filled in a picture is written as a mask; None = nowhere.

        Raises: UsageError: a field of the template is unknown, or it is no name of a PNG.
        """
        from ..batch.plan import filled

        name = self.masking.save_mask
        if name is None:
            return None
        if name.endswith("/") or Path(name).is_dir():
            return Path(name) / job.found.below.with_suffix(".png")
        values: dict[str, object] = {"dir": str(job.source.parent), "stem": job.source.stem, "ext": job.source.suffix}
        path = Path(filled(name, values, "--save-mask"))
        if path.suffix.lower() != ".png":
            raise UsageError(f"--save-mask {name}: a mask is written as PNG; let the name end in .png")
        return path


def box_of(text: str) -> "Box":
    """x,y,width,height.

    Raises: UsageError: it is no such thing.
    """
    numbers = [whole_number("box", part) for part in text.split(",")]
    if len(numbers) != 4:
        raise UsageError(f"--box {text}: give four numbers, x,y,width,height")
    return numbers[0], numbers[1], numbers[2], numbers[3]


def _polygon(text: str) -> "Polygon":
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        raise UsageError(f"--polygon {text}: give numbers, x,y of each corner") from None
    if len(numbers) % 2 or not all(abs(number) < 1e6 for number in numbers):
        raise UsageError(f"--polygon {text}: give pairs of numbers, x,y of each corner")
    return tuple(zip(numbers[::2], numbers[1::2], strict=True))
