"""A plan is carried out: shown, told as JSON, written down, stopped by signals, and ended by the list of failures."""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import typer

from ...errors import DiffuseError
from ..batch import plan
from ..batch.pipeline import End, Outcome
from ..options.options import Output
from .display import Display, one_line
from .planning import Batch
from .stopping import CODES, NAMES, Stop, Terminated


def begin(what: Batch, files: Output, display: Display) -> None:
    """Say what is worth knowing, create the folders, and clear away what a killed run left in them.

    Raises: UsageError: a folder cannot be created.
    """
    from ...system.files import remove_stale

    plan.make_folders(what.jobs)
    remove_stale(job.output.parent for job in what.jobs if job.action != "skip")
    if files.quiet:
        return
    if what.ignored:
        display.say(f"left out: {plan.shown_skips(what.ignored)}")
    for note in what.notes:
        display.say(note)
    if files.verbose and what.journal is not None:
        display.say(f"journal: {what.journal.path}")


@contextmanager
def working(what: Batch, files: Output, display: Display) -> "Iterator[Work]":
    """While it is entered, every job is done: what becomes of it is shown, and a signal stops the batch.

    At the end failures are listed. Exits with the batch's code.
    """
    told = Work(what, files, display)
    with told.stop as stop, suppress(KeyboardInterrupt, Terminated):
        yield told
    stopped = stop.signal
    display.close()
    outcome = told.outcome
    code = CODES[stopped] if stopped is not None else outcome.exit_code
    if files.json:
        told.summary(code, NAMES[stopped] if stopped is not None else None)
    told.report(NAMES[stopped] if stopped is not None else None)
    if stopped is None:
        report_failures([(job.source, error) for job, error in outcome.failed], len(what.jobs))
        return
    list_failures([(job.source, error) for job, error in outcome.failed], len(what.jobs))
    left = len(what.jobs) - outcome.done - outcome.skipped - len(outcome.failed)
    typer.echo(
        f"diffuse: stopped by {NAMES[stopped]}: {outcome.done} done, {outcome.skipped} skipped, "
        f"{len(outcome.failed)} failed, {left} left; the same command with --resume goes on",
        err=True,
    )
    raise typer.Exit(code)


class Work:
    """What became of each picture, for people and for programs."""

    def __init__(self, what: Batch, files: Output, display: Display) -> None:
        """Begin to count."""
        self.what, self.files, self.display = what, files, display
        self.outcome = Outcome()
        self.start = time.monotonic()
        self.stop = Stop()

    def is_stopped(self) -> bool:
        """Whether a signal came."""
        return self.stop.asked

    def end(self, end: End) -> None:
        """One picture is done with."""
        self.outcome.add(end)
        self.write_down(end)
        if self.what.showing is not None and self.what.showing.report is not None:
            self.what.showing.report.end(end)
        if self.files.json:
            self.line(end)
        job = end.job
        if end.status == "done" and not self.files.quiet:
            self.display.say(f"{job.source} -> {job.output} ({end.seconds:.1f} s)")
            if self.files.verbose and "recipe" in end.facts:
                self.display.say(f"{job.output}: {json.dumps(end.facts['recipe'], sort_keys=True)}")
        elif end.status == "skipped" and self.files.verbose and not self.files.quiet:
            self.display.say(f"{job.source}: skipped: {job.output}: {end.why}")
        elif end.status == "failed" and self.display.bar is not None:
            self.display.say(f"{job.source}: failed")
        self.display.count(end.status == "done")

    def write_down(self, end: End) -> None:
        """A failure; what was done is written down before its claim is released, by whoever did it."""
        if end.error is not None and self.what.journal is not None:
            try:
                self.what.journal.add("failed", end.job.output, error=str(end.error))
            except OSError as error:
                self.display.say(f"{self.what.journal.path}: cannot be written ({error.strerror})")

    def line(self, end: End) -> None:
        """--json: one picture."""
        line: dict[str, object] = {
            "type": "image",
            "status": end.status,
            "input": str(end.job.source),
            "output": str(end.job.output),
            "seconds": round(end.seconds, 3),
            **({} if end.job.product.is_picture else {"part": end.job.product.name}),
            **end.facts,
        }
        if end.error is not None:
            line |= {"error": str(end.error), "exit_code": end.error.exit_code}
        if end.why:
            line["reason"] = end.why
        typer.echo(json.dumps(line))

    def report(self, stopped_by: str | None) -> None:
        """--report: of all pictures, also where a signal stopped the batch."""
        report = self.what.showing.report if self.what.showing is not None else None
        if report is not None:
            report.write(self.what.jobs, seconds=time.monotonic() - self.start, stopped_by=stopped_by)
            if not self.files.quiet:
                self.display.say(f"report: {report.target}")

    def summary(self, code: int, stopped_by: str | None) -> None:
        """--json: the last line."""
        failures = [
            {"input": str(job.source), "output": str(job.output), "error": str(e), "exit_code": e.exit_code}
            for job, e in self.outcome.failed
        ]
        tell_summary(
            self.what.op, len(self.what.jobs), self.outcome.done, self.outcome.skipped, failures,
            ignored=self.what.ignored, start=self.start, code=code, stopped_by=stopped_by,
        )  # fmt: skip


def tell_summary(
    operation: str,
    pictures: int,
    done: int,
    skipped: int,
    failures: Sequence[Mapping[str, Any]],
    *,
    ignored: Mapping[str, int],
    start: float,
    code: int,
    stopped_by: str | None,
) -> None:
    """--json: the last line. Args: start: by the monotonic clock."""
    line = {
        "type": "summary",
        "operation": operation,
        "pictures": pictures,
        "done": done,
        "skipped": skipped,
        "failed": len(failures),
        "left": pictures - done - skipped - len(failures),
        "ignored": ignored,
        "seconds": round(time.monotonic() - start, 3),
        "exit_code": code,
        "stopped_by": stopped_by,
        "failures": failures,
    }
    typer.echo(json.dumps(line))


def list_failures(failed: Sequence[tuple[Path, DiffuseError]], total: int) -> None:
    """Each failure once more at the end, where a long batch's user looks."""
    if failed and total > 1:
        typer.echo(f"diffuse: {len(failed)} of {total} pictures failed:", err=True)
    for path, error in failed:
        message, name = str(error), str(path)
        line = message if message.startswith((name, one_line(name))) else f"{name}: {message}"
        typer.echo(f"diffuse: {one_line(line)}", err=True)


def report_failures(failed: Sequence[tuple[Path, DiffuseError]], total: int) -> None:
    """List them, and exit with the gravest one's code if there are any."""
    list_failures(failed, total)
    if failed:
        raise typer.Exit(max(error.exit_code for _, error in failed))
