"""`diffuse restore`, and its short forms `diffuse deblur` and `diffuse dejpeg`."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..options.masking import MaskOptions
from ..options.options import Compute, Files, Grain, MetadataOptions, SamplingOptions, number_or_auto, shared
from ..run.mask_source import MaskSource
from ..run.task_source import SameTask, TaskSource

if TYPE_CHECKING:
    from ...tasks.restore import Restore
    from ..batch.plan import Job


@shared
def restore(
    files: Files,
    noise: Annotated[
        str | None,
        typer.Option(metavar="auto|LEVEL", help="Level of the noise in 8-bit levels. 0 is none.", show_default="auto"),
    ] = None,
    grain: Grain = "auto",
    jpeg: Annotated[
        str | None,
        typer.Option(metavar="auto|Q", help="Quality of the JPEG that it is or was. 100 is none.", show_default="auto"),
    ] = None,
    blur: Annotated[
        str | None,
        typer.Option(metavar="auto|PX", help="Std of the blur (a Gaussian) in pixels. 0 is none.", show_default="auto"),
    ] = None,
    scale: Annotated[float, typer.Option(metavar="S", help="Also enlarge by this factor, 1 <= S <= 8.")] = 1.0,
    only: Annotated[
        str | None, typer.Option(metavar="noise,jpeg,blur,screen", help="Undo only these.", show_default="all")
    ] = None,
    *,
    masking: MaskOptions,
    which: SamplingOptions,
    keeping: MetadataOptions,
    compute: Compute,
) -> None:
    """Undo noise, JPEG compression, blur, a halftone screen and holes at once.

    The damage is estimated for each picture, as `diffuse estimate` reports it, unless an option sets it. Impulses and
    row noise count as noise. Damage that is not found is not undone: a good picture stays as it is. The dots of a
    printed picture are removed if they are sure to cover it; --only screen removes them also where they are likely. If
    JPEG traces are removed, a JPEG result is written with quality 95 instead of the input's tables.
    """
    from ...tasks.restore import Restore, restore_only
    from ..run.restorer import restore_files

    asked = {"noise": noise, "jpeg": jpeg, "blur": blur}
    given = {name: None if text is None else number_or_auto(name, text) for name, text in asked.items()}
    told = restore_only(None if only is None else [name.strip() for name in only.split(",")], given)
    task = Restore(**told, grain=number_or_auto("grain", grain), scale=scale)
    if masking.given:
        tasks: TaskSource = _RestoreHoles(plain=task, masking=masking, max_pixels=files.max_pixels)
    else:
        masking.check_unused()
        tasks = SameTask(task=task)
    restore_files("restore", tasks, files, keeping, compute, which)


@shared
def deblur(
    files: Files,
    blur: Annotated[
        str, typer.Option(metavar="auto|PX", help="Std of the blur (a Gaussian) in pixels. auto estimates it.")
    ] = "auto",
    noise: Annotated[
        str, typer.Option(metavar="auto|LEVEL", help="Level of the noise in 8-bit levels (its std). auto estimates it.")
    ] = "auto",
    *,
    which: SamplingOptions,
    keeping: MetadataOptions,
    compute: Compute,
) -> None:
    """Undo a blur. Short for `restore --only blur`.

    Undoing a blur amplifies noise. So noise is removed, too, if there is a blur to undo.
    """
    from ...tasks.restore import Restore, restore_only
    from ..run.restorer import restore_files

    told = restore_only(("blur",), {"blur": number_or_auto("blur", blur)})
    task = Restore(**{**told, "noise": number_or_auto("noise", noise)})
    restore_files("deblur", SameTask(task=task), files, keeping, compute, which)


@shared
def dejpeg(
    files: Files,
    jpeg: Annotated[
        str, typer.Option(metavar="auto|Q", help="Quality of the JPEG that it is or was. auto estimates it.")
    ] = "auto",
    *,
    which: SamplingOptions,
    keeping: MetadataOptions,
    compute: Compute,
) -> None:
    """Remove the traces of JPEG compression, also from a PNG. Short for `restore --only jpeg`."""
    from ...tasks.restore import Restore, restore_only
    from ..run.restorer import restore_files

    told = restore_only(("jpeg",), {"jpeg": number_or_auto("jpeg", jpeg)})
    restore_files("dejpeg", SameTask(task=Restore(**told)), files, keeping, compute, which)


@dataclass(frozen=True, kw_only=True)
class _RestoreHoles(MaskSource):
    """A restoration that fills holes, too."""

    plain: "Restore"

    def of(self, job: "Job") -> "tuple[Restore, Mapping[str, Any]]":
        """Return the task with the picture's own holes, and what its recipe says of the mask."""
        holes, facts = self.filling(job)
        return replace(self.plain, holes=holes), facts


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.command()(restore)
    app.command()(deblur)
    app.command()(dejpeg)
