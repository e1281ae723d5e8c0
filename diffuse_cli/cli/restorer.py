"""What commands on pictures do alike: work through a plan; and the restorers: load, then read, restore, write."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from .. import batch
from ..errors import DiffuseError
from .display import Display, one_line
from .options import Compute, Files, Keeping

if TYPE_CHECKING:
    from ..device import Model
    from ..encoding import Encoding
    from ..picture import Picture
    from ..request import Request
    from ..settings import Settings


def restore_files(op: str, request: "Request", files: Files, keeping: Keeping, compute: Compute, steps: int) -> None:
    """Run one request on every input. Exits with the batch's code.

    Raises: UsageError: the plan cannot be carried out. CheckpointError: the model cannot be used.
    """
    settings, encoding = compute.settings(steps), keeping.encoding()
    jobs = batch.plan(files.inputs, files.output, op, force=files.force, suffix=encoding.suffix)
    check_results([job.output for job in jobs], encoding)
    model = compute.load()
    one = _Restorer(request=request, settings=settings, encoding=encoding, max_pixels=files.max_pixels, model=model)
    work_through(jobs, files, one)


def check_results(outputs: Sequence[Path], encoding: "Encoding") -> None:
    """Refuse formats that cannot be written, and clear away what a killed run left where the outputs go.

    Raises: UsageError: an unknown format, or one that the quality does not go with.
    """
    from ..image_io import check_quality, check_writable_format, remove_stale

    for output in outputs:
        check_writable_format(output, encoding)
    check_quality(outputs, encoding)
    remove_stale(output.parent for output in outputs)


def work_through(jobs: list[batch.Job], files: Files, work: Callable[[batch.Job, Display], None]) -> None:
    """Do every job, show how it goes, and end with the list of what failed. Exits with the batch's code."""
    with Display(quiet=files.quiet, total=len(jobs)) as display:

        def one(job: batch.Job) -> None:
            with display.turn(job.source.name):
                work(job, display)
                display.finish(f"{job.source} -> {job.output}")

        outcome = batch.run(jobs, one)
    report_failures([(job.source, error) for job, error in outcome.failed], len(jobs))


@dataclass(frozen=True, kw_only=True, slots=True)
class _Restorer:
    """How each picture is read, restored and written."""

    request: "Request"
    settings: "Settings"
    encoding: "Encoding"
    max_pixels: int
    model: "Model"

    def __call__(self, job: batch.Job, display: Display) -> None:
        """Restore one file, page by page where it has several."""
        from ..image_io import write_pages

        write_pages(self.pages(job, display), job.output, encoding=self.encoding, like=job.source)

    def pages(self, job: batch.Job, display: Display) -> Iterator["Picture"]:
        """The restored pages; the next is read when the one before is written."""
        from ..image_io import check_fits, read_pages
        from ..restoration import restore

        for number, picture in enumerate(read_pages(job.source, max_pixels=self.max_pixels), start=1):
            check_fits(picture, job.output, self.encoding)
            name = f"{job.source}: page {number}" if picture.source.pages > 1 else str(job.source)
            task = self.request.task(picture)
            for line in (*(() if display.quiet else task.notes), *task.warnings):
                display.say(f"{name}: {line}")
            if number == 1:
                self.warn(picture, job, display, exact=task.hole is not None)
            yield restore(picture, task, self.settings, self.model, display.progress)

    def warn(self, picture: "Picture", job: batch.Job, display: Display, *, exact: bool) -> None:
        """Say what the result's file cannot keep."""
        from ..image_io import is_lossless

        if exact and not is_lossless(job.output, picture, self.encoding):
            display.say(f"{job.output}: a lossy format; pixels that stay exact need a lossless one, like -o out.png")
        for part in picture.source.left_behind:
            display.say(f"{job.output}: without {part} of the input, made for the picture as it was")


def report_failures(failed: Sequence[tuple[Path, DiffuseError]], total: int) -> None:
    """Each failure once more at the end, where a long batch's user looks. Exits with the gravest one's code."""
    if not failed:
        return
    if total > 1:
        typer.echo(f"diffuse: {len(failed)} of {total} pictures failed:", err=True)
    for path, error in failed:
        message, name = str(error), str(path)
        line = message if message.startswith(name) else f"{name}: {message}"
        typer.echo(f"diffuse: {one_line(line)}", err=True)
    raise typer.Exit(max(error.exit_code for _, error in failed))
