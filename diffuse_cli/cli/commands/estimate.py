"""`diffuse estimate`."""

import io
import json
import sys
import time
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from ..batch import pipeline, plan
from ..batch.inputs import PIPE
from ..batch.pipeline import End
from ..batch.plan import Job
from ..options.options import Sources, shared
from ..run.display import Display, one_line
from ..run.planning import Batch, find_sources
from ..run.steps import Looking
from ..run.working import Work, begin, working

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ...degradation.estimation.estimate import Estimate, Finding
    from ...images.picture import Picture
    from ...restoration.noise_reading import FoundNoise, NoiseReader
    from ...restoration.problem import Problem


@shared
def estimate(files: Sources) -> None:
    """Estimate the damage of pictures. Also say what `diffuse restore` would do. Writes no file.

    Noise: its std in 8-bit levels, whether it grows with brightness (variance = gain x level + offset), and whether it
    is white, or smooth as after enlarging. JPEG: the quality in the file's tables or, in other files, the quality that
    the pixels show. Blur: the std of a Gaussian in pixels. Detail: the smallest size that holds all the detail. --json
    prints a line for each picture and a summary, as defined in json_lines.schema.json.
    """
    found = find_sources(files)
    part = plan.shard_of(files.shard) if files.shard is not None else (1, 1)
    plan.check_inputs(found.found)
    jobs = plan.shard([Job(found=one, output=PIPE) for one in found.found], *part)
    batch = Batch(op="estimate", jobs=jobs, ignored=dict(found.skipped))
    with Display(quiet=files.quiet, total=len(jobs)) as display:
        begin(batch, files, display)
        with working(_Work(batch, files, display)) as work:
            estimator = _Estimator(files=files, display=display, read_noise=_noise_reader())
            pipeline.run(jobs, estimator, work.end, work.is_stopped)


def _noise_reader() -> "NoiseReader | None":
    """Return what reads the noise of photographs, with the released weights."""
    from ...diffusion.model import Model
    from ...restoration.noise_reading import noise_reader

    return noise_reader(Model.load())


class _Work(Work):
    """What becomes of each picture. What is found out about it is told where it is found out."""

    def tell(self, end: End) -> None:
        """--json: print one line for a failure."""
        if self.options.json and end.error is not None:
            line = {"type": "estimate", "status": "failed", "input": str(end.job.source), "error": str(end.error)}
            typer.echo(json.dumps({**line, "exit_code": end.error.exit_code}))


@dataclass(frozen=True, kw_only=True)
class _Estimator(Looking["Iterator[Picture]"]):
    """How each picture is read and looked at."""

    files: Sources
    display: Display
    read_noise: "NoiseReader | None"

    def read(self, job: Job) -> "Iterator[Picture]":
        """Read the first page, and return all pages. The others are read when it is their turn."""
        from ...images.image_io import read_pages

        data = io.BytesIO(sys.stdin.buffer.read()) if job.source == PIPE else None
        pages = read_pages(job.source, max_pixels=self.files.max_pixels, data=data)
        return chain([next(pages)], pages)

    def restore(self, job: Job, read: "Iterator[Picture]") -> None:
        """Print what was found out about each page."""
        self.display.show(job.source.name)
        begin = time.monotonic()
        for number, picture in enumerate(read, 1):
            self._tell(job.source, picture, number if picture.source.pages > 1 else None, begin)
            begin = time.monotonic()

    def _tell(self, path: Path, picture: "Picture", page: int | None, begin: float) -> None:
        from ...degradation.estimation.estimate import estimate_degradation as look
        from ...restoration.noise_reading import find_noise
        from ...tasks.restore import Restore

        found = look(picture)
        noise = find_noise(picture, self.read_noise, found.noise.value or 0.0)
        problem = Restore().problem_of(picture, found, noise)
        height, width = picture.pixels.shape[:2]
        if self.files.json:
            whole = {**found.to_json(), "photo_noise": asdict(noise)}
            told: dict[str, Any] = {
                "type": "estimate", "status": "done", "input": str(path), **({} if page is None else {"page": page}),
                "size": [width, height], "seconds": round(time.monotonic() - begin, 3), "estimate": whole,
                "restore": {"changes": not problem.leaves_alone, **_told(problem), "command": _command(problem)},
            }  # fmt: skip
            typer.echo(json.dumps(told))
            return
        name = str(path) if page is None else f"{path}, page {page}"
        for line in (f"{one_line(name)}: {width}x{height}", *_block(found, noise, problem, width, height)):
            typer.echo(line)


def _block(found: "Estimate", noise: "FoundNoise", problem: "Problem", width: int, height: int) -> "Iterator[str]":
    yield _noise_row(found, noise)
    yield _row("JPEG", found.jpeg_words(), found.jpeg)
    yield _row("blur", f"a Gaussian of {found.blur.value:.2f} pixels" if found.blur.value else "none", found.blur)
    share = found.resolution.value or 1.0
    larger = f", as if enlarged by {found.enlarged.value:.2f}" if found.enlarged.value else ""
    size = (
        f"fits into {round(width * share)}x{round(height * share)}{larger}"
        if share < 1
        else "as fine as the size allows"
    )
    yield _row("detail", size, found.resolution)
    yield f"  restore  {_would(problem)}"


def _noise_row(found: "Estimate", noise: "FoundNoise") -> str:
    if noise.grain is None:
        return _row("noise", _noise(found) if noise.level else "none found", found.noise)
    confidence = "high" if noise.doubt < 0.25 else "medium" if noise.doubt < 0.6 else "low"
    return f"  {'noise':8} {noise.level:.1f} levels, with a grain of {noise.grain:.1f} pixels ({confidence} confidence)"


def _row(name: str, text: str, finding: "Finding") -> str:
    return f"  {name:8} {text} ({finding.confidence} confidence)"


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


def _told(problem: "Problem") -> dict[str, Any]:
    """Return what the network would be told."""
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
    """Return the command that does the same without estimating again."""
    if problem.degradation.grain:
        return "diffuse restore"
    told = _told(problem)
    return f"diffuse restore --noise {told['noise']:.4g} --jpeg {told['jpeg']:.4g} --blur {told['blur']:.4g}"


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(estimate)
