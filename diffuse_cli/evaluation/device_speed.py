"""The devices of this machine: their names, memory, what was probed, and how fast the network is on each."""

import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Final

import torch

from ..diffusion.backends.vulkan import gpus
from ..diffusion.devices import ACCELERATORS, is_known, is_there, probed
from ..diffusion.model import Model
from ..diffusion.settings import Device, Dtype
from ..errors import DiffuseError
from .hardware import cpu_name
from .network_speed import seconds_of

SIDE: Final = 256
"""Of the window that is timed, in pixels."""
_FEW_SECONDS: Final = 0.2


@dataclass(frozen=True, kw_only=True, slots=True)
class FoundDevice:
    """A device that `--device` can mean.

    Attributes:
        device: as `--device` names it.
        name: as its driver tells it.
        memory_mib: that it has; None = it is not told.
        probed: what was found out about it beside that; "" = nothing needed to be.
        dtype: the type that `auto` means there; "" = it does not compute.
        seconds_per_megapixel: of the bare network; None = it was not timed.
    """

    device: Device
    name: str
    memory_mib: int | None = None
    probed: str = ""
    dtype: Dtype | str = ""
    seconds_per_megapixel: float | None = None

    def to_json(self) -> dict[str, Any]:
        """Return what a report holds."""
        return asdict(self)

    @property
    def words(self) -> str:
        """All but what `--device` calls it, in words."""
        memory = "" if self.memory_mib is None else f", {self.memory_mib / 1024:.1f} GiB"
        speed = self.seconds_per_megapixel
        told = "" if speed is None else f", {speed:.2g} s/Mpx in {self.dtype}"
        return f"{self.name}{memory}{told}" + (f" ({self.probed})" if self.probed else "")


def found_devices(*, timed: bool) -> Iterator[FoundDevice]:
    """Yield the devices: the CPU, what torch reaches, what Vulkan reaches.

    Args:
        timed: also time the network on each. GPUs that the CPU computes are not timed: they are slower than it.
    """
    yield _described("cpu", cpu_name(), _memory(), timed=timed)
    for accelerator in ACCELERATORS:
        if is_there(accelerator):
            name, memory = _of_accelerator(accelerator)
            yield _described(accelerator, name, memory, timed=timed)
    for gpu in gpus():
        yield _described(f"vulkan:{gpu.number}", gpu.name, gpu.memory, gpu.what, timed=timed and not gpu.is_software)


def _described(device: Device, name: str, memory: int | None, known: str = "", *, timed: bool) -> FoundDevice:
    """Return a device with what a probe finds, and its speed."""
    if device in ACCELERATORS and not is_known(device):
        found = probed(device)
        known = ", ".join(f"{dtype} is right to {way.apart:.2g} levels" for dtype, way in found.by_dtype.items())
        known = known or f"not used: {found.trouble}"
        timed = timed and bool(found.by_dtype)
    if not timed:
        return FoundDevice(device=device, name=name, memory_mib=memory, probed=known)
    try:
        dtype, seconds = _speed(device)
    except (DiffuseError, RuntimeError, MemoryError) as error:
        return FoundDevice(device=device, name=name, memory_mib=memory, probed=f"does not compute: {error}")
    return FoundDevice(
        device=device, name=name, memory_mib=memory, probed=known, dtype=dtype, seconds_per_megapixel=seconds
    )


@torch.no_grad()
def _speed(device: Device) -> tuple[str, float]:
    """Return the type that `auto` means on a device, and the network's seconds for a megapixel in it."""
    model = Model.load(device=device)
    config, there = model.network.config, model.device
    x = torch.randn(1, config.in_ch, SIDE, SIDE, device=there)
    told = torch.zeros(1, device=there), torch.zeros(1, config.cond, device=there)
    seconds = seconds_of(lambda: model.network(x, *told).cpu(), least=_FEW_SECONDS)  # a copy waits for a GPU
    names = {torch.bfloat16: "bf16", torch.float16: "fp16", torch.float32: "fp32"}
    return names[model.dtype], seconds / (SIDE * SIDE / 1e6)


def _of_accelerator(accelerator: str) -> tuple[str, int | None]:
    """Return the name and the memory in MiB of what torch reaches."""
    if accelerator == "mps":
        return "Apple's GPU", torch.mps.recommended_max_memory() >> 20
    facts = getattr(torch, accelerator).get_device_properties(0)
    return str(facts.name), int(facts.total_memory) >> 20


def _memory() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 20
    except (AttributeError, ValueError, OSError):
        return None
