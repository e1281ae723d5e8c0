"""How a plan is carried out: shown, told as JSON, written down, stopped by signals, ended by the list of failures."""

import json
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import typer

from ...errors import DiffuseError
from ...provenance import recipe
from ..batch import inputs, plan, refusals
from ..batch.inputs import PIPE
from ..batch.job import Job
from ..batch.journal import Journal
from ..batch.pipeline import End, Outcome
from ..options.files import Output
from ..options.log import LogOptions
from .display import Display, one_line
from .planning import Batch
from .stopping import CODES, NAMES, Stop, Terminated


def begin(batch: Batch, options: LogOptions, display: Display, beside: Iterable[Path] = ()) -> None:
    """Say what is worth knowing, and clear away what a killed run left in the folders.

    Args:
        batch: the plan.
        options: how much is said.
        display: where it is said.
        beside: further files that are written.
    """
    from ...system.files import remove_stale

    outputs = [job.output for job in batch.jobs if job.output != PIPE and job.action != "skip"]
    shown = () if batch.showing is None else batch.showing.targets
    remove_stale(refusals.places([*outputs, *shown, *beside]))
    if batch.journal is not None:
        try:
            _write_plan(batch, batch.journal)
        except OSError as error:
            display.say(f"{batch.journal.path}: cannot be written ({error.strerror})")
    if options.quiet:
        return
    if batch.ignored:
        display.say(f"skipped {inputs.shown_skips(batch.ignored)}")
    for note in batch.notes:
        display.say(note)
    if options.verbose and batch.journal is not None:
        display.say(f"journal: {batch.journal.path}")


def _write_plan(batch: Batch, journal: Journal) -> None:
    """Write the plan into the journal, and what a run has made that was killed before it could say so.

    Raises:
        OSError: the disk fails.
    """
    due = [(job.source, job.output) for job in batch.jobs if job.output != PIPE and job.action != "skip"]
    journal.add_plan(batch.op, batch.place, batch.part, due)
    for job in batch.jobs:
        if job.why == plan.MADE_BEFORE and journal.made(job.output) is None:
            told = recipe.read(job.output)
            if told is not None:
                journal.add("found", job.output, recipe=told)


class Work:
    """What becomes of each picture, for people and for programs.

    Attributes:
        batch: what is to be done.
        options: how much is said.
        display: where it is said.
        outcome: what has become of the batch so far.
        stop: listens for signals.
    """

    def __init__(
        self, batch: Batch, options: LogOptions, display: Display, finishing: str = "the pictures in hand"
    ) -> None:
        """Begin to count.

        Args:
            batch: what is to be done.
            options: how much is said.
            display: where it is said.
            finishing: what is finished after a signal.
        """
        self.batch, self.options, self.display = batch, options, display
        self.outcome = Outcome()
        self.stop = Stop(finishing)
        self._start = time.monotonic()

    def is_stopped(self) -> bool:
        """Return whether a signal came."""
        return self.stop.asked

    @property
    def seconds(self) -> float:
        """Since the beginning."""
        return time.monotonic() - self._start

    def end(self, end: End) -> None:
        """Count a picture that is done with, and tell what became of it."""
        self.outcome.add(end)
        self.tell(end)
        self.display.count(end.status == "done", Path(end.job.source_name).name)

    def tell(self, end: End) -> None:
        """Tell what became of one picture."""

    def close(self, stopped_by: str | None) -> None:
        """Write what is written about the whole batch."""

    def finish(self) -> None:
        """Tell how the batch has ended. Exits with its code, if that is not 0."""
        signal = self.stop.signal
        stopped_by = None if signal is None else NAMES[signal]
        code = self.outcome.exit_code if signal is None else CODES[signal]
        if self.options.json:
            self._tell_summary(code, stopped_by)
        self.close(stopped_by)
        list_failures([(job.source, error) for job, error in self.outcome.failed], len(self.batch.jobs))
        if stopped_by is not None:
            self._tell_stop(stopped_by)
        if code:
            raise typer.Exit(code)

    @property
    def _left(self) -> int:
        return len(self.batch.jobs) - self.outcome.done - self.outcome.skipped - len(self.outcome.failed)

    def _tell_stop(self, stopped_by: str) -> None:
        done, failed = self.outcome, len(self.outcome.failed)
        hint = "; add --resume to the same command to go on" if isinstance(self.options, Output) else ""
        typer.echo(
            f"diffuse: stopped by {stopped_by}: {done.done} done, {done.skipped} skipped, {failed} failed, "
            f"{self._left} left{hint}",
            err=True,
        )

    def _tell_summary(self, code: int, stopped_by: str | None) -> None:
        """--json: print the last line."""
        line = {
            "type": "summary",
            "operation": self.batch.op,
            "pictures": len(self.batch.jobs),
            "done": self.outcome.done,
            "skipped": self.outcome.skipped,
            "failed": len(self.outcome.failed),
            "left": self._left,
            "ignored": {reason: len(paths) for reason, paths in self.batch.ignored.items()},
            "seconds": round(self.seconds, 3),
            "exit_code": code,
            "stopped_by": stopped_by,
            "failures": [_failure(job, error) for job, error in self.outcome.failed],
        }
        typer.echo(json.dumps(line))


def _failure(job: Job, error: DiffuseError) -> dict[str, Any]:
    output = {} if job.output == PIPE else {"output": str(job.output)}
    return {"input": str(job.source), **output, "error": str(error), "exit_code": error.exit_code}


class PictureWork(Work):
    """The same for commands that write pictures."""

    def tell(self, end: End) -> None:
        """Tell what became of one picture: the user, the journal, the report and --json."""
        self._write_down(end)
        if self.batch.showing is not None and self.batch.showing.report is not None:
            self.batch.showing.report.end(end)
        if self.options.json:
            self._line(end)
        job, quiet, verbose = end.job, self.options.quiet, self.options.verbose
        if end.status == "done" and not quiet:
            self.display.say(f"{job.source_name} -> {job.output_name} ({end.seconds:.1f} s)")
            if verbose and "recipe" in end.facts:
                self.display.say(f"{job.output_name}: {json.dumps(end.facts['recipe'], sort_keys=True)}")
        elif end.status == "skipped" and verbose and not quiet:
            self.display.say(f"{job.source_name}: skipped: {job.output_name}: {end.why}")
        elif end.status == "failed" and self.display.bar is not None:
            self.display.say(f"{job.source_name}: failed")

    def _write_down(self, end: End) -> None:
        """Write a failure into the journal. What was done is written there before its claim is released."""
        if end.error is not None and self.batch.journal is not None:
            try:
                self.batch.journal.add("failed", end.job.output, error=str(end.error))
            except OSError as error:
                self.display.say(f"{self.batch.journal.path}: cannot be written ({error.strerror})")

    def _line(self, end: End) -> None:
        """--json: print one picture's line."""
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

    def close(self, stopped_by: str | None) -> None:
        """Write the report, also where a signal stopped the batch."""
        report = self.batch.showing.report if self.batch.showing is not None else None
        if report is not None:
            report.write(self.batch.jobs, seconds=self.seconds, stopped_by=stopped_by)
            if not self.options.quiet:
                self.display.say(f"report: {report.target}")


@contextmanager
def working(work: Work) -> Iterator[Work]:
    """Listen for signals while the batch is worked on, and end with the list of failures.

    Exits with the batch's code.
    """
    with work.stop, suppress(KeyboardInterrupt, Terminated):
        yield work
    work.display.close()
    work.finish()


def list_failures(failed: Sequence[tuple[Path, DiffuseError]], total: int) -> None:
    """List the failures once more at the end, where the user of a long batch looks."""
    if failed and total > 1:
        typer.echo(f"diffuse: {len(failed)} of {total} pictures failed:", err=True)
    for path, error in failed:
        message, name = str(error), "stdin" if path == PIPE else str(path)
        line = message if message.startswith((name, one_line(name))) else f"{name}: {message}"
        typer.echo(f"diffuse: {one_line(line)}", err=True)


def report_failures(failed: Sequence[tuple[Path, DiffuseError]], total: int) -> None:
    """List the failures, and exit with the gravest one's code if there are any."""
    list_failures(failed, total)
    if failed:
        raise typer.Exit(max(error.exit_code for _, error in failed))
