"""`diffuse restore`, and its short forms `diffuse deblur` and `diffuse dejpeg`."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from ...errors import UsageError
from ..options.clips import ClipOptions
from ..options.coding import MetadataOptions
from ..options.compute import Compute, ComputeInRounds
from ..options.files import Files
from ..options.grain import Grain
from ..options.masking import MaskOptions, Paint
from ..options.numbers import number_or_auto
from ..options.sampling import SamplingOptions
from ..options.server import ServerOptions
from ..options.shared import shared
from ..run.mask_source import MaskSource
from ..run.task_source import SameTask, TaskSource, TaskWithFile

if TYPE_CHECKING:
    from ...tasks.restore import Restore
    from ..batch.job import Job


@shared
def restore(
    files: Files,
    noise: Annotated[
        str | None,
        typer.Option(
            metavar="auto|LEVEL",
            help="Level of the noise: its std in 8-bit levels. auto estimates it, 0 is none.",
            show_default="auto",
        ),
    ] = None,
    grain: Grain = "auto",
    jpeg: Annotated[
        str | None,
        typer.Option(
            metavar="auto|Q",
            help="Quality of the JPEG that it is or was. auto estimates it, 100 is none.",
            show_default="auto",
        ),
    ] = None,
    blur: Annotated[
        str | None,
        typer.Option(
            metavar="auto|PX",
            help="Std of the blur (a Gaussian) in pixels. auto estimates it, 0 is none.",
            show_default="auto",
        ),
    ] = None,
    scale: Annotated[float, typer.Option(metavar="S", help="Also enlarge by this factor, up to 8.")] = 1.0,
    only: Annotated[
        str | None, typer.Option(metavar="noise,jpeg,blur,screen", help="Undo only these.", show_default="all")
    ] = None,
    paint: Paint = False,
    *,
    masking: MaskOptions,
    which: SamplingOptions,
    keeping: MetadataOptions,
    compute: ComputeInRounds,
    server: ServerOptions,
    clips: ClipOptions,
) -> None:
    """Undo noise, JPEG traces, blur, halftone dots and holes at once.

    The damage is estimated for each picture, as `diffuse estimate` reports it, unless an option sets it. Impulses and
    row noise count as noise. Damage that is not found is not undone: a good picture stays as it is. The dots of a
    printed picture are removed if they are sure to cover it; --only screen removes them also where they are likely. If
    JPEG traces are removed, a JPEG result is written with quality 95 instead of the input's tables.
    """
    from ...tasks.restore import Restore, restore_only
    from ..paint.painting import Painting
    from ..run.restore_files import restore_files

    asked = {"noise": noise, "jpeg": jpeg, "blur": blur}
    given = {name: None if text is None else number_or_auto(name, text) for name, text in asked.items()}
    told = restore_only(None if only is None else [name.strip() for name in only.split(",")], given)
    task = Restore(**told, grain=number_or_auto("grain", grain), scale=scale)
    tasks: TaskSource
    if paint:
        tasks = Painting(
            masking=masking, files=files, compute=compute, which=which, task=lambda holes: replace(task, holes=holes)
        )
    elif masking.given:
        tasks = _RestoreHoles(plain=task, masking=masking, max_pixels=files.max_pixels)
    else:
        masking.check_unused()
        tasks = SameTask(task=task)
    restore_files("restore", tasks, files, keeping, compute, which, clips, server)


@shared
def deblur(
    files: Files,
    blur: Annotated[
        str, typer.Option(metavar="auto|PX", help="Std of the blur (a Gaussian) in pixels. auto estimates it.")
    ] = "auto",
    motion: Annotated[
        str | None,
        typer.Option(
            metavar="LENGTH,ANGLE",
            help="Undo a straight motion instead: its length in pixels, and its angle in degrees from rightwards "
            "towards upwards.",
        ),
    ] = None,
    defocus: Annotated[
        float | None,
        typer.Option(metavar="RADIUS", help="Undo a lens out of focus instead: the radius of its disk in pixels."),
    ] = None,
    kernel: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|DIR/",
            help="Undo any blur instead: a picture of how a point looks, in the middle on black. A folder, or a "
            "template like 'kernels/{stem}.png', has one for each picture.",
        ),
    ] = None,
    noise: Annotated[
        str, typer.Option(metavar="auto|LEVEL", help="Level of the noise: its std in 8-bit levels. auto estimates it.")
    ] = "auto",
    *,
    which: SamplingOptions,
    keeping: MetadataOptions,
    compute: ComputeInRounds,
    server: ServerOptions,
) -> None:
    """Sharpen a soft, shaken or defocused picture: undo its blur.

    Short for `restore --only blur`, if no --motion, --defocus or --kernel is given.

    Undoing a blur amplifies noise. So noise is removed, too, if there is a blur to undo.
    """
    from ...tasks.restore import Restore, restore_only
    from ..run.restore_files import restore_files

    given = [
        name for name, value in (("motion", motion), ("defocus", defocus), ("kernel", kernel)) if value is not None
    ]
    if given:
        others = [*given[1:], *(["blur"] if blur != "auto" else [])]
        if others:
            raise UsageError(f"--{given[0]} and --{others[0]} are two blurs; give one of them")
        tasks = _known_kernel(motion, defocus, kernel, number_or_auto("noise", noise), files.max_pixels)
        restore_files("deblur", tasks, files, keeping, compute, which, server=server)
        return
    told = restore_only(("blur",), {"blur": number_or_auto("blur", blur)})
    task = Restore(**{**told, "noise": number_or_auto("noise", noise)})
    restore_files("deblur", SameTask(task=task), files, keeping, compute, which, server=server)


def _known_kernel(
    motion: str | None, defocus: float | None, kernel: str | None, noise: "float | Literal['auto']", max_pixels: int
) -> TaskSource:
    """Return the task that undoes the blur which was named."""
    from ...degradation import kernels
    from ...images.image_io import read_picture
    from ...tasks.deblur import Deblur
    from ..batch.sidecar_files import SidecarFiles

    if kernel is not None:
        files = SidecarFiles(
            kernel,
            option="--kernel",
            what="kernel",
            read=lambda path: kernels.kernel_of(read_picture(path, max_pixels=max_pixels)),
        )
        return TaskWithFile(task=Deblur(noise=noise), option="kernel", sidecars=files)
    return SameTask(task=Deblur(kernel=kernels.known_kernel(motion, defocus), noise=noise))


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
    server: ServerOptions,
) -> None:
    """Remove the traces of JPEG compression, also from a PNG. Short for `restore --only jpeg`."""
    from ...tasks.restore import Restore, restore_only
    from ..run.restore_files import restore_files

    told = restore_only(("jpeg",), {"jpeg": number_or_auto("jpeg", jpeg)})
    restore_files("dejpeg", SameTask(task=Restore(**told)), files, keeping, compute, which, server=server)


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
