"""`diffuse repair`."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ...errors import UsageError
from ..options.coding import MetadataOptions
from ..options.compute import ComputeInRounds
from ..options.files import Files
from ..options.masking import MaskOptions, Paint
from ..options.numbers import number_or_auto
from ..options.sampling import SamplingOptions
from ..options.server import ServerOptions
from ..options.shared import shared
from ..run.mask_source import MaskSource
from ..run.task_source import SameTask, TaskSource

if TYPE_CHECKING:
    from ...tasks.repair import Repair
    from ..batch.job import Job


@shared
def repair(
    files: Files,
    only: Annotated[
        str | None,
        typer.Option(metavar="marks,noise,jpeg,blur,screen,fading", help="Repair only these.", show_default="all"),
    ] = None,
    saturation: Annotated[
        str,
        typer.Option(
            metavar="auto|FACTOR", help="Factor of the colours. 1 changes nothing. auto brings faded ones back."
        ),
    ] = "auto",
    paint: Paint = False,
    *,
    masking: MaskOptions,
    which: SamplingOptions,
    keeping: MetadataOptions,
    compute: ComputeInRounds,
    server: ServerOptions,
) -> None:
    """Repair an old photograph in one go: scratches, dust, tears, grain, JPEG traces, blur and fading.

    It looks for all of these, says what it found, and undoes what is sure. What is not found stays as it is. --mask
    names the marks instead of looking for them; --paint shows those that it found, to be corrected. Fading is measured
    inside the print, without its margin and its marks.
    """
    from ...tasks.repair import Repair
    from ..paint.painting import Painting
    from ..run.restore_files import restore_files

    names = None if only is None else tuple(name.strip() for name in only.split(","))
    task = Repair(only=names, saturation=number_or_auto("saturation", saturation))
    tasks: TaskSource
    if task.fills_holes:
        looked_for = not masking.given
        masking = replace(masking, mask="auto") if looked_for else masking
        if paint:  # whoever sees the marks decides how many there are
            masking, make = replace(masking, mask_limit=100.0), lambda holes: replace(task, holes=holes)
            tasks = Painting(masking=masking, files=files, compute=compute, which=which, task=make)
        else:
            tasks = _RepairHoles(plain=task, masking=masking, max_pixels=files.max_pixels, if_worn=looked_for)
    elif masking.given or paint:
        raise UsageError(
            "--only leaves marks out, so nothing is filled; add marks there, or leave out --mask and --paint"
        )
    else:
        masking.check_unused()
        tasks = SameTask(task=task)
    restore_files("repair", tasks, files, keeping, compute, which, server=server)


@dataclass(frozen=True, kw_only=True)
class _RepairHoles(MaskSource):
    """A repair that fills marks, too."""

    plain: "Repair"

    def of(self, job: "Job") -> "tuple[Repair, Mapping[str, Any]]":
        """Return the task with the picture's own marks, and what its recipe says of the mask."""
        holes, facts = self.filling(job)
        return replace(self.plain, holes=holes), facts


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(repair)
