"""Which pictures a command reads, and where its results go."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import typer

from ...errors import UsageError
from ...images.choices import Damaged
from ..batch.plan import OnExists
from .log import LogOptions

Engine = Literal["local", "ray"]


@dataclass(frozen=True, kw_only=True)
class Output(LogOptions):
    """Options for where results go."""

    title: ClassVar[str] = "Results"

    output: Annotated[
        str | None,
        typer.Option(
            "-o",
            "--output",
            metavar="FILE|DIR/|-",
            help="Where results go: a file; a folder, where they keep their names; a template with {dir} {stem} {ext} "
            "{op} {seed} {k}; or - for stdout.",
            show_default="{stem}.{op}{ext} beside the input",
        ),
    ] = None
    on_exists: Annotated[
        OnExists, typer.Option(metavar="HOW", help="What to do if an output exists: fail, skip, overwrite or rename.")
    ] = "fail"
    force: Annotated[bool, typer.Option("-f", "--force", help="Overwrite outputs that exist, but never an input.")] = (
        False
    )
    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="Go on after a stop: skip results that the same recipe has made from the same input.",
            rich_help_panel="Batches",
        ),
    ] = False
    journal: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="File that lists finished results, for --resume.",
            show_default="in the user's state folder",
            rich_help_panel="Batches",
        ),
    ] = None
    provenance: Annotated[
        bool, typer.Option("--provenance/--no-provenance", help="Write into the results' metadata how they were made.")
    ] = True
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what would be done, and do nothing.", rich_help_panel="Batches")
    ] = False
    report: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.html",
            help="Write a page about all pictures: before and after, what was done, failures.",
            rich_help_panel="Batches",
        ),
    ] = None
    report_size: Annotated[
        int, typer.Option(metavar="MB", min=1, help="Largest size of the report.", rich_help_panel="Batches")
    ] = 60

    @property
    def exists(self) -> OnExists:
        """What happens if an output exists.

        Raises:
            UsageError: two options say different things.
        """
        if self.force and self.on_exists not in ("fail", "overwrite"):
            raise UsageError(f"-f and --on-exists {self.on_exists} contradict each other; give one of them")
        return "overwrite" if self.force else self.on_exists


@dataclass(frozen=True, kw_only=True)
class Sources(LogOptions):
    """Options for which pictures are read."""

    title: ClassVar[str] = "Batches"

    inputs: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="INPUTS...",
            help="Pictures, folders, globs, or URLs. - reads one picture from stdin.",
            show_default=False,
        ),
    ] = None
    recursive: Annotated[
        bool, typer.Option("-r", "--recursive", help="Take all pictures below the folders, and keep the tree.")
    ] = False
    files_from: Annotated[
        str | None,
        typer.Option(metavar="LIST|-", help="Read the names of the inputs from a file or stdin, one a line."),
    ] = None
    null: Annotated[
        bool, typer.Option("-0", "--null", help="Names in --files-from end with NUL, not with newlines.")
    ] = False
    shard: Annotated[str | None, typer.Option(metavar="I/N", help="Do only part I of N of the batch, such as 1/2.")] = (
        None
    )
    max_pixels: Annotated[
        int, typer.Option(metavar="N", min=1, help="Refuse pictures of more pixels, before they fill the memory.")
    ] = 500_000_000


@dataclass(frozen=True, kw_only=True)
class Machines(LogOptions):
    """Options for which machines carry out a batch."""

    title: ClassVar[str] = "Batches"

    engine: Annotated[
        Engine,
        typer.Option(help="What carries out the batch: local is this machine, ray a Ray cluster (an extra)."),
    ] = "local"
    address: Annotated[
        str | None,
        typer.Option(
            metavar="auto|HOST:PORT",
            help="Ray's cluster. auto is the one that this machine belongs to.",
            show_default="this machine alone",
        ),
    ] = None
    workers: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="Ray's workers, each with a model.", show_default="as many as fit"),
    ] = None
    worker_cpus: Annotated[float, typer.Option(metavar="C", min=0.01, help="CPUs of each worker.")] = 1.0
    worker_gpus: Annotated[
        float, typer.Option(metavar="G", min=0, help="GPUs of each worker. With 0.5, two share one.")
    ] = 0.0


@dataclass(frozen=True, kw_only=True)
class Files(Machines, Sources, Output):
    """Options for which pictures are read, and where results go."""

    title: ClassVar[str] = "Results"

    damaged: Annotated[
        Damaged,
        typer.Option(
            help="What to do with damaged JPEGs and animations: keep what can be read, refuse them, or also inpaint "
            "what is missing of JPEGs.",
            rich_help_panel="Batches",
        ),
    ] = "keep"
    try_: Annotated[
        str | None,
        typer.Option(
            "--try",
            metavar="V,V,...|NAME=V,V,...",
            help="Try values of the command's main option, or of the one that is named, such as 5,10,20 or seed=1,2,3. "
            "Writes one sheet of results to choose from, and prints the command of each.",
        ),
    ] = None
    compare: Annotated[
        str | None,
        typer.Option(
            metavar="FILE.png|DIR/",
            help="Write input and result side by side, with a detail at 1:1. Several pictures need a folder.",
        ),
    ] = None
