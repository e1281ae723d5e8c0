"""Options that several commands share.

A command takes each group as one dataclass. `shared` makes the dataclass's fields parameters of the command.
"""

import copy
import functools
import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, cast, get_args, get_type_hints

import typer

from ...diffusion.settings import Backend, Device, Dtype, Solver
from ...errors import UsageError
from ...images.choices import Damaged, Depth, Policy
from ..batch.plan import OnExists

if TYPE_CHECKING:
    from ...diffusion.devices import Place
    from ...diffusion.foreign.model import AnyModel
    from ...diffusion.settings import Settings, Tile
    from ...images.encoding import Encoding
    from ...restoration.sampling_request import SamplingRequest


Engine = Literal["local", "ray"]

Grain = Annotated[
    str,
    typer.Option(
        metavar="auto|PX",
        help="Size of the grain of the noise in pixels: the std of the Gaussian that turns white noise into it. 0 is "
        "white noise, pixel by pixel. auto reads it from the picture.",
    ),
]
"""How coarse noise is."""

Fast = Annotated[bool, typer.Option("--fast", help="Same as --model photo-fast: quicker, and a little less exact.")]
"""Whether the small network computes. `fast.settle` has put its name into the model by then."""


@dataclass(frozen=True, kw_only=True)
class LogOptions:
    """Options for how much a command says."""

    title: ClassVar[str] = "Messages"

    json: Annotated[bool, typer.Option("--json", help="Print one line of JSON for each picture, and a summary.")] = (
        False
    )
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Show no progress. Errors and failures still show.")] = (
        False
    )
    verbose: Annotated[
        bool, typer.Option("-v", "--verbose", help="Also show how each picture was made, and why one was skipped.")
    ] = False


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


@dataclass(frozen=True, kw_only=True, slots=True)
class Coding:
    """Options for how results are coded."""

    title: ClassVar[str] = "Results"

    format: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="File format: png, jpeg, webp, tiff, ...", show_default="the input's, or what -o says"
        ),
    ] = None
    quality: Annotated[
        int | None,
        typer.Option(metavar="1..100", help="Quality of lossy formats.", show_default="a JPEG's own tables, else 95"),
    ] = None
    depth: Annotated[Depth, typer.Option(help="Bits per channel.")] = "keep"

    def encoding(self) -> "Encoding":
        """Return the encoding, checked.

        Raises:
            UsageError: a value is out of range.
        """
        from ...images.encoding import Encoding

        return Encoding(format=self.format, quality=self.quality, depth=self.depth)


@dataclass(frozen=True, kw_only=True, slots=True)
class MetadataOptions(Coding):
    """Options for how results are coded, and what they keep of their inputs."""

    title: ClassVar[str] = "Results"

    metadata: Annotated[
        Policy,
        typer.Option(
            help="What results keep of the input's metadata: all of it; safe drops place, serial numbers, owner, maker "
            "notes and thumbnails; strip drops all but colour."
        ),
    ] = "keep"
    keep_times: Annotated[bool, typer.Option("--keep-times", help="Give results the time stamps of their inputs.")] = (
        False
    )

    def encoding(self) -> "Encoding":
        """Return the encoding, checked.

        Raises:
            UsageError: a value is out of range.
        """
        from dataclasses import replace

        return replace(Coding.encoding(self), metadata=self.metadata, keep_times=self.keep_times)


@dataclass(frozen=True, kw_only=True, slots=True)
class Computing:
    """Options for how to compute, whatever the model."""

    title: ClassVar[str] = "Machine"

    seed: Annotated[
        int, typer.Option(metavar="N", help="Seed of what is drawn at random. Equal seeds give equal pictures.")
    ] = 0
    ensemble: Annotated[
        bool,
        typer.Option(
            "--ensemble", help="Average the results of the picture turned and mirrored in eight ways. 8 times as slow."
        ),
    ] = False
    solver: Annotated[Solver, typer.Option(help="Solver that draws samples, where --steps is above 1.")] = "dpmpp-2m"
    device: Annotated[
        Device,
        typer.Option(
            metavar="auto|cpu|cuda|mps|xpu|vulkan[:N]",
            help="Where to compute. vulkan is any GPU with a Vulkan driver, through ncnn (an extra). auto is the "
            "first GPU that torch or Vulkan reaches, else the CPU.",
        ),
    ] = "auto"
    dtype: Annotated[
        Dtype,
        typer.Option(
            help="Number type. auto is bf16 where the hardware gains by it, else fp32. fp16 is for --device vulkan."
        ),
    ] = "auto"
    compile: Annotated[
        bool, typer.Option("--compile", help="Compile the network first (torch.compile). Rarely pays on a CPU.")
    ] = False
    backend: Annotated[
        Backend,
        typer.Option(
            help="What computes the network. ncnn (an extra) is faster in fp32, so on CPUs without bf16. vulkan is "
            "ncnn on a GPU."
        ),
    ] = "torch"
    tile: Annotated[
        str,
        typer.Option(
            metavar="auto|N|off",
            help="Side in pixels of the tiles that are computed one by one. off takes the picture as one.",
        ),
    ] = "auto"
    memory: Annotated[
        str | None,
        typer.Option(
            metavar="SIZE",
            help="Memory to compute with, such as 1G. Sets the size of auto tiles.",
            show_default="tiles of 1024",
        ),
    ] = None
    threads: Annotated[int | None, typer.Option(metavar="N", min=1, help="CPU threads.", show_default="all")] = None

    def settings(self, steps: int, sample: int = 0) -> "Settings":
        """Return the settings that decide pixels.

        Args:
            steps: solver steps.
            sample: the number of the sample.

        Raises:
            UsageError: a value is out of range.
        """
        from ...diffusion.settings import Settings

        tile: Tile = whole_number("tile", self.tile) if self.tile not in ("auto", "off") else cast("Tile", self.tile)
        memory = None if self.memory is None else byte_count("memory", self.memory)
        place = self.place()
        return Settings(
            steps=steps, seed=self.seed, sample=sample, solver=self.solver, tile=tile, memory=memory,
            backend=place.backend, heap=place.heap, ensemble=self.ensemble,
        )  # fmt: skip

    def place(self) -> "Place":
        """Return where to compute.

        Raises:
            UsageError: Vulkan is asked for, and it does not reach the GPU.
        """
        from ...diffusion.devices import placed

        return placed(self.device, self.backend, dtype=self.dtype, compiled=self.compile)

    def load_model(self, model: str) -> "AnyModel":
        """Return a model, ready to compute.

        Args:
            model: its name or file.

        Raises:
            CheckpointError: the checkpoint is missing or cannot be used.
            UsageError: the device, the number type or the backend cannot be used here.
        """
        from ...diffusion.foreign.model import load_any
        from ...system.process import keep_buffers

        keep_buffers()
        return load_any(
            model,
            device=self.device,
            dtype=self.dtype,
            threads=self.threads,
            compiled=self.compile,
            backend=self.backend,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Compute(Computing):
    """Options for how to compute."""

    model: Annotated[
        str, typer.Option(metavar="NAME|FILE", help="Checkpoint or imported model (see diffuse models).")
    ] = "photo"
    fast: Fast = False

    def place(self) -> "Place":
        """Return where to compute. Imported models need torch, so that `auto` is what torch reaches.

        Raises:
            UsageError: Vulkan is asked for, and it does not reach the GPU.
            CheckpointError: the model is missing or cannot be used.
        """
        from ...diffusion.checkpoint import find, read_info
        from ...diffusion.devices import Place

        place = Computing.place(self)
        is_found = place.backend == "vulkan" and self.device == "auto" and self.backend == "torch"
        if is_found and read_info(find(self.model)).foreign is not None:
            return Place(device=self.device, backend=self.backend)
        return place

    def load(self) -> "AnyModel":
        """Return the model, ready to compute.

        Raises:
            CheckpointError: the model is missing or cannot be used.
            UsageError: the device, the number type or the backend cannot be used here.
        """
        return self.load_model(self.model)


Rounds = Annotated[
    int,
    typer.Option(
        metavar="N",
        help="Rounds in which a blur is undone exactly. Each takes as long as the first estimate; 0 is that alone.",
    ),
]
"""In how many rounds a blur is undone."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ComputeInRounds(Compute):
    """Options for how to compute where a blur may be undone."""

    rounds: Rounds = 3

    def settings(self, steps: int, sample: int = 0) -> "Settings":
        """Return the settings that decide pixels.

        Raises:
            UsageError: a value is out of range.
        """
        from dataclasses import replace

        return replace(Compute.settings(self, steps, sample), rounds=self.rounds)


@dataclass(frozen=True, kw_only=True, slots=True)
class ComputeSeveral(Computing):
    """Options for how to compute with several models."""

    model: Annotated[
        list[str] | None,
        typer.Option(
            "--model",
            metavar="NAME|FILE",
            help="Checkpoint or imported model. Repeat to compare.",
            show_default="photo",
        ),
    ] = None
    fast: Fast = False
    rounds: Rounds = 3

    def place(self) -> "Place":
        """Return where to compute. `auto` is what torch reaches, for any model.

        Raises:
            UsageError: Vulkan is asked for, and it does not reach the GPU.
        """
        from ...diffusion.devices import Place

        if self.device == "auto" and self.backend == "torch":
            return Place(device="auto", backend="torch")
        return Computing.place(self)

    def settings(self, steps: int, sample: int = 0) -> "Settings":
        """Return the settings that decide pixels.

        Raises:
            UsageError: a value is out of range.
        """
        from dataclasses import replace

        return replace(Computing.settings(self, steps, sample), rounds=self.rounds)


Text = Annotated[
    str | None,
    typer.Option(
        metavar="TEXT",
        help="What to draw, with --model DIR: the folder of a text-conditioned pipeline of diffusers.",
        rich_help_panel="Pipelines",
    ),
]
"""What a pipeline is told to draw."""
NegativeText = Annotated[
    str | None, typer.Option(metavar="TEXT", help="What not to draw.", rich_help_panel="Pipelines")
]
"""What a pipeline is told not to draw."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PromptOptions:
    """Options for models that are told what to draw."""

    title: ClassVar[str] = "Pipelines"

    prompt: Text = None
    negative_prompt: NegativeText = None
    guidance: Annotated[
        float | None,
        typer.Option(
            metavar="W",
            min=0,
            help="How far towards the prompt. 1 is as learned.",
            show_default="as the pipeline has it",
        ),
    ] = None

    def to_recipe(self) -> dict[str, Any]:
        """Return what was said as a recipe tells it."""
        told = {"prompt": self.prompt, "negative_prompt": self.negative_prompt, "guidance": self.guidance}
        return {name: value for name, value in told.items() if value is not None}


Label = Annotated[
    str | None,
    typer.Option(
        metavar="NAME", help="What to draw, with an imported model that knows labels.", rich_help_panel="Machine"
    ),
]
"""What a class-conditional model is told to draw."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SamplingOptions:
    """Options for which of the pictures that fit the input is the result, and how sure it is."""

    title: ClassVar[str] = "Samples"

    fidelity: Annotated[
        float | None,
        typer.Option(
            metavar="0..1",
            help="1 is the mean of all pictures that fit: best PSNR, but smooth. 0 is one of them, a sample: sharper, "
            "with invented detail.",
            show_default="1, but wide holes get texture; 0 with --samples or --steps above 1",
        ),
    ] = None
    steps: Annotated[
        int | None,
        typer.Option(
            metavar="N", help="Steps in which a sample is drawn. 1 is the mean.", show_default="1, or as measured"
        ),
    ] = None
    samples: Annotated[
        int | None,
        typer.Option(
            metavar="K", min=1, help="Write K samples, named {stem}.{op}.{k}{ext} with k = 0, 1, ...", show_default="1"
        ),
    ] = None
    average: Annotated[bool, typer.Option("--average", help="Write the mean of the samples instead.")] = False
    uncertainty: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|DIR/",
            help="Write how sure each pixel is: the std of the samples (8 by default) in 8-bit levels times 256, as "
            "16-bit PNG.",
        ),
    ] = None
    uncertainty_view: Annotated[
        str | None, typer.Option(metavar="FILE|DIR/", help="Write the same in colours with a legend, to look at.")
    ] = None
    trace: Annotated[
        str | None,
        typer.Option(metavar="FILE|DIR/", help="Write a sheet of the estimates at every step of the first sample."),
    ] = None

    def answers(self) -> "SamplingRequest":
        """Return the request, checked.

        Raises:
            UsageError: values are out of range or contradict each other, or a trace is asked for without a sample.
        """
        from ...restoration.sampling_request import SamplingRequest

        asked = SamplingRequest(
            fidelity=self.fidelity, steps=self.steps, samples=self.samples, average=self.average,
            uncertainty=self.uncertainty is not None or self.uncertainty_view is not None,
        )  # fmt: skip
        if self.trace is not None and not asked.are_drawn:
            raise UsageError("--trace needs a sample, and the posterior mean is not one; add --fidelity 0")
        return asked


def whole_number(name: str, text: str) -> int:
    """Return an option's text as an int.

    Args:
        name: the option, without dashes.
        text: what it was given.

    Raises:
        UsageError: the text is no whole number.
    """
    try:
        return int(text)
    except ValueError:
        raise UsageError(f"--{name} {text}: not a whole number; give one") from None


def number_or_auto(name: str, text: str) -> float | Literal["auto"]:
    """Return an option's text as a float, or "auto" as it is.

    Args:
        name: the option, without dashes.
        text: what it was given.

    Raises:
        UsageError: the text is neither.
    """
    if text == "auto":
        return "auto"
    try:
        return float(text)
    except ValueError:
        raise UsageError(f"--{name} {text}: not a number; give one, or auto") from None


def byte_count(name: str, text: str) -> int:
    """Return a number of bytes. K, M, G and T are powers of 1024.

    Args:
        name: the option, without dashes.
        text: what it was given.

    Raises:
        UsageError: the text is no such number.
    """
    found = re.fullmatch(r"(\d+(?:\.\d*)?)\s*([KMGT]?)(?:I?B)?", text.strip().upper())
    if found is None:
        raise UsageError(f"--{name} {text}: not a size; give it like 800M or 2G")
    return round(float(found[1]) * 1024.0 ** " KMGT".index(found[2] or " "))


def two_numbers(name: str, text: str) -> tuple[int, int]:
    """Return WxH as (width, height).

    Args:
        name: the option, without dashes.
        text: what it was given.

    Raises:
        UsageError: the text is something else.
    """
    parts = text.lower().split("x")
    if len(parts) != 2:
        raise UsageError(f"--{name} {text}: not a size; give it as WIDTHxHEIGHT, like 800x600")
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
    """Return the fields of a dataclass as parameters, each under the title of the class that declares it."""
    hints = get_type_hints(kind, include_extras=True)
    missing = inspect.Parameter.empty
    return [
        inspect.Parameter(
            f.name,
            inspect.Parameter.KEYWORD_ONLY,
            annotation=_titled(hints[f.name], _title(kind, f.name)),
            default=missing if f.default is f.default_factory else f.default,
        )
        for f in fields(kind)
    ]


def _title(kind: type[Any], name: str) -> str | None:
    """Return the title of the class that declares a field. None: it has none."""
    declares = next(one for one in kind.__mro__ if name in inspect.get_annotations(one))
    return getattr(declares, "title", None)


def _titled(annotation: Any, title: str | None) -> Any:  # noqa: ANN401 - a type
    """Return an option's type with the title of its group in help texts, unless it has one of its own."""
    kind, info = get_args(annotation)
    if title is None or not isinstance(info, typer.models.OptionInfo) or info.rich_help_panel is not None:
        return annotation
    info = copy.copy(info)
    info.rich_help_panel = title
    return Annotated[kind, info]
