"""Imported models on the command line: checked against the command, and told in recipes."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import CheckpointError, UsageError
from ..batch.plan import Job
from ..options.options import Compute
from .planning import Batch
from .task_source import SameTask, TaskSource

if TYPE_CHECKING:
    from ...diffusion.foreign.header import ForeignHeader
    from ...images.choices import Damaged
    from ...tasks.task import Task


def header_of(compute: Compute) -> "tuple[str, ForeignHeader] | None":
    """Return the name of an imported model and what it is. None: a checkpoint of this program, or a missing one."""
    from ...diffusion.checkpoint import find, read_info

    try:
        path = find(compute.model)
        header = read_info(path).foreign
    except CheckpointError:  # that is said when the model is loaded
        return None
    return None if header is None else (path.stem, header)


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
    found = header_of(compute)
    if found is None:
        return tasks
    from ...tasks.with_model import check_model, with_model

    name, header = found
    check_model(header, name, op, drawn=drawn)
    if isinstance(tasks, SameTask) and not tasks.fills_holes:
        with_model(tasks.task, header)  # refuses what the model is not told
    if tasks.fills_holes and op != "inpaint" and not header.is_prior:
        raise UsageError(f"--mask: --model {name} fills nothing ({header.words}); leave it out")
    if damaged == "inpaint" and header.role not in ("prior", "inpaint"):
        raise UsageError(f"--damaged inpaint: --model {name} fills nothing; take --damaged keep")
    from ...diffusion.foreign.model import side_of

    settings = compute.settings(1)
    auto = header.whole and settings.tile == "auto"
    tile: int | str = "auto" if auto else side_of(header, settings) or "off"
    return _OfModel(tasks=tasks, header=header, name=name, tile=tile)


def told_of(name: str, header: "ForeignHeader") -> dict[str, Any]:
    """Return what recipes say of an imported model."""
    library = "diffusers" if header.generates else "spandrel"
    return {
        "name": name, "architecture": header.architecture, "role": header.role, "regression": header.regression,
        "source": header.source_sha256, library: version(library),
    }  # fmt: skip


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
        return with_model(task, self.header), {**facts, "foreign": told_of(self.name, self.header), "tile": self.tile}

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
