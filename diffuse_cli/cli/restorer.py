"""What commands on pictures do alike: work through a plan; and the restorers: load, then read, restore, write."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from .. import batch
from ..errors import DiffuseError
from .display import Display, one_line
from .options import Compute, Files

if TYPE_CHECKING:
    from ..device import Model
    from ..request import Request
    from ..settings import Settings


def restore_files(op: str, request: "Request", files: Files, compute: Compute, steps: int) -> None:
    """Run one request on every input. Exits with the batch's code.

    Raises: UsageError: the plan cannot be carried out. CheckpointError: the model cannot be used.
    """
    from ..image_io import check_writable_format

    settings = compute.settings(steps)
    jobs = batch.plan(files.inputs, files.output, op, force=files.force)
    for job in jobs:
        check_writable_format(job.output)
    model = compute.load()
    work_through(jobs, files, lambda job, display: _restore_one(job, request, settings, model, display))


def work_through(jobs: list[batch.Job], files: Files, work: Callable[[batch.Job, Display], None]) -> None:
    """Do every job, show how it goes, and end with the list of what failed. Exits with the batch's code."""
    with Display(quiet=files.quiet, total=len(jobs)) as display:

        def one(job: batch.Job) -> None:
            with display.turn(job.source.name):
                work(job, display)
                display.finish(f"{job.source} -> {job.output}")

        outcome = batch.run(jobs, one)
    report_failures([(job.source, error) for job, error in outcome.failed], len(jobs))


def _restore_one(job: batch.Job, request: "Request", settings: "Settings", model: "Model", display: Display) -> None:
    from ..image_io import check_fits, is_lossless, read_picture, write_picture
    from ..restoration import restore

    picture = read_picture(job.source)
    check_fits(picture, job.output)
    task = request.task(picture)
    for line in (*(() if display.quiet else task.notes), *task.warnings):
        display.say(f"{job.source}: {line}")
    if task.hole is not None and not is_lossless(job.output, picture):
        display.say(f"{job.output}: a lossy format; pixels that stay exact need a lossless one, like -o out.png")
    write_picture(restore(picture, task, settings, model, display.progress), job.output)


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
