"""Accelerators of torch on which the network was not tried: whether they compute it right, in which type and layout.

A small window goes through the whole denoiser there and on the CPU. A type or layout for which an operation is missing,
or whose result differs by more than a quarter of a level, is not used.
"""

import copy
import functools
import math
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import torch

from .. import checkpoint
from ..denoiser import Denoiser, Observation, nothing_known
from ..settings import Dtype
from .vulkan import MOST_APART

if TYPE_CHECKING:
    from ..network import UNet

DTYPES: Final[dict[Dtype, torch.dtype]] = {"fp32": torch.float32, "bf16": torch.bfloat16}
LAYOUTS: Final = (torch.channels_last, torch.contiguous_format)
_SIDE: Final = 128
_SIGMA_Y: Final = 0.2
"""Noise of the probed window, [-1, 1] units."""
_GAIN: Final = 0.8
"""bf16 is taken if it needs at most this share of fp32's time."""
_LEVEL: Final = 127.5


@dataclass(frozen=True, kw_only=True, slots=True)
class Way:
    """A way to compute that was tried.

    Attributes:
        layout: how pictures lie in memory.
        seconds: that the window took.
        apart: largest difference from the CPU's result, in 8-bit levels.
    """

    layout: torch.memory_format
    seconds: float
    apart: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Probed:
    """What was found out about an accelerator.

    Attributes:
        by_dtype: the quickest way of each type that is exact enough.
        trouble: why a type is not among them; "" = nothing went wrong.
    """

    by_dtype: dict[Dtype, Way]
    trouble: str

    @property
    def best(self) -> Dtype:
        """The type that `auto` means."""
        full, half = self.by_dtype.get("fp32"), self.by_dtype.get("bf16")
        if half is None:
            return "fp32"
        return "bf16" if full is None or half.seconds <= _GAIN * full.seconds else "fp32"


@functools.cache
def probe(device: torch.device) -> Probed:
    """Try the released weights on an accelerator, in each type and layout."""
    exact = checkpoint.load(checkpoint.find())
    noisy = 0.5 * torch.randn(1, 3, _SIDE, _SIDE, generator=torch.Generator().manual_seed(0)).clamp(-1, 1)
    seen = replace(
        nothing_known(1, exact.config, noisy.device), y=noisy, sigma_y=torch.full((1, 1, _SIDE, _SIDE), _SIGMA_Y)
    )
    wanted = _computed(exact, seen)
    found: dict[Dtype, Way] = {}
    trouble = ""
    for name, dtype in DTYPES.items():
        for layout in LAYOUTS:
            try:
                way = _tried(copy.deepcopy(exact).half_(dtype), device, layout, seen, wanted)
            except (RuntimeError, TypeError) as error:  # NotImplementedError is a RuntimeError
                trouble = next(iter(str(error).splitlines()), type(error).__name__)[:200]
                continue
            if not way.apart <= MOST_APART:
                trouble = f"{name} is off by {way.apart:.2g} levels"
            elif name not in found or way.seconds < found[name].seconds:
                found[name] = way
    return Probed(by_dtype=found, trouble=trouble)


def _tried(
    network: "UNet", device: torch.device, layout: torch.memory_format, seen: Observation, wanted: torch.Tensor
) -> Way:
    """Compute a window twice, and time the second call."""
    there = network.to(device).laid_out_(layout)
    _computed(there, seen)
    begin = time.perf_counter()
    found = _computed(there, seen)
    seconds = time.perf_counter() - begin
    return Way(layout=layout, seconds=seconds, apart=float((found - wanted).abs().max()) * _LEVEL)


def _computed(network: "UNet", seen: Observation) -> torch.Tensor:
    """Return a posterior mean and a step of a sampler, in host memory, one above the other."""
    denoise = Denoiser(network, seen)
    assert seen.y is not None
    return torch.cat([denoise(seen.y, torch.tensor(sigma)) for sigma in (math.inf, 0.5)])
