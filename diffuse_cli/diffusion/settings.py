"""How to compute: what decides the pixels beside the picture and the weights. Does not import torch."""

import math
from dataclasses import dataclass
from typing import Literal

from ..errors import UsageError

Device = str
"""auto, cpu, cuda, mps, xpu, or vulkan[:N]."""
Dtype = Literal["auto", "fp32", "bf16", "fp16"]
Backend = Literal["torch", "ncnn", "vulkan"]
Solver = Literal["dpmpp-2m", "heun", "euler"]
Tile = int | Literal["auto", "off"]
MIN_TILE = 64
AUTO_TILE = 1024
"""Side of a tile without its margins under `auto`. It does not depend on the memory that happens to be free."""
NCNN_TILE = 512
"""The same with ncnn, whose transforms take several times the memory, and more time per pixel if they are large."""
MAX_AUTO_TILE = 2048
"""The largest side under `auto`; larger tiles are not faster."""
GPU_TILES = (1024, 512, 256, 128, 64)
"""Sides of a tile on a GPU that Vulkan reaches: the largest that its memory allows. They are few, so that what the
driver offers at the moment hardly decides."""
LEAST_MEMORY = 768 << 20
_PROGRAM_BYTES = 448 << 20
"""Memory that the program takes by itself and for reading and writing."""
_BYTES_PER_PIXEL: dict[Backend, int] = {"torch": 1300, "ncnn": 3600, "vulkan": 1500}
"""Memory that each pixel of a tile with margins takes, in fp32; through Vulkan, the GPU's."""
_MARGINS, _STEP = 160, 64
GENERATE_STEPS = 24
"""Solver steps of `generate`, if nothing is said."""
LABEL_GUIDANCE = 1.5
"""Guidance of labelled pictures; docs/training.md shows what it does to recognition and variety."""
_GENERATE_SIDE = 64
ROUNDS, MOST_ROUNDS = 3, 100
"""Rounds of a data step and a denoiser call, if nothing is said, and the most."""
SAMPLE_STEPS = 6
"""Solver steps of a sample, if nothing is said. With fewer the samples differ too little (docs/samples.md)."""


def natural_size(crop: int) -> tuple[int, int]:
    """Return (height, width) of a generated picture, if nothing is said: the training crops' or 64, the smaller."""
    return min(crop, _GENERATE_SIDE), min(crop, _GENERATE_SIDE)


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """How to compute.

    Attributes:
        steps: 1 = the posterior mean, one denoiser call; more = a posterior sample in that many solver steps.
        textured: give a mean, too, texture in holes wider than the network's reach; samples always have it.
        rounds: of a data step and a denoiser call after a mean, where a blur is undone exactly.
        ensemble: average the network over the eight symmetries of the square.
        fidelity: how far a sample moves towards the mean: 0 = not at all, 1 = all the way.
        seed: of the noise.
        sample: number of the sample among those of the seed.
        solver: of the probability-flow ODE.
        tile: side of a tile in pixels; "auto" depends on `memory` alone; "off" = in one piece.
        memory: bytes that the program may take while it computes, as far as tiles decide it. None: as usual.
        backend: what computes the network; it decides how large an "auto" tile is.
        heap: MiB of memory that a GPU offers through Vulkan; likewise. None: it is not used.

    Raises:
        UsageError: a value is out of range, or two do not go together.
    """

    steps: int = 1
    textured: bool = False
    rounds: int = ROUNDS
    ensemble: bool = False
    fidelity: float = 0.0
    seed: int = 0
    sample: int = 0
    solver: Solver = "dpmpp-2m"
    tile: Tile = "auto"
    memory: int | None = None
    backend: Backend = "torch"
    heap: int | None = None

    def __post_init__(self) -> None:
        """Check the values, and that they go together."""
        if not 0 <= self.fidelity <= 1:
            raise UsageError(f"--fidelity must lie in 0 .. 1, not {self.fidelity}")
        if self.steps < 1:
            raise UsageError(f"--steps must be at least 1, not {self.steps}")
        if not 0 <= self.rounds <= MOST_ROUNDS:
            raise UsageError(f"--rounds must lie in 0 .. {MOST_ROUNDS}, not {self.rounds}")
        if not 0 <= self.seed < 2**64:
            raise UsageError(f"--seed must lie in 0 .. 2^64 - 1, not {self.seed}")
        if not 0 <= self.sample < 2**32:
            raise UsageError(f"sample must lie in 0 .. 2^32 - 1, not {self.sample}")
        if self.memory is not None and self.memory < LEAST_MEMORY:
            raise UsageError(f"--memory must be at least {LEAST_MEMORY >> 20}M, which the program takes by itself")
        if self.memory is not None and self.tile != "auto":
            raise UsageError("--memory is for --tile auto; give one of --memory and --tile")
        if isinstance(self.tile, int) and self.tile < MIN_TILE:
            raise UsageError(f"--tile must be at least {MIN_TILE} pixels, not {self.tile}")

    @property
    def has_texture(self) -> bool:
        """Whether wide holes get the texture of what is around them."""
        return self.textured or self.steps > 1


def tile_side(settings: Settings) -> int | None:
    """Return the side of a tile without its margins. None: the picture in one piece."""
    if settings.tile == "off":
        return None
    if settings.tile != "auto":
        return settings.tile
    if settings.memory is not None:
        return side_within(settings.memory, _BYTES_PER_PIXEL[settings.backend], _MARGINS)
    if settings.heap is not None:
        return _side_on_gpu(settings.heap)
    return AUTO_TILE if settings.backend == "torch" else NCNN_TILE


def _side_on_gpu(heap: int) -> int:
    """Return the side of a tile whose network takes at most half of a GPU's memory, in MiB."""
    most = (heap << 20) // 2
    fitting = (side for side in GPU_TILES if (side + _MARGINS) ** 2 * _BYTES_PER_PIXEL["vulkan"] <= most)
    return next(fitting, MIN_TILE)


def side_within(memory: int, bytes_per_pixel: int, margins: int) -> int:
    """Return the side of a tile without its margins that fits into so much memory.

    Args:
        memory: bytes that the program may take.
        bytes_per_pixel: that each pixel of a tile with margins takes.
        margins: of both sides of a tile, in pixels.
    """
    window = math.isqrt(max(memory - _PROGRAM_BYTES, 0) // bytes_per_pixel)
    return min(max((window - margins) // _STEP * _STEP, MIN_TILE), MAX_AUTO_TILE)


def label_guidance(guidance: float | None, label: str | None) -> float:
    """Return the guidance that is meant.

    Args:
        guidance: what was said. None: nothing.
        label: the label. None: there is none.

    Raises:
        UsageError: the guidance is negative or not finite, or there is no label to guide towards.
    """
    if guidance is None:
        return 1.0 if label is None else LABEL_GUIDANCE
    if label is None:
        raise UsageError("--guidance is how far towards a label: give --label, too")
    if not 0 <= guidance < math.inf:
        raise UsageError(f"--guidance must be 0 or more, not {guidance}")
    return guidance
