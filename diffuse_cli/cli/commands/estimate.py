"""`diffuse estimate`."""

import io
import json
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from ...errors import DiffuseError
from ..batch import plan
from ..batch.inputs import PIPE
from ..options.options import Sources, shared
from ..run.display import Display, one_line
from ..run.planning import find_sources
from ..run.stopping import CODES, NAMES, Stop
from ..run.working import report_failures, tell_summary

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ...degradation.estimation.estimate import Estimate, Finding
    from ...images.picture import Picture
    from ...restoration.problem import Problem


@shared
def estimate(files: Sources) -> None:
    """Tell what happened to pictures, how sure that is, and what `diffuse restore` would do. Writes nothing.

    Noise: its std in 8-bit levels; whether it grows with brightness (variance = gain x level + offset), and whether it
    is smooth, as after enlarging, or white. JPEG: the quality in the file's tables, or, in other files, what the pixels
    still show. Blur: the std of a Gaussian in pixels. Detail: the size that would hold all the detail there is.
    --json prints a line for each picture, and a summary, as json_lines.schema.json defines them.
    """
    found = find_sources(files)
    part = plan.shard_of(files.shard) if files.shard is not None else (1, 1)
    plan.check_inputs(found.found)
    sources = [one.path for one in found.found if plan.is_in_part(one, *part)]
    work = _Estimates(files=files, ignored=dict(found.skipped))
    with Display(quiet=files.quiet, total=len(sources)) as display, Stop() as stop:
        if found.skipped and not files.quiet:
            display.say(f"left out: {plan.shown_skips(found.skipped)}")
        for path in sources:
            if stop.asked:
                break
            with display.turn(path.name):
                work.one(path)
    code = CODES[stop.signal] if stop.signal is not None else work.exit_code
    if files.json:
        work.summary(len(sources), code, NAMES[stop.signal] if stop.signal is not None else None)
    if stop.signal is not None:
        raise typer.Exit(code)
    report_failures(work.failed, len(sources))


@dataclass(kw_only=True)
class _Estimates:
    """What has been told so far."""

    files: Sources
    ignored: dict[str, int]
    done: int = 0
    failed: list[tuple[Path, DiffuseError]] = field(default_factory=list)
    start: float = field(default_factory=time.monotonic)

    @property
    def exit_code(self) -> int:
        """0, or the gravest failure's."""
        return max((error.exit_code for _, error in self.failed), default=0)

    def one(self, path: Path) -> None:
        """Look at a picture and tell what there is to tell."""
        begin = time.monotonic()
        try:
            for number, picture in enumerate(self.pages(path), 1):
                page = number if picture.source.pages > 1 else None
                self.tell(path, picture, page, begin)
                begin = time.monotonic()
            self.done += 1
        except DiffuseError as error:
            self.failed.append((path, error))
            if self.files.json:
                line = {"type": "estimate", "status": "failed", "input": str(path), "error": str(error)}
                typer.echo(json.dumps({**line, "exit_code": error.exit_code}))

    def pages(self, path: Path) -> "Iterator[Picture]":
        """A picture's pages; most have one."""
        from ...images.image_io import read_pages

        data = io.BytesIO(sys.stdin.buffer.read()) if path == PIPE else None
        return read_pages(path, max_pixels=self.files.max_pixels, data=data)

    def tell(self, path: Path, picture: "Picture", page: int | None, begin: float) -> None:
        """On stdout."""
        from ...degradation.estimation.estimate import estimate_degradation as look
        from ...tasks.restore import Restore

        found = look(picture)
        problem = Restore().task_for(picture, found)
        height, width = picture.pixels.shape[:2]
        if self.files.json:
            told: dict[str, Any] = {
                "type": "estimate", "status": "done", "input": str(path), **({} if page is None else {"page": page}),
                "size": [width, height], "seconds": round(time.monotonic() - begin, 3), "estimate": found.to_json(),
                "restore": {"changes": not problem.leaves_alone, **_told(problem), "command": _command(problem)},
            }  # fmt: skip
            typer.echo(json.dumps(told))
            return
        name = str(path) if page is None else f"{path}, page {page}"
        for line in (f"{one_line(name)}: {width}x{height}", *_block(found, problem, width, height)):
            typer.echo(line)

    def summary(self, total: int, code: int, stopped_by: str | None) -> None:
        """--json: the last line."""
        failures = [{"input": str(path), "error": str(e), "exit_code": e.exit_code} for path, e in self.failed]
        tell_summary(
            "estimate", total, self.done, 0, failures,
            ignored=self.ignored, start=self.start, code=code, stopped_by=stopped_by,
        )  # fmt: skip


def _block(found: "Estimate", problem: "Problem", width: int, height: int) -> "Iterator[str]":
    yield _row("noise", _noise(found), found.noise)
    yield _row("JPEG", _jpeg(found), found.jpeg)
    yield _row("blur", f"a Gaussian of {found.blur.value:.2f} pixels" if found.blur.value else "none", found.blur)
    share = found.resolution.value or 1.0
    larger = f", as if enlarged by {found.enlarged.value:.2f}" if found.enlarged.value else ""
    size = f"fits into {round(width * share)}x{round(height * share)}{larger}" if share < 1 else "as fine as the size"
    yield _row("detail", size, found.resolution)
    yield f"  restore  {_would(problem)}"


def _row(name: str, text: str, finding: "Finding") -> str:
    return f"  {name:8} {text} ({finding.confidence} confidence; {finding.how})"


def _noise(found: "Estimate") -> str:
    if found.noise.value is None:
        return "none measurable"
    words = f"{found.noise.value:.1f} levels"
    model = found.noise_model
    if model.gain > 0:
        words += f", growing with brightness (variance = {model.gain:.2f} x level + {model.offset:.0f})"
    if found.smoothed_noise.value is not None:
        words += ", smooth (neighbouring pixels correlate)"
    return words


def _jpeg(found: "Estimate") -> str:
    if found.jpeg.value is None:
        return "no trace"
    moved = found.jpeg_origin not in (None, (0, 0))
    row, column = found.jpeg_origin or (0, 0)
    return f"quality {found.jpeg.value:.0f}{f', its blocks begin at column {column}, row {row}' if moved else ''}"


def _told(problem: "Problem") -> dict[str, Any]:
    """What the core would be told."""
    from ...images.units import LEVEL

    what = problem.degradation
    return {"noise": what.noise * LEVEL, "jpeg": what.quality, "blur": what.blur}


def _would(problem: "Problem") -> str:
    if problem.leaves_alone:
        return "would leave it as it is"
    told = _told(problem)
    words = [
        *([f"noise of {told['noise']:.1f} levels"] if told["noise"] else []),
        *([f"the traces of JPEG quality {told['jpeg']:.0f}"] if told["jpeg"] < 100 else []),
        *([f"a blur of {told['blur']:.2f} pixels"] if told["blur"] else []),
    ]
    return f"would remove {', '.join(words)}: {_command(problem)}"


def _command(problem: "Problem") -> str:
    """The line that does the same without looking again."""
    told = _told(problem)
    return f"diffuse restore --noise {told['noise']:.4g} --jpeg {told['jpeg']:.4g} --blur {told['blur']:.4g}"


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(estimate)
