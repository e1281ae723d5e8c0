"""`diffuse estimate`."""

import io
import json
import shlex
import time
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from ...system.streams import read_stdin
from ..batch import pipeline, refusals, shards
from ..batch.inputs import PIPE
from ..batch.job import Job
from ..batch.pipeline import End
from ..options.files import Sources
from ..options.shared import shared
from ..run.damaged import damage_words
from ..run.damaged import told as told_damage
from ..run.display import Display, one_line
from ..run.planning import Batch, find_sources
from ..run.steps import Looking
from ..run.working import Work, begin, working

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ...degradation.estimation.estimate import Estimate, Finding
    from ...degradation.estimation.screen import Screen
    from ...images.picture import Picture
    from ...restoration.noise_reading import FoundNoise, NoiseReader
    from ...restoration.preparation import Prepared
    from ...restoration.problem import Problem


_UNEVEN = 1.4
"""Noise is said to depend on brightness from this ratio of two halves on."""


@shared
def estimate(files: Sources) -> None:
    """Say what is wrong with pictures, how sure that is, and what `diffuse restore` would do. Writes no file.

    If they are found, impulses: the share of single pixels far outside their neighbours; and row noise, column noise
    and hum: the std of their offsets. White noise: its std in 8-bit levels, and whether it grows with brightness
    (variance = gain x level + offset). The correlated noise of cameras, phones and film: its level and grain, in luma
    and chroma, in bright and dark parts. JPEG: the quality in the file's tables or, in other files, the quality that
    the pixels show. Blur: the std of a Gaussian in pixels. Detail: the smallest size that holds all the detail. --json
    prints a line for each picture and a summary, as defined in json_lines.schema.json.
    """
    found = find_sources(files)
    part = shards.shard_of(files.shard) if files.shard is not None else (1, 1)
    refusals.check_inputs(found.found)
    jobs = shards.shard([Job(found=one, output=PIPE) for one in found.found], *part)
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
        from ...images.video.clip import ClipPart

        data = io.BytesIO(read_stdin()) if job.source == PIPE else None
        pages = read_pages(job.source, max_pixels=self.files.max_pixels, data=data, part=ClipPart())
        return chain([next(pages)], pages)

    def restore(self, job: Job, read: "Iterator[Picture]") -> None:
        """Print what was found out about each page, or about one frame of an animation."""
        from ...images.picture import middle_frame

        self.display.show(job.source.name)
        begin, seconds = time.monotonic(), 0.0
        for number, picture in enumerate(read, 1):
            frame, count = picture.source.frame, picture.source.pages
            if frame is None:
                self._tell(job.source, picture, number if count > 1 else None, begin)
                begin = time.monotonic()
                continue
            seconds += frame.duration / 1000
            if number == middle_frame(count):
                judged = picture
            if number == count:
                self._tell(job.source, judged, None, begin, seconds)

    def _tell(
        self, path: Path, picture: "Picture", page: int | None, begin: float, animated: float | None = None
    ) -> None:
        """Print what was found out about a page, or about an animation of so many seconds, by one of its frames."""
        from ...degradation.estimation.estimate import estimate_degradation as look
        from ...images.picture import frames_words, middle_frame
        from ...images.white_level import told as told_white
        from ...restoration.noise_reading import find_noise
        from ...restoration.preparation import prepare
        from ...tasks.restore import Restore

        prepared = prepare(picture)
        found = look(prepared.seen, prepared.screens)
        noise = find_noise(prepared.seen, self.read_noise, found.noise.value or 0.0)
        problem = Restore().problem_of(prepared, found, noise)
        height, width = picture.pixels.shape[:2]
        count = picture.source.pages
        if self.files.json:
            damaged: dict[str, Any] = {} if not (damage := damage_words(picture)) else {"damage": damage}
            if animated is not None:
                animation = {"frames": count, "seconds": round(animated, 3), "frame": middle_frame(count)}
                damaged["animation"] = animation
            whole = {**found.to_json(), "photo_noise": asdict(noise), **_prepared_json(prepared)}
            told: dict[str, Any] = {
                "type": "estimate", "status": "done", "input": str(path), **({} if page is None else {"page": page}),
                **damaged, "size": [width, height], "seconds": round(time.monotonic() - begin, 3), "estimate": whole,
                "restore": {"changes": _changes(problem), **_told(problem), "command": _command(problem)},
            }  # fmt: skip
            typer.echo(json.dumps(told))
            return
        name = str(path) if page is None else f"{path}, page {page}"
        frames = (
            "" if animated is None else f"{frames_words(count, animated)}, estimated of frame {middle_frame(count)}"
        )
        facts = [f"{width}x{height}", frames, told_white(picture), told_damage(picture)]
        head = f"{one_line(name)}: {', '.join(fact for fact in facts if fact)}"
        notes = (f"  {'note':8} {note}" for note in picture.source.notes)
        for line in (head, *notes, *_block(prepared, found, noise, problem, path)):
            typer.echo(line)


def _block(
    prepared: "Prepared", found: "Estimate", noise: "FoundNoise", problem: "Problem", path: Path
) -> "Iterator[str]":  # fmt: skip
    height, width = prepared.picture.pixels.shape[:2]
    yield from _prepared_rows(prepared)
    yield _noise_row(found, noise)
    yield _row("JPEG", found.jpeg_words(), found.jpeg)
    yield _row("blur", _blur_words(found), found.blur)
    share = found.resolution.value or 1.0
    larger = f", as if enlarged by {found.enlarged.value:.2f}" if found.enlarged.value else ""
    size = (
        f"fits into {round(width * share)}x{round(height * share)}{larger}"
        if share < 1
        else "as fine as the size allows"
    )
    yield _row("detail", size, found.resolution)
    yield from (_screen_row(screen) for screen in found.screens)
    yield f"  restore  {_would(problem, path)}"


def _prepared_rows(prepared: "Prepared") -> "Iterator[str]":
    from ...restoration.preparation import percent

    impulses = prepared.impulses
    if impulses.share > 0:
        many = "perhaps " if impulses.evidence == "low" else ""
        yield f"  impulses {many}{percent(impulses.share)} of the pixels ({impulses.evidence} confidence)"
    for one in prepared.rows:
        period = "" if one.period is None else f", every {one.period:.1f} pixels"
        yield f"  {one.name:8} {one.level:.1f} levels{period} (high confidence)"


def _prepared_json(prepared: "Prepared") -> dict[str, Any]:
    impulses = prepared.impulses
    rows = [{"kind": one.name.replace(" ", "_"), "level": one.level, "period": one.period} for one in prepared.rows]
    return {"impulses": {"share": impulses.share, "confidence": impulses.evidence}, "row_noise": rows}


def _noise_row(found: "Estimate", noise: "FoundNoise") -> str:
    if noise.grain is None and noise.suspected:
        return f"  {'noise':8} perhaps {noise.suspected:.1f} levels (low confidence)"
    if noise.grain is None:
        return _row("noise", _noise(found) if noise.level else "none found", found.noise)
    confidence = "high" if noise.doubt < 0.25 else "medium" if noise.doubt < 0.6 else "low"
    words = f"{noise.level:.1f} levels, with a grain of {noise.grain:.1f} pixels{_parts(noise)}"
    return f"  {'noise':8} {words} ({confidence} confidence)"


def _parts(noise: "FoundNoise") -> str:
    """Return the noise of luma and chroma, and where it is much stronger, in words."""
    if noise.luma is None or noise.chroma is None or noise.bright_over_dark is None:
        return ""
    words = f"; luma {noise.luma:.1f}, chroma {noise.chroma:.1f}"
    ratio = noise.bright_over_dark
    if max(ratio, 1 / ratio) >= _UNEVEN:
        words += f"; {max(ratio, 1 / ratio):.1f} times as strong in the {'bright' if ratio > 1 else 'dark'} parts"
    return words


def _screen_row(screen: "Screen") -> str:
    words = f"halftone dots, period {screen.period:.1f} pixels, {abs(screen.angle):.0f} degrees"
    return f"  {'screen':8} {words} ({screen.confidence} confidence)"


def _row(name: str, text: str, finding: "Finding") -> str:
    return f"  {name:8} {text} ({finding.confidence} confidence)"


def _blur_words(found: "Estimate") -> str:
    if found.kernel is not None and found.kernel.is_sure:
        return found.kernel.words()
    if found.blur.value:
        return f"a Gaussian of {found.blur.value:.2f} pixels"
    return "none that can be undone" if found.kernel is not None and found.kernel.is_unlike_any else "none"


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


def _changes(problem: "Problem") -> bool:
    """Return whether the result differs from the file's picture."""
    return problem.picture is not None or not problem.leaves_alone


def _would(problem: "Problem", path: Path) -> str:
    """Return what `restore` would do, and the command."""
    command = shlex.join(["diffuse", "restore", str(path)])
    if not _changes(problem):
        return "would leave it as it is"
    if "screen" in problem.findings.facts:
        return f"would remove the screen: {command}"
    told, facts = _told(problem), problem.findings.facts
    words = [
        *(["the impulses"] if problem.has_hole else []),
        *(["the offsets of rows or columns"] if problem.picture is not None else []),
        *([f"noise of {told['noise']:.1f} levels"] if told["noise"] else []),
        *([f"the traces of JPEG quality {told['jpeg']:.0f}"] if told["jpeg"] < 100 else []),
        *([f"a blur of {told['blur']:.2f} pixels"] if told["blur"] else []),
        *(["the motion"] if "motion" in facts else ["the defocus"] if "defocus" in facts else []),
    ]
    return f"would remove {', '.join(words)}: {command}"


def _command(problem: "Problem") -> str:
    """Return the command that does the same without estimating again."""
    if problem.degradation.doubt or problem.has_hole or problem.picture is not None:  # no option says it
        return "diffuse restore"
    told, facts = _told(problem), problem.findings.facts
    if kernel := next((f"--{name} {facts[name]}" for name in ("motion", "defocus") if name in facts), None):
        return f"diffuse deblur {kernel} --noise {told['noise']:.4g}"
    return f"diffuse restore --noise {told['noise']:.4g} --jpeg {told['jpeg']:.4g} --blur {told['blur']:.4g}"


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(estimate)
