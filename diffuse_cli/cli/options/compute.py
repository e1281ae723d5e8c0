"""What computes the network, and how."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar, cast

import typer

from ...diffusion.settings import Backend, Device, Dtype, Solver
from .numbers import byte_count, whole_number

if TYPE_CHECKING:
    from ...diffusion.devices import Place
    from ...diffusion.foreign.model import AnyModel
    from ...diffusion.settings import Settings, Tile


Fast = Annotated[bool, typer.Option("--fast", help="Same as --model photo-fast: quicker, and a little less exact.")]
"""Whether the small network computes. `fast.settle` has put its name into the model by then."""


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
