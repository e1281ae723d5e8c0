"""`diffuse info`."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from ...system.urls import path_of
from ..batch import pipeline
from ..batch.inputs import PIPE, Found
from ..batch.job import Job
from ..options.log import LogOptions
from ..run.display import Display, one_line
from ..run.planning import Batch
from ..run.steps import Looking
from ..run.working import Work, working


def info(
    files: Annotated[list[Path], typer.Argument(metavar="FILES...", help="Pictures.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print one line of JSON for each picture.")] = False,
) -> None:
    """Show how a result was made, and what else its file says.

    This is the format, the origin, content credentials, and how diffuse made the picture. Content credentials (C2PA)
    are found, but their signatures are not checked. Of DICOM it shows modality, range, window and spacing, and nothing
    about the patient.
    """
    jobs = [Job(found=Found(path=path, below=path, root=path.parent), output=PIPE) for path in map(path_of, files)]
    batch = Batch(op="info", jobs=jobs)
    with (
        Display(quiet=True, total=len(jobs)) as display,
        working(Work(batch, LogOptions(quiet=True), display)) as work,
    ):
        pipeline.run(jobs, _Reader(as_json=as_json), work.end, work.is_stopped)


@dataclass(frozen=True, kw_only=True)
class _Reader(Looking[dict[str, Any]]):
    """How each file is read."""

    as_json: bool

    def read(self, job: Job) -> dict[str, Any]:
        """Return what the file says."""
        from ...provenance.about import about

        return about(job.source)

    def restore(self, job: Job, read: dict[str, Any]) -> None:
        """Print it."""
        from ...images.source_type import meaning
        from ...provenance.about import lines

        if self.as_json:
            typer.echo(json.dumps({"type": "info", "input": str(job.source), **read}))
            return
        typer.echo(one_line(str(job.source)))
        for line in lines(read, meaning):
            typer.echo(f"  {one_line(line)}")


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(info)
