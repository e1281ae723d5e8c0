"""Where to compute: what `--device`, `--dtype` and `--backend` mean on this machine."""

import functools
import importlib.util
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ..errors import UsageError
from .backends.vulkan import chosen_gpu, real_gpu
from .settings import Backend, Device, Dtype

if TYPE_CHECKING:
    import torch

    from .backends.accelerator import Probed

log = logging.getLogger("diffuse_cli")

ACCELERATORS: Final = ("cuda", "mps", "xpu")
"""What torch reaches beside the CPU, in the order in which `auto` takes it. ROCm is a cuda of torch."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Where to compute, as `--device auto` and `--backend` mean it here.

    Attributes:
        device: for torch. "auto" = the first accelerator that is there, or the CPU.
        backend: what computes the network.
        heap: MiB of memory that a GPU offers through Vulkan. None: it is not used.
    """

    device: Device
    backend: Backend
    heap: int | None = None

    @property
    def gpu(self) -> int | None:
        """Number of the GPU that Vulkan computes on. None: it is not used."""
        return int(self.device.split(":")[1]) if self.backend == "vulkan" else None


def placed(
    device: Device = "auto", backend: Backend = "torch", *, dtype: Dtype = "auto", compiled: bool = False
) -> Place:
    """Return where to compute.

    `auto` is a GPU through Vulkan only if torch reaches none, it is no GPU that the CPU computes, and dtype and
    compiled allow it. Without ncnn this does not import torch.

    Args:
        device: auto, cpu, cuda, mps, xpu or vulkan[:N].
        backend: "torch", "ncnn" on the CPU, or "vulkan".
        dtype: "bf16" is for torch.
        compiled: with torch.compile.

    Raises:
        UsageError: Vulkan is asked for, and it does not reach the GPU.
    """
    named = device.split(":")[0] == "vulkan"
    if named or backend == "vulkan":
        if not named and device != "auto":
            raise UsageError(
                f"--backend vulkan computes on a GPU; leave --device {device} out, or take --device vulkan:N"
            )
        gpu = chosen_gpu(device if named else "vulkan")
        return Place(device=f"vulkan:{gpu.number}", backend="vulkan", heap=gpu.memory)
    asks_torch = device != "auto" or backend != "torch" or dtype == "bf16" or compiled
    found = None if asks_torch else _gpu_without_torch()
    if found is None:
        return Place(device=device, backend=backend)
    return Place(device=f"vulkan:{found[0]}", backend="vulkan", heap=found[1])


@functools.cache
def _gpu_without_torch() -> tuple[int, int] | None:
    """Return number and heap of a real GPU that Vulkan reaches and torch does not. None: there is none."""
    gpu = real_gpu()
    if gpu is None or device_of("auto").type != "cpu":
        return None
    from .backends.ncnn import is_right_on_gpu

    if not is_right_on_gpu(gpu.number):
        log.warning(f"vulkan:{gpu.number} ({gpu.name}) computes wrong; the CPU computes")
        return None
    return gpu.number, gpu.memory


def device_of(wanted: Device, backend: Backend = "torch") -> "torch.device":
    """Return the device that torch computes on. An accelerator that computes wrong is none, and a line says so.

    Raises:
        UsageError: it is not there, or the backend does not compute on it.
    """
    import torch

    if backend == "ncnn" and wanted not in ("auto", "cpu"):
        raise UsageError(f"--backend ncnn computes on the CPU; leave --device {wanted} out")
    if backend != "torch":  # torch computes what is beside the network
        return torch.device("cpu")
    present = {"cpu": True, **{name: is_there(name) for name in ACCELERATORS}}
    if wanted not in ("auto", *present):
        raise UsageError(f"--device {wanted}: no such device here; give auto, {', '.join(present)} or vulkan[:N]")
    if wanted != "auto" and not present[wanted]:
        raise UsageError(f"--device {wanted}: there is none here; leave the option out, or take --device cpu")
    for name in ACCELERATORS if wanted == "auto" else (wanted,):
        if present[name] and _is_right(name):
            return torch.device(name)
    return torch.device("cpu")


def is_there(accelerator: str) -> bool:
    """Return whether torch reaches an accelerator."""
    import torch

    return bool(getattr(torch, accelerator).is_available())


def is_known(accelerator: str) -> bool:
    """Return whether the network is known to compute right there, so that nothing is probed: CPUs and NVIDIA's GPUs."""
    import torch

    return accelerator == "cpu" or (accelerator == "cuda" and torch.version.hip is None)


@functools.cache
def _is_right(accelerator: str) -> bool:
    """Return whether an accelerator gives what the CPU gives. Otherwise say why, once."""
    if is_known(accelerator):
        return True
    found = probed(accelerator)
    if not found.by_dtype:
        log.warning(f"{accelerator}: {found.trouble}; the CPU computes")
    return bool(found.by_dtype)


def probed(accelerator: str) -> "Probed":
    """Return how the network computes on an accelerator; it is tried once a process."""
    import torch

    from .backends.accelerator import probe

    return probe(torch.device(accelerator))


def layout_of(device: "torch.device", dtype: Dtype) -> "torch.memory_format":
    """Return how pictures lie in the memory of a device: channels last, unless a probe found the other way quicker.

    Args:
        device: the device.
        dtype: the type of the network's numbers.

    Raises:
        UsageError: the probe found this type not exact enough there.
    """
    import torch

    if is_known(device.type):
        return torch.channels_last
    found = probed(device.type)
    if dtype not in found.by_dtype:
        raise UsageError(f"--dtype {dtype}: {device.type}: {found.trouble}; leave the option out")
    return found.by_dtype[dtype].layout


def chosen_dtype(device: Device, dtype: Dtype, backend: Backend = "torch") -> Dtype:
    """Return the type that "auto" means on this machine. With ncnn it is fp32, which is hardly slower than bf16.

    Args:
        device: as `Place.device` has it.
        dtype: what is asked for.
        backend: as `Place.backend` has it.

    Raises:
        UsageError: the device is not there, or does not compute in this type.
    """
    place = device_of(device, backend)
    if dtype == ("bf16" if backend == "vulkan" else "fp16"):
        raise UsageError(f"--dtype {dtype}: half precision is bf16 on CPUs and with torch, fp16 with --device vulkan")
    if dtype != "auto":
        return dtype
    if backend != "torch":
        return "fp32"
    if not is_known(place.type):
        return probed(place.type).best
    return "bf16" if gains_by_bf16(place) else "fp32"


def check_ncnn() -> None:
    """Check that ncnn is installed.

    Raises:
        UsageError: it is not.
    """
    if importlib.util.find_spec("ncnn") is None:
        raise UsageError(
            "--backend ncnn: it is not installed; pip install 'diffuse-cli[ncnn]', or leave the option out"
        )


def gains_by_bf16(device: "torch.device") -> bool:
    """Return whether 3x3 convolutions run faster in bf16: by AVX-512 BF16 or AMX on a CPU, tensor cores on a GPU."""
    import torch

    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type == "cpu":
        probes = (getattr(torch.cpu, name, None) for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"))
        return any(probe() for probe in probes if probe is not None)
    return False
