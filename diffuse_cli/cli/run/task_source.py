"""What a command asks for: one task for all pictures, or one for each."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..batch.inputs import Found
from ..batch.job import Job
from .display import Display
from .planning import Batch

if TYPE_CHECKING:
    from ...diffusion.foreign.model import AnyModel
    from ...tasks.task import Task
    from ..batch.sidecar_files import SidecarFiles


class TaskSource(ABC):
    """Where a batch's tasks come from."""

    def chosen(self, found: Sequence[Found], skipped: dict[str, list[Path]]) -> list[Found]:
        """Return the inputs that have results of their own; others are read with them.

        Args:
            found: all inputs.
            skipped: takes what is left out, by reason.

        Raises:
            UsageError: the inputs do not fit the command.
        """
        return list(found)

    @abstractmethod
    def of(self, job: Job) -> "tuple[Task, Mapping[str, Any]]":
        """Return one picture's task, and what its recipe says of the files that the task needs.

        Raises:
            PictureError: such a file is missing, or cannot be read.
        """

    @property
    @abstractmethod
    def fills_holes(self) -> bool:
        """Whether the tasks fill holes."""

    @property
    def reads(self) -> tuple[Path, ...]:
        """The files that are read beside the pictures. No result overwrites them."""
        return ()

    @property
    def show_fill(self) -> str | None:
        """The file, folder or template that the layer of what is filled is written to, or None."""
        return None

    def parts(self, job: Job) -> Mapping[str, Path]:
        """Return the files that a server needs for one picture's task, by the task's fields."""
        return {}

    def refused_by_servers(self, kind: "type[Task]") -> str:
        """Return the option that no server carries out; "" = there is none.

        Args:
            kind: the task that a server knows by the command's name.
        """
        return "--paint"

    @property
    def saves_masks(self) -> bool:
        """Whether masks of what is filled are written."""
        return False

    @property
    def show_weights(self) -> str | None:
        """The file, folder or template that the weights of fused copies are written to, or None."""
        return None

    def answered(self, job: Job) -> Mapping[str, Any]:
        """Return what --json says of a result beside its recipe."""
        return {}

    def notes(self, job: Job) -> tuple[str, ...]:
        """Return what is said of the files that one picture's task needs, one line each."""
        return ()

    def saved(self, job: Job) -> Path | None:
        """Return the file that the picture's mask is written to, or None."""
        return None

    def prepare(self, batch: Batch) -> None:  # noqa: B027 - most sources have nothing to do
        """Do what must be done after planning and before the model is loaded."""

    def settled(self, job: Job) -> Job:
        """Return a job as it is carried out, after `prepare`."""
        return job

    def adapt(self, model: "AnyModel", display: Display) -> "AnyModel":
        """Return the model that the pictures are restored with."""
        return model


@dataclass(frozen=True, kw_only=True)
class SameTask(TaskSource):
    """One task for all pictures.

    Attributes:
        task: the task.
        facts: what recipes say beside the task.
        paths: the files that were read for the task.
        said: what is said of them, one line each.
    """

    task: "Task"
    facts: Mapping[str, Any] = field(default_factory=dict)
    paths: tuple[Path, ...] = ()
    said: tuple[str, ...] = ()

    def of(self, job: Job) -> "tuple[Task, Mapping[str, Any]]":
        """Return the task."""
        return self.task, self.facts

    def refused_by_servers(self, kind: "type[Task]") -> str:
        """Return the options of a task that is another one than the command's usual."""
        return "" if isinstance(self.task, kind) else "--motion, --defocus and --kernel"

    @property
    def fills_holes(self) -> bool:
        """Whether the task fills holes."""
        return self.task.fills_holes

    @property
    def reads(self) -> tuple[Path, ...]:
        """The files that were read for the task."""
        return self.paths

    def notes(self, job: Job) -> tuple[str, ...]:
        """Return what is said of these files."""
        return self.said


@dataclass(frozen=True, kw_only=True)
class TaskWithFile(SameTask):
    """A task that has one option's value from a file, such as a noise map or a mask.

    Attributes:
        option: the field of the task.
        sidecars: the files: one for all pictures, or one for each. None leaves the task as it is.
    """

    option: str
    sidecars: "SidecarFiles[Any] | None"

    def of(self, job: Job) -> "tuple[Task, Mapping[str, Any]]":
        """Return the task with the picture's own file read."""
        if self.sidecars is None:
            return self.task, self.facts
        found = self.sidecars.of(job.source)
        task: Any = self.task
        return replace(task, **{self.option: found.value}), {**self.facts, self.option: found.sha256}

    def parts(self, job: Job) -> Mapping[str, Path]:
        """Return the picture's own file."""
        return {} if self.sidecars is None else {self.option: self.sidecars.path_of(job.source)}

    @property
    def reads(self) -> tuple[Path, ...]:
        """The files that are known before any picture is read."""
        return (*self.paths, *(() if self.sidecars is None else self.sidecars.files))
