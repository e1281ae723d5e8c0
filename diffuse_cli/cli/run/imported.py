"""Imported models on the command line: checked against the command, and told in recipes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ...errors import CheckpointError, UsageError
from ..batch.inputs import Found
from ..batch.job import Job
from ..options.compute import Compute
from ..options.prompts import PromptOptions
from .display import Display
from .planning import Batch
from .task_source import SameTask, TaskSource

NOTHING: Final = PromptOptions()
"""No prompt."""
_LARGE: Final = 256
"""Side of pictures that a CPU draws so slowly that it is said before."""

if TYPE_CHECKING:
    from ...diffusion.foreign.header import ForeignHeader
    from ...diffusion.foreign.model import AnyModel
    from ...diffusion.foreign.text import Prompt, TextModel
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


def own_scale(compute: Compute) -> float | None:
    """Return the factor by which an imported model enlarges. None: it is another kind of model."""
    found = header_of(compute)
    return None if found is None or found[1].scale == 1 else float(found[1].scale)


def for_model(
    tasks: TaskSource, compute: Compute, op: str, *, drawn: bool, damaged: "Damaged", told: PromptOptions = NOTHING,
    label: str | None = None,
) -> TaskSource:  # fmt: skip
    """Return a batch's tasks as the model carries them out. A checkpoint of this program does so as they are.

    Args:
        tasks: what is asked for.
        compute: names the model.
        op: the command's name.
        drawn: samples are asked for.
        damaged: what becomes of damaged pictures.
        told: what a pipeline is told to draw.
        label: what a class-conditional model is told to draw.

    Raises:
        UsageError: an imported model does not fit the command, or spandrel is not installed.
    """
    found = header_of(compute)
    if found is None:
        check_told(None, compute, told, label)
        return tasks
    from ...tasks.with_model import check_model, with_model

    name, header = found
    check_model(header, name, op, drawn=drawn)
    check_told(found, compute, told, label)
    if isinstance(tasks, SameTask) and not tasks.fills_holes:
        with_model(tasks.task, header)  # refuses what the model is not told
    if tasks.fills_holes and op not in ("inpaint", "extend") and not header.is_prior:
        raise UsageError(f"--mask: --model {name} fills nothing ({header.words}); leave it out")
    if damaged == "inpaint" and header.role not in ("prior", "inpaint"):
        raise UsageError(f"--damaged inpaint: --model {name} fills nothing; take --damaged keep")
    from ...diffusion.foreign.model import side_of

    settings = compute.settings(1)
    if header.generates and (settings.tile != "auto" or settings.memory is not None):
        raise UsageError(f"--model {name}: draws in one piece; leave --tile and --memory out")
    if header.role == "inpaint" and settings.tile != "auto":
        raise UsageError(f"--model {name}: fills each hole in one window; leave --tile out, --memory limits windows")
    auto = header.whole and settings.tile == "auto"
    tile: int | str = "auto" if auto else side_of(header, settings) or "off"
    return _OfModel(tasks=tasks, header=header, name=name, tile=tile, model=compute.model, told=told, label=label)


def check_told(
    found: "tuple[str, ForeignHeader] | None", compute: Compute, told: PromptOptions, label: str | None
) -> None:
    """Check that a model is told what it needs, and no more.

    Args:
        found: what `header_of` returns.
        compute: the other options.
        told: the prompt.
        label: the label.

    Raises:
        UsageError: it is told too little, or too much.
    """
    header = None if found is None else found[1]
    if header is not None and header.reads_text:
        if not told.prompt:
            raise UsageError(f"--model {compute.model}: is told by text what to draw; give --prompt TEXT")
        if compute.ensemble or compute.solver != "dpmpp-2m":
            raise UsageError(f"--model {compute.model}: has a scheduler of its own; leave --solver and --ensemble out")
    elif told.to_recipe():
        option = next(iter(told.to_recipe())).replace("_", "-")
        raise UsageError(f"--{option}: {compute.model} is told no text; give --model DIR, the folder of a pipeline")
    if header is not None and header.role == "generate":
        from ...diffusion.foreign.generative import check_label

        check_label(header, label)
    elif label is not None:
        raise UsageError(f"--label: {compute.model} is told none here; leave it out")


def told_of(name: str, header: "ForeignHeader") -> dict[str, Any]:
    """Return what recipes say of an imported model, or of a pipeline's folder."""
    libraries = ["diffusers"] if header.generates else ["spandrel"]
    libraries += ["transformers"] if header.reads_text else []
    source = {} if header.reads_text else {"source": header.source_sha256}
    return {
        "name": name, "architecture": header.architecture, "role": header.role, "regression": header.regression,
        **source, **{library: version(library) for library in libraries},
    }  # fmt: skip


def scheduler_of(folder: Path) -> dict[str, str]:
    """Return the scheduler of a pipeline's folder, as recipes tell it."""
    from ...diffusion.foreign.pipeline_folder import check_folder

    return {"scheduler": check_folder(folder).get("scheduler", ("", "none"))[1]}


def say_of_folder(model: "TextModel", header: "ForeignHeader", display: Display) -> None:
    """Tell the licence of a pipeline's folder, whether it looks at what it drew, and that a CPU takes long."""
    from ...diffusion.foreign.pipeline_folder import has_safety_checker

    folder = model.path
    looks = "its safety checker looks at results" if has_safety_checker(folder) else "it has no safety checker"
    display.say(f"{folder}: {header.architecture}; licence: {header.licence or 'not stated'}; {looks}")
    if model.device.type == "cpu" and header.side >= _LARGE:
        display.say(f"no GPU: pictures of {header.side}x{header.side} take long; the first step tells how long")


def prompt_of(told: PromptOptions, tasks: TaskSource | None = None) -> "Prompt":
    """Return what a pipeline is told.

    Args:
        told: the options.
        tasks: tell how far a picture is drawn again. None: nothing is there before.
    """
    from ...diffusion.foreign.text import Prompt
    from ...tasks.redraw import Redraw

    strength = tasks.task.strength if isinstance(tasks, SameTask) and isinstance(tasks.task, Redraw) else 1.0
    return Prompt(
        text=told.prompt or "", negative=told.negative_prompt or "", guidance=told.guidance, strength=strength
    )


@dataclass(frozen=True, kw_only=True)
class _OfModel(TaskSource):
    """The tasks of an imported model.

    Attributes:
        tasks: what is asked for.
        header: of the model.
        name: of the model.
        model: as --model names it.
        tile: the side of its tiles, as --tile takes it. "auto": a picture is computed in one piece if it fits.
        told: the prompt of a pipeline.
        label: of a class-conditional model.
    """

    tasks: TaskSource
    header: "ForeignHeader"
    name: str
    model: str
    tile: int | str
    told: PromptOptions
    label: str | None

    def of(self, job: Job) -> "tuple[Task, Mapping[str, Any]]":
        """Return the task as the model carries it out, and what its recipe says of the model."""
        from ...tasks.with_model import with_model

        task, facts = self.tasks.of(job)
        foreign = told_of(self.name, self.header)
        asked: dict[str, Any] = self.told.to_recipe() | ({} if self.label is None else {"label": self.label})
        if self.header.reads_text:
            foreign |= scheduler_of(Path(self.model))
            asked["solver"] = None  # but the folder's scheduler
        return with_model(task, self.header), {**facts, **asked, "foreign": foreign, "tile": self.tile}

    def adapt(self, model: "AnyModel", display: Display) -> "AnyModel":
        """Return the model, told what to draw."""
        from ...diffusion.foreign.generative import GenerativeModel
        from ...diffusion.foreign.text import TextModel

        if isinstance(model, TextModel):
            say_of_folder(model, self.header, display)
            return model.told(prompt_of(self.told, self.tasks))
        return model.told(self.label) if isinstance(model, GenerativeModel) else model

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

    def answered(self, job: Job) -> Mapping[str, Any]:
        """Return what the answer about a result says."""
        return self.tasks.answered(job)

    def saved(self, job: Job) -> Path | None:
        """Return the file that the picture's mask is written to, or None."""
        return self.tasks.saved(job)

    def settled(self, job: Job) -> Job:
        """Return a job as it is carried out, after `prepare`."""
        return self.tasks.settled(job)

    def prepare(self, batch: Batch) -> None:
        """Do what must be done after planning."""
        self.tasks.prepare(batch)
