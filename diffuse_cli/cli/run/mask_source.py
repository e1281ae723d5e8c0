"""What is to be filled in each picture: from the options to masks, boxes and polygons."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

from ...errors import PictureError, UsageError
from ...system.files import shown
from ...system.streams import is_stream
from ...system.urls import path_of
from ..options.masking import MaskOptions, box_of, polygon_of
from .task_source import TaskSource

if TYPE_CHECKING:
    from ...images.mask_reading import MaskReading
    from ...tasks.inpaint import Inpaint
    from ...tasks.task import Task
    from ..batch.job import Job
    from ..batch.sidecar_files import SidecarFiles


def mask_at(path: Path, max_pixels: int) -> "MaskReading":
    """Read a mask.

    Args:
        path: its file.
        max_pixels: the most that it may have.

    Raises:
        PictureError: it cannot be read, or marks nothing that can be understood.
    """
    from ...images.image_io import read_picture
    from ...images.mask_reading import read_mask

    picture = read_picture(path, max_pixels=max_pixels)
    try:
        return read_mask(picture)
    except PictureError as error:
        raise PictureError(f"{shown(path)}: {error}") from None


def mask_files(name: str, max_pixels: int) -> "SidecarFiles[MaskReading]":
    """Return the masks that --mask names: one for all pictures, or one for each.

    Args:
        name: what --mask was given.
        max_pixels: the most that a mask may have.

    Raises:
        UsageError: there is no such file or folder, or the template has an unknown field.
        PictureError: the mask of all pictures cannot be read.
    """
    from ..batch.sidecar_files import SidecarFiles

    return SidecarFiles(name, option="--mask", what="mask", read=lambda path: mask_at(path, max_pixels))


@dataclass(frozen=True, kw_only=True)
class MaskSource(TaskSource):
    """What is filled in each picture, as the options say."""

    masking: MaskOptions
    max_pixels: int
    unblend: bool = False
    if_worn: bool = False

    def __post_init__(self) -> None:
        """Check what can be checked before the pictures are read.

        Raises:
            UsageError: options are out of range or contradict each other, or name no file.
            PictureError: the mask of all pictures cannot be read.
        """
        masking = self.masking
        if self.unblend and masking.show_fill:
            raise UsageError("--show-fill shows what is filled, not what --unblend takes off; leave one of them out")
        defaults = (MaskOptions.__dataclass_fields__[name].default for name in ("mask_strength", "mask_limit"))
        if masking.mask != "auto" and (masking.mask_strength, masking.mask_limit) != tuple(defaults):
            raise UsageError("--mask-strength and --mask-limit need --mask auto")
        if self._masks is None:
            self._asked(cast("Literal['alpha', 'auto'] | None", masking.mask))

    @property
    def fills_holes(self) -> bool:
        """Always."""
        return True

    @property
    def show_fill(self) -> str | None:
        """As the option says."""
        return self.masking.show_fill

    @property
    def reads(self) -> tuple[Path, ...]:
        """The mask of all pictures, if there is one."""
        return () if self._masks is None else self._masks.files

    @cached_property
    def _masks(self) -> "SidecarFiles[MaskReading] | None":
        if self.masking.mask in (None, "alpha", "auto"):
            return None
        return mask_files(str(self.masking.mask), self.max_pixels)

    def of(self, job: "Job") -> "tuple[Task, Mapping[str, Any]]":
        """Return what is to be filled in one picture, and what its recipe says of the mask."""
        return self.filling(job)

    def filling(self, job: "Job") -> "tuple[Inpaint, Mapping[str, Any]]":
        """Return the same, by its own type.

        Raises:
            PictureError: the picture's mask is missing, or cannot be read.
        """
        if self._masks is None:
            mask = cast("Literal['alpha', 'auto'] | None", self.masking.mask)
            return self._asked(mask), {} if mask is None else {"mask": mask}
        found = self._masks.of(job.source)
        return self._asked(found.value.marks), {"mask": found.sha256}

    def parts(self, job: "Job") -> Mapping[str, Path]:
        """Return the picture's own mask."""
        return {} if self._masks is None else {"mask": self._masks.path_of(job.source)}

    def refused_by_servers(self, kind: "type[Task]") -> str:
        """Nothing is refused."""
        return ""

    @property
    def saves_masks(self) -> bool:
        """Whether the option asks for it."""
        return self.masking.save_mask is not None

    def notes(self, job: "Job") -> tuple[str, ...]:
        """Return how the picture's mask was understood, where it is not simply white on black."""
        note = "" if self._masks is None else self._masks.of(job.source).value.note
        return (f"mask: {note}",) if note else ()

    def _asked(self, mask: Any) -> "Inpaint":  # noqa: ANN401 - as `Inpaint.mask`
        from ...tasks.inpaint import Inpaint

        masking = self.masking
        return Inpaint(
            mask=mask, boxes=[box_of(text) for text in masking.box or ()],
            polygons=[polygon_of(text) for text in masking.polygon or ()], invert_mask=masking.invert_mask,
            grow=masking.grow, feather=masking.feather, mask_strength=masking.mask_strength,
            mask_limit=masking.mask_limit, smooth_fill=masking.smooth_fill, unblend=self.unblend,
            if_worn=self.if_worn,
        )  # fmt: skip

    def saved(self, job: "Job") -> "Path | None":
        """Return the file that the mask of what is filled is written to, or None.

        Raises:
            UsageError: the template has an unknown field, or the name is none of a PNG.
        """
        from ..batch.naming import filled

        name = self.masking.save_mask
        if name is None:
            return None
        if is_stream(path_of(name)):
            return Path(name)
        if name.endswith("/") or path_of(name).is_dir() or ("{" not in name and not Path(name).suffix):
            return path_of(name) / job.found.below.with_suffix(".png")
        values: dict[str, object] = {"dir": str(job.source.parent), "stem": job.source.stem, "ext": job.source.suffix}
        path = path_of(filled(name, values, "--save-mask"))
        if path.suffix.lower() != ".png":
            raise UsageError(f"--save-mask {name}: a mask is a PNG; end its name in .png")
        return path
