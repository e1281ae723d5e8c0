"""Options that several commands share, written once.

A command takes them as one dataclass; `shared` lays its fields out as the command's own parameters.
"""

import functools
import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast, get_type_hints

import typer

from ...diffusion.settings import Device, Dtype, Engine, Solver
from ...errors import UsageError
from ...images.choices import Depth, Policy
from ..batch.plan import OnExists

if TYPE_CHECKING:
    from ...diffusion.model import Model
    from ...diffusion.settings import Settings, Tile
    from ...images.encoding import Encoding
    from ...restoration.sampling_request import SamplingRequest


@dataclass(frozen=True, kw_only=True)
class LogOptions:
    """How much a command says."""

    json: Annotated[
        bool, typer.Option("--json", help="On stdout, one line of JSON for each picture, and a summary.")
    ] = False
    quiet: Annotated[
        bool, typer.Option("-q", "--quiet", help="No progress; errors and the list of failures still show.")
    ] = False
    verbose: Annotated[
        bool, typer.Option("-v", "--verbose", help="Also how each picture was made, and why one was skipped.")
    ] = False


@dataclass(frozen=True, kw_only=True)
class Output(LogOptions):
    """Where results go."""

    output: Annotated[
        str | None,
        typer.Option(
            "-o",
            "--output",
            metavar="FILE|DIR/|-",
            help="A file; a folder in which names are kept; a name with {dir} {stem} {ext} {op} {seed} {k}; stdout.",
        ),
    ] = None
    on_exists: Annotated[
        OnExists, typer.Option(metavar="HOW", help="Where an output exists: fail, skip, overwrite or rename.")
    ] = "fail"
    force: Annotated[bool, typer.Option("-f", "--force", help="--on-exists overwrite (never an input).")] = False
    resume: Annotated[
        bool, typer.Option("--resume", help="Skip what the same recipe has made from the same input.")
    ] = False
    journal: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Where to write down what is done.", show_default="in the user's state"),
    ] = None
    provenance: Annotated[
        bool, typer.Option("--provenance/--no-provenance", help="Results tell in their metadata how they were made.")
    ] = True
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would be done, and do nothing.")] = False
    report: Annotated[
        Path | None,
        typer.Option(metavar="FILE.html", help="Write a page on all pictures: before and after, recipes, failures."),
    ] = None
    report_size: Annotated[int, typer.Option(metavar="MB", min=1, help="The most that the page may be large.")] = 60

    @property
    def exists(self) -> OnExists:
        """What happens where an output exists.

        Raises: UsageError: two options say different things.
        """
        if self.force and self.on_exists not in ("fail", "overwrite"):
            raise UsageError(f"-f replaces outputs, --on-exists {self.on_exists} does not; give one of them")
        return "overwrite" if self.force else self.on_exists


@dataclass(frozen=True, kw_only=True)
class Sources(LogOptions):
    """Which pictures."""

    inputs: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="INPUTS...", help="Pictures, folders, globs; - reads one picture from stdin.", show_default=False
        ),
    ] = None
    recursive: Annotated[
        bool, typer.Option("-r", "--recursive", help="All pictures below the folders, keeping the tree.")
    ] = False
    files_from: Annotated[
        str | None, typer.Option(metavar="LIST|-", help="A file, or stdin, with one input's name a line.")
    ] = None
    null: Annotated[bool, typer.Option("-0", "--null", help="The list's names end with NUL, not with newlines.")] = (
        False
    )
    shard: Annotated[str | None, typer.Option(metavar="I/N", help="Do the I-th of N parts of the batch, I from 1.")] = (
        None
    )
    max_pixels: Annotated[
        int, typer.Option(metavar="N", min=1, help="Refuse larger pictures, before they fill the memory.")
    ] = 500_000_000


@dataclass(frozen=True, kw_only=True)
class Files(Sources, Output):
    """Which pictures, and where results go."""

    compare: Annotated[
        str | None,
        typer.Option(
            metavar="FILE.png|DIR/",
            help="Write input and result side by side, with a detail at 1:1; for several pictures, a folder.",
        ),
    ] = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Coding:
    """How results are coded."""

    format: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="png, jpeg, webp, tiff, ...", show_default="as the input, or as -o says"),
    ] = None
    quality: Annotated[
        int | None,
        typer.Option(metavar="1..100", help="Of lossy formats.", show_default="a JPEG's own tables, else 95"),
    ] = None
    depth: Annotated[Depth, typer.Option(help="Bits per channel.")] = "keep"

    def encoding(self) -> "Encoding":
        """The same, checked.

        Raises: UsageError: a value out of range.
        """
        from ...images.encoding import Encoding

        return Encoding(format=self.format, quality=self.quality, depth=self.depth)


@dataclass(frozen=True, kw_only=True, slots=True)
class MetadataOptions(Coding):
    """How results are coded, and what of their inputs they keep."""

    metadata: Annotated[
        Policy,
        typer.Option(help="safe drops place, serial numbers, owner, maker notes, thumbnails; strip all but colour."),
    ] = "keep"
    keep_times: Annotated[bool, typer.Option("--keep-times", help="Results get their inputs' time stamps.")] = False

    def encoding(self) -> "Encoding":
        """The same, checked.

        Raises: UsageError: a value out of range.
        """
        from dataclasses import replace

        return replace(Coding.encoding(self), metadata=self.metadata, keep_times=self.keep_times)


@dataclass(frozen=True, kw_only=True, slots=True)
class Compute:
    """How to compute."""

    seed: Annotated[int, typer.Option(metavar="N", help="Which noise; equal seeds give equal pictures.")] = 0
    solver: Annotated[Solver, typer.Option(help="Solver of the sampler, with more than one step.")] = "dpmpp-2m"
    model: Annotated[str, typer.Option(metavar="NAME|FILE", help="The checkpoint (see diffuse models).")] = "photo"
    device: Annotated[Device, typer.Option(help="Where to compute.")] = "auto"
    dtype: Annotated[Dtype, typer.Option(help="auto = bf16 where the hardware gains by it, else fp32.")] = "auto"
    compile: Annotated[
        bool, typer.Option("--compile", help="Compile the network first (torch.compile); on a CPU it hardly ever pays.")
    ] = False
    engine: Annotated[
        Engine,
        typer.Option(help="What computes the network; ncnn (an extra) is faster in fp32, so on CPUs without bf16."),
    ] = "torch"
    tile: Annotated[str, typer.Option(metavar="auto|N|off", help="Side of a tile in pixels; off = in one piece.")] = (
        "auto"
    )
    memory: Annotated[
        str | None,
        typer.Option(metavar="SIZE", help="To compute with, like 1G: sets --tile auto.", show_default="tiles of 1024"),
    ] = None
    threads: Annotated[int | None, typer.Option(metavar="N", min=1, help="CPU threads.", show_default="all")] = None

    def settings(self, steps: int, sample: int = 0) -> "Settings":
        """The part that decides pixels.

        Raises: UsageError: a value out of range.
        """
        from ...diffusion.settings import Settings

        tile: Tile = whole_number("tile", self.tile) if self.tile not in ("auto", "off") else cast("Tile", self.tile)
        memory = None if self.memory is None else byte_count("memory", self.memory)
        return Settings(
            steps=steps, seed=self.seed, sample=sample, solver=self.solver, tile=tile, memory=memory,
            engine=self.engine,
        )  # fmt: skip

    def load(self) -> "Model":
        """The checkpoint, ready to compute.

        Raises: CheckpointError, UsageError: as `device.prepare`.
        """
        from ...diffusion.model import prepare
        from ...system.process import keep_buffers

        keep_buffers()
        return prepare(
            self.model,
            device=self.device,
            dtype=self.dtype,
            threads=self.threads,
            compiled=self.compile,
            engine=self.engine,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class SamplingOptions:
    """Which of the pictures that fit the input is the answer, and how sure it is."""

    fidelity: Annotated[
        float | None,
        typer.Option(
            metavar="0..1",
            help="1 = the posterior mean: the best PSNR, smooth; 0 = a posterior sample: one picture that could be.",
            show_default="1, but wide holes have texture; 0 with --samples or --steps N > 1",
        ),
    ] = None
    steps: Annotated[
        int | None,
        typer.Option(
            metavar="N", help="Solver steps of a sample; 1 = the posterior mean.", show_default="1, or as measured"
        ),
    ] = None
    samples: Annotated[
        int | None,
        typer.Option(metavar="K", min=1, help="Write K samples: {stem}.{op}.{k}{ext}, k = 0 ...", show_default="1"),
    ] = None
    average: Annotated[bool, typer.Option("--average", help="Write the samples' mean instead.")] = False
    uncertainty: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Write how much the samples (by default 8) differ: each pixel's std in 8-bit levels, times 256, as "
            "16-bit PNG; like the next two a file, a folder, or a name with {stem}, as for -o.",
        ),
    ] = None
    uncertainty_view: Annotated[
        str | None, typer.Option(metavar="FILE", help="The same in colours, with a legend.")
    ] = None
    trace: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="A sheet of the estimates at every step of the (first) sample."),
    ] = None

    def answers(self) -> "SamplingRequest":
        """The same, checked.

        Raises: UsageError: as `Answers`; a trace without a sample.
        """
        from ...restoration.sampling_request import SamplingRequest

        asked = SamplingRequest(
            fidelity=self.fidelity, steps=self.steps, samples=self.samples, average=self.average,
            uncertainty=self.uncertainty is not None or self.uncertainty_view is not None,
        )  # fmt: skip
        if self.trace is not None and not asked.are_drawn:
            raise UsageError("--trace shows the steps of a sample, and the posterior mean has one: add --fidelity 0")
        return asked


def whole_number(name: str, text: str) -> int:
    """An option's text as an int.

    Raises: UsageError: it is none.
    """
    try:
        return int(text)
    except ValueError:
        raise UsageError(f"--{name} {text}: not a whole number") from None


def number_or_auto(name: str, text: str) -> float | Literal["auto"]:
    """An option's text as a float, or "auto" as it is.

    Raises: UsageError: it is neither.
    """
    if text == "auto":
        return "auto"
    try:
        return float(text)
    except ValueError:
        raise UsageError(f"--{name} {text}: give a number, or auto") from None


def byte_count(name: str, text: str) -> int:
    """Bytes as a number with K, M, G or T, which are powers of 1024.

    Raises: UsageError: it is no such thing.
    """
    found = re.fullmatch(r"(\d+(?:\.\d*)?)\s*([KMGT]?)(?:I?B)?", text.strip().upper())
    if found is None:
        raise UsageError(f"--{name} {text}: give it like 800M or 2G")
    return round(float(found[1]) * 1024.0 ** " KMGT".index(found[2] or " "))


def two_numbers(name: str, text: str) -> tuple[int, int]:
    """WxH as (width, height).

    Raises: UsageError: it is no such thing.
    """
    parts = text.lower().split("x")
    if len(parts) != 2:
        raise UsageError(f"--{name} {text}: give it as WIDTHxHEIGHT, like 800x600")
    return whole_number(name, parts[0]), whole_number(name, parts[1])


def shared(command: Callable[..., None]) -> Callable[..., None]:
    """Replace every parameter whose type is a dataclass by the dataclass's fields, as parameters of the command."""
    hints = get_type_hints(command, include_extras=True)
    groups: dict[str, Any] = {name: kind for name, kind in hints.items() if is_dataclass(kind)}
    own = [p.replace(annotation=hints[p.name]) for p in inspect.signature(command).parameters.values()]
    parameters = [q for p in own for q in (_parameters(groups[p.name]) if p.name in groups else [p])]

    @functools.wraps(command)
    def run(**values: Any) -> None:  # noqa: ANN401 - the parser's values, as declared by the fields
        for name, kind in groups.items():
            values[name] = kind(**{f.name: values.pop(f.name) for f in fields(kind)})
        command(**values)

    run.__signature__ = inspect.Signature([p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in parameters])  # type: ignore[attr-defined]
    del run.__wrapped__  # or the parser would look through to the original
    run.__annotations__ = {p.name: p.annotation for p in parameters}
    return run


def _parameters(kind: type[Any]) -> list[inspect.Parameter]:
    hints = get_type_hints(kind, include_extras=True)
    missing = inspect.Parameter.empty
    return [
        inspect.Parameter(
            f.name,
            inspect.Parameter.KEYWORD_ONLY,
            annotation=hints[f.name],
            default=missing if f.default is f.default_factory else f.default,
        )
        for f in fields(kind)
    ]
