"""Imported models on the command line: checked against the command, and told in recipes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import CheckpointError, UsageError
from ..batch.inputs import Found
from ..batch.plan import Job
from ..options.options import Compute
from .planning import Batch
from .task_source import SameTask, TaskSource

if TYPE_CHECKING:
    from ...diffusion.foreign.header import ForeignHeader
    from ...images.choices import Damaged
    from ...tasks.task import Task


def for_model(tasks: TaskSource, compute: Compute, op: str, *, drawn: bool, damaged: "Damaged") -> TaskSource:
    """Return a batch's tasks as the model carries them out. A checkpoint of this program does so as they are.

    Args:
        tasks: what is asked for.
        compute: names the model.
        op: the command's name.
        drawn: samples are asked for.
        damaged: what becomes of damaged pictures.

    Raises:
        UsageError: an imported model does not fit the command, or spandrel is not installed.
    """
    from ...diffusion.checkpoint import find, read_info

    try:
        path = find(compute.model)
        header = read_info(path).foreign
    except CheckpointError:  # that is said when the model is loaded
        return tasks
    if header is None:
        return tasks
    from ...tasks.with_model import check_model, with_model

    check_model(header, path.stem, op, drawn=drawn)
    if isinstance(tasks, SameTask) and not tasks.fills_holes:
        with_model(tasks.task, header)  # refuses what the model is not told
    if tasks.fills_holes and op != "inpaint" and not header.is_prior:
        raise UsageError(f"--mask: --model {path.stem} fills nothing ({header.words}); leave it out")
    if damaged == "inpaint" and header.role not in ("prior", "inpaint"):
        raise UsageError(f"--damaged inpaint: --model {path.stem} fills nothing; take --damaged keep")
    from ...diffusion.foreign.model import side_of

    settings = compute.settings(1)
    auto = header.whole and settings.tile == "auto"
    tile: int | str = "auto" if auto else side_of(header, settings) or "off"
    return _OfModel(tasks=tasks, header=header, name=path.stem, tile=tile)


@dataclass(frozen=True, kw_only=True)
class _OfModel(TaskSource):
    """The tasks of an imported model.

    Attributes:
        tasks: what is asked for.
        header: of the model.
        name: of the model.
        tile: the side of its tiles, as --tile takes it. "auto": a picture is computed in one piece if it fits.
    """

    tasks: TaskSource
    header: "ForeignHeader"
    name: str
    tile: int | str

    def of(self, job: Job) -> "tuple[Task, Mapping[str, Any]]":
        """Return the task as the model carries it out, and what its recipe says of the model."""
        from ...tasks.with_model import with_model

        task, facts = self.tasks.of(job)
        return with_model(task, self.header), {**facts, "foreign": self._told(), "tile": self.tile}

    def _told(self) -> dict[str, Any]:
        header = self.header
        return {
            "name": self.name, "architecture": header.architecture, "role": header.role,
            "regression": header.regression, "source": header.source_sha256, "spandrel": version("spandrel"),
        }  # fmt: skip

    @property
    def fills_holes(self) -> bool:
        """Whether the core's strategies fill holes."""
        return self.tasks.fills_holes and self.header.is_prior

    @property
    def reads(self) -> tuple[Path, ...]:
        """The files that are read beside the pictures."""
        return self.tasks.reads

    @property
    def show_fill(self) -> str | None:
        """Where it is shown what is filled, or None."""
        return self.tasks.show_fill

    def chosen(self, found: Sequence[Found], skipped: dict[str, list[Path]]) -> list[Found]:
        """Return the inputs that have results of their own."""
        return self.tasks.chosen(found, skipped)

    def notes(self, job: Job) -> tuple[str, ...]:
        """Return what is said of a job's files."""
        return self.tasks.notes(job)

    def saved(self, job: Job) -> Path | None:
        """Return the file that the picture's mask is written to, or None."""
        return self.tasks.saved(job)

    def settled(self, job: Job) -> Job:
        """Return a job as it is carried out, after `prepare`."""
        return self.tasks.settled(job)

    def prepare(self, batch: Batch) -> None:
        """Do what must be done after planning."""
        self.tasks.prepare(batch)
