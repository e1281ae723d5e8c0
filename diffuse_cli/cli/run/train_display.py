"""Progress of a training run: a live table on a terminal, plain lines otherwise."""

import sys
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import typer

from .display import one_line

if TYPE_CHECKING:
    from rich.live import Live
    from rich.table import Table

Record = dict[str, Any]


class TrainDisplay:
    """Shows the records of a run's log on stderr."""

    def __init__(self, *, quiet: bool) -> None:
        """Begin with nothing.

        Args:
            quiet: show only warnings.
        """
        self.quiet = quiet
        self.live: Live | None = None
        self.latest: Record = {}
        self.psnr: dict[str, list[float]] = {}

    def __enter__(self) -> Self:
        """Start the table if stderr is a terminal."""
        if not self.quiet and sys.stderr.isatty():
            from rich.console import Console
            from rich.live import Live

            self.live = Live(console=Console(stderr=True), refresh_per_second=2)
            self.live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop, and leave the last table on the screen."""
        if self.live is not None:
            self.live.stop()

    def warn(self, line: str) -> None:
        """Show a line that stays."""
        if self.live is not None:
            self.live.console.print(f"skipped: {one_line(line)}", markup=False, highlight=False, soft_wrap=True)
        else:
            typer.echo(f"diffuse: skipped: {one_line(line)}", err=True)

    def record(self, record: Record) -> None:
        """Show a record of the log."""
        if record["kind"] == "train":
            self.latest = record
        elif record["kind"] == "validation":
            for task, value in record["psnr"].items():
                self.psnr.setdefault(task, []).append(value)
        if self.live is not None:
            self.live.update(self._table())
        elif not self.quiet:
            typer.echo(line_of(record), err=True)

    def _table(self) -> "Table":
        from rich.table import Table

        seen = self.latest
        title = f"step {seen.get('step', 0)}, {seen.get('images_per_s', 0):.1f} images/s, {_time_left(seen)}"
        table = Table("task", "loss", "PSNR held out", "since the start", title=title)
        losses = seen.get("losses", {})
        for task in dict.fromkeys([*losses, *self.psnr]):
            values = self.psnr.get(task, [])
            now = f"{values[-1]:.2f} dB" if values else ""
            gained = f"{values[-1] - values[0]:+.2f} dB" if len(values) > 1 else ""
            table.add_row(task, f"{losses[task]:.4f}" if task in losses else "", now, gained)
        return table


def line_of(record: Record) -> str:
    """Return a record as one line."""
    step, kind = record["step"], record["kind"]
    if kind == "start":
        counts = f"{record['pictures']} pictures, {record['held_out']} held out, {record['skipped']} skipped"
        return f"step {step}: {counts}; {record['parameters']:,} parameters in {record['dtype']}"
    if kind == "train":
        each = " ".join(f"{task} {value:.4f}" for task, value in record["losses"].items())
        speed = f"{record['images_per_s']:.1f} images/s"
        return f"step {step}: loss {record['loss']:.4f} ({each}), {speed}, {_time_left(record)}"
    if kind == "validation":
        each = ", ".join(f"{task} {value:.2f} dB" for task, value in record["psnr"].items())
        return f"step {step}: held out: {each}"
    return f"step {step}: {kind}"


def _time_left(record: Record) -> str:
    progress, seconds = record.get("progress", 0.0), record.get("seconds", 0.0)
    if not 0 < progress <= 1:
        return "time left unknown"
    left = round(seconds * (1 - progress) / progress)
    return f"{left // 3600}:{left // 60 % 60:02}:{left % 60:02} left"
