"""What the user sees while pictures are worked on: a bar on a terminal, else plain lines, or nothing with -q."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Self

import typer

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


def one_line(text: str) -> str:
    """Return text with any file name in it as one line that every terminal can show."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


class Display:
    """Progress of a run on stderr, animated only where that is a terminal."""

    def __init__(self, *, quiet: bool, total: int) -> None:
        """Prepare.

        Args:
            quiet: show only warnings and errors.
            total: how many pictures there are.
        """
        self.quiet = quiet
        self.total = total
        self.bar: Progress | None = None
        self.bar_task: TaskID | None = None
        self.begin = time.monotonic()
        self.start = 0.0
        self.finished = self.made = 0
        self.part, self.current = 0.0, ""

    def __enter__(self) -> Self:
        """Start the bar, on a terminal."""
        if not self.quiet and sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
            from rich.table import Column

            name = TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True, ratio=1))
            rest = [TextColumn(f"{{task.fields[{key}]}}") for key in ("count", "rate")]
            left = TimeRemainingColumn(table_column=Column(no_wrap=True))
            self.bar = Progress(
                name, BarColumn(24), *rest, left, console=Console(stderr=True), transient=True, expand=True
            )
            self.bar_task = self.bar.add_task("", start=False, total=1000 * self.total, count="", rate="")
            self.bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remove the bar."""
        self.close()

    def close(self) -> None:
        """Remove the bar. Later lines are plain."""
        if self.bar is not None:
            self.bar.stop()
            self.bar = None

    @contextmanager
    def turn(self, name: str) -> Iterator[None]:
        """Show a picture while it is entered, and count it."""
        self.begin = time.monotonic()
        self.show(name)
        try:
            yield
        finally:
            self.count()

    def prepare(self, what: str) -> None:
        """Show what is done before the first picture, which has no count."""
        if self.bar is not None and self.bar_task is not None:
            self.bar.update(self.bar_task, description=one_line(what))

    def show(self, name: str, doing: str = "", *, counted: bool = True) -> None:
        """Show a picture whose turn begins. The rate does not count what came before the first one, such as loading.

        Args:
            name: of the picture.
            doing: what is done.
            counted: it has a count. The bar pulses until something has.
        """
        if self.start == 0:
            self.start = time.monotonic()
        if counted:
            self.part, self.current = 0.0, name
        if self.bar is not None and self.bar_task is not None:
            line = one_line(f"{name}: {doing}" if doing else name)
            self.bar.update(self.bar_task, description=line, count=f"{self.finished}/{self.total}")
            if counted:  # until then it pulses
                self.bar.start_task(self.bar_task)

    def count(self, made: bool = True, name: str = "") -> None:
        """Count a picture that is done with.

        Args:
            made: it was made. The rate counts no others.
            name: its name, if another one may have its turn by now; "" = it had its turn.
        """
        self.finished += 1
        self.made += made
        if self.current.startswith(name):
            self.part = 0.0
        self._move()
        if self.bar is not None and self.bar_task is not None:
            rate = self.made / max(time.monotonic() - (self.start or self.begin), 1e-9)
            text = f"{rate:.1f}/s" if rate >= 1 else f"{1 / rate:.1f} s each" if rate else ""
            self.bar.update(self.bar_task, count=f"{self.finished}/{self.total}", rate=text)

    def progress(self, done: int, total: int) -> None:
        """Show how much of the current picture is done."""
        self.part = done / total
        self._move()

    def _move(self) -> None:
        """Show how much of all pictures is done."""
        if self.bar is not None and self.bar_task is not None:
            self.bar.start_task(self.bar_task)
            self.bar.update(self.bar_task, completed=round(1000 * (self.finished + self.part)))

    def finish(self, what: str) -> None:
        """Say that the current picture is written."""
        if not self.quiet:
            self.say(f"{what} ({time.monotonic() - self.begin:.1f} s)")

    def say(self, line: str) -> None:
        """Print a line that stays: a note, a warning, an error."""
        line = one_line(line)
        if self.bar is not None:
            self.bar.console.print(line, markup=False, highlight=False, overflow="fold")  # wraps between words
        else:
            typer.echo(line, err=True)
