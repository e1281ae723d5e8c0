"""`diffuse stylize`."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ...diffusion.checkpoint import SUFFIX
from ...errors import PictureError, UsageError
from ...system.files import file_sha256
from ...system.streams import is_pipe, is_stream
from ..batch import refusals
from ..batch.inputs import PIPE
from ..options.coding import MetadataOptions
from ..options.compute import Compute
from ..options.files import Files
from ..options.prompts import PromptOptions
from ..options.sampling import SamplingOptions
from ..options.shared import shared
from ..run.mask_source import mask_files
from ..run.task_source import TaskWithFile

if TYPE_CHECKING:
    from ...diffusion.foreign.model import AnyModel
    from ...tasks.style.delta import Style
    from ...tasks.style.studio import StylePicture
    from ...tasks.task import Task
    from ..batch.job import Job
    from ..run.display import Display
    from ..run.planning import Batch


@shared
def stylize(
    files: Files,
    style: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="A picture, whose style is learned once, or a file that --save-style wrote."),
    ] = None,
    strength: Annotated[
        float, typer.Option(metavar="0..1", help="0 is the photo. Colours change up to 0.5, strokes grow up to 1.")
    ] = 0.5,
    keep_luma: Annotated[
        bool, typer.Option("--keep-luma", help="Keep the photo's light and shade. Only colours change.")
    ] = False,
    mask: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|DIR/",
            help="White is changed, black stays bit for bit. 'masks/{stem}.png' has one for each photo.",
        ),
    ] = None,
    save_style: Annotated[
        Path | None, typer.Option(metavar=f"FILE{SUFFIX}", help="Write the learned style to this file.")
    ] = None,
    steps: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="Steps at each scale. 1 changes only colours.", show_default="6"),
    ] = None,
    *,
    told: PromptOptions,
    keeping: MetadataOptions,
    compute: Compute,
) -> None:
    """Give photographs the look of another picture.

    They get its colours, and its texture in strokes. The network is trained on the style's picture for a few minutes,
    once. What it learned is kept in the user's cache, and in the file that --save-style names. --seed draws other
    strokes. With --model DIR and --prompt in the place of --style, a pipeline of diffusers draws the photo again.
    """
    from ...tasks.stylize import Stylize
    from ..run.restore_files import restore_files

    if told.prompt is not None:
        given_too = {"--style": style, "--save-style": save_style, "--keep-luma": keep_luma or None}
        if other := next((name for name, value in given_too.items() if value is not None), None):
            raise UsageError(f"--prompt draws the picture again; leave {other} out")
        _redraw(files, strength, mask, steps, told, keeping, compute)
        return
    if style is None:
        raise UsageError("no style; give --style PICTURE, or a file that --save-style wrote")
    given, digest = _read(style, files)
    task = Stylize(style=given, strength=strength, keep_luma=keep_luma)
    masks = None if mask is None else mask_files(mask, files.max_pixels)
    tasks = _Styling(
        task=task, facts={"style": digest}, paths=(style,), option="mask", sidecars=masks,
        style=given if strength > 0 and steps != 1 else None, name=style, save=save_style, files=files, compute=compute,
    )  # fmt: skip
    which = SamplingOptions(steps=1) if steps == 1 else SamplingOptions(fidelity=0.0, steps=steps)
    restore_files("stylize", tasks, files, keeping, compute, which, told=told)


def _redraw(
    files: Files, strength: float, mask: str | None, steps: int | None, told: PromptOptions, keeping: MetadataOptions,
    compute: Compute,
) -> None:  # fmt: skip
    """Draw pictures again as a prompt says."""
    from ...tasks.redraw import Redraw
    from ..run.restore_files import restore_files

    masks = None if mask is None else mask_files(mask, files.max_pixels)
    tasks = _WhereMarked(task=Redraw(strength=strength), option="mask", sidecars=masks)
    which = SamplingOptions(fidelity=0.0, steps=steps)
    restore_files("stylize", tasks, files, keeping, compute, which, told=told)


def _read(path: Path, files: Files) -> "tuple[StylePicture | Style, str]":
    """Return a style's picture, or a style that was learned before, and its file's sha256.

    Raises:
        UsageError: there is no such file.
        PictureError: the picture cannot be read.
        CheckpointError: the learned style cannot be read.
    """
    from ...tasks.style.studio import StylePicture, styled_by

    if is_pipe(path) and path.suffix == SUFFIX:
        raise UsageError(f"{path}: is a pipe, and a learned style is read from a file; write it to one first")
    if not (path.is_file() or is_pipe(path)):
        raise UsageError(f"{path}: no such file; --style takes a picture, or a file that --save-style wrote")
    given = styled_by(path, files.max_pixels)
    return given, given.sha256 if isinstance(given, StylePicture) else file_sha256(path, PictureError)


@dataclass(frozen=True, kw_only=True)
class _WhereMarked(TaskWithFile):
    """A task whose mask says where a picture is changed."""

    def of(self, job: "Job") -> "tuple[Task, Mapping[str, Any]]":
        """Return the task with the picture's own mask: what is marked by half or more is changed."""
        if self.sidecars is None:
            return self.task, self.facts
        found = self.sidecars.of(job.source)
        task: Any = self.task
        return replace(task, mask=found.value.share >= 0.5), {**self.facts, "mask": found.sha256}

    def notes(self, job: "Job") -> tuple[str, ...]:
        """Return how the picture's mask was understood, where it is not simply white on black."""
        note = "" if self.sidecars is None else self.sidecars.of(job.source).value.note
        return (f"mask: {note}",) if note else ()


@dataclass(frozen=True, kw_only=True)
class _Styling(_WhereMarked):
    """What is asked for, and the style that the network learns once for all pictures.

    Attributes:
        style: what is learned. None = only colours change.
        name: the style's file.
        save: the file that the learned style is written to.
    """

    style: "StylePicture | Style | None"
    name: Path
    save: Path | None
    files: Files
    compute: Compute

    def prepare(self, batch: "Batch") -> None:
        """Check that what is saved overwrites nothing.

        Raises:
            UsageError: its name is none of a style, is one of the files read or written, or exists already.
        """
        if self.save is None:
            return
        if self.save.suffix != SUFFIX and not is_stream(self.save):
            raise UsageError(f"--save-style {self.save}: end the name in {SUFFIX}")
        taken = [path for job in batch.jobs for path in (job.source, job.output) if path != PIPE]
        replaced = self.files.exists == "overwrite" or self.files.resume
        refusals.check_outputs([self.save], force=replaced, inputs=[*taken, self.name])

    def adapt(self, model: "AnyModel", display: "Display") -> "AnyModel":
        """Return the model with the style.

        Raises:
            CheckpointError: the style was learned for other weights.
            PictureError: the learned style cannot be written.
        """
        if self.style is None:
            return model
        from ...diffusion import checkpoint
        from ...diffusion.foreign.model import core_of
        from ...tasks.style.delta import with_style
        from ...tasks.style.studio import StyleTrainer

        def begin(steps: int) -> None:
            display.prepare(f"learning {self.name.name}")
            if not self.files.quiet:
                display.say(f"{self.name}: learning the style in {steps} steps; this takes some minutes, once")

        path = checkpoint.find(self.compute.model)
        studio = StyleTrainer(
            path=path, sha256=checkpoint.file_sha256(path), begin=begin,
            progress=lambda done, total: display.progress(done % total, total),
        )  # fmt: skip
        core = core_of(model)
        learned = studio.style_of(self.style, str(self.name), core)
        if self.save is not None:
            learned.save(self.save)
        return with_style(core, learned, str(self.name))


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(stylize)
