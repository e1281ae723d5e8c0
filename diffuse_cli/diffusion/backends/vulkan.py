"""GPUs that Vulkan reaches, through ncnn: which there are, which one is meant, and how exact its half precision is."""

import importlib.util
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ...errors import UsageError
from ...system.process import without_lines_of_libraries

if TYPE_CHECKING:
    from ..network import UNet

NAME: Final = "vulkan"
MOST_APART: Final = 0.25
"""8-bit levels by which half precision may differ from fp32."""
_SOFTWARE: Final = 3
"""ncnn's number for a GPU that is computed by the CPU."""
_DEVICE_FILES: Final = (("/dev/dri", "renderD*"), ("/dev", "nvidia[0-9]*"), ("/dev", "dxg"), ("/dev", "mali*"))
"""Folders, and names in them."""
_KINDS: Final = ("a discrete GPU", "an integrated GPU", "a virtual GPU", "a GPU computed by the CPU")
_PROBE_SIDE, _PROBE_SIGMA, _SIGMA_DATA = 64, 0.2, 0.5
"""Side of the probed window, and the noise that it is told, [-1, 1] units."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Gpu:
    """A GPU that Vulkan reaches.

    Attributes:
        number: as `vulkan:N` names it.
        name: as its driver tells it.
        kind: ncnn's number of its type.
        memory: MiB of its heap that the driver offers.
    """

    number: int
    name: str
    kind: int
    memory: int

    @property
    def is_software(self) -> bool:
        """Whether the CPU computes it."""
        return self.kind == _SOFTWARE

    @property
    def what(self) -> str:
        """What it is, in words."""
        return _KINDS[self.kind] if 0 <= self.kind < len(_KINDS) else "a GPU"


def gpus() -> list[Gpu]:
    """Return the GPUs that Vulkan reaches. Without ncnn, a loader or a driver there are none."""
    if importlib.util.find_spec("ncnn") is None:
        return []
    import ncnn

    found = []
    with without_lines_of_libraries():  # ncnn describes each GPU there
        for number in range(ncnn.get_gpu_count()):
            info = ncnn.get_gpu_info(number)
            memory = int(ncnn.get_gpu_device(number).get_heap_budget())
            found.append(Gpu(number=number, name=str(info.device_name()), kind=int(info.type()), memory=memory))
    return found


def _may_have_a_gpu() -> bool:
    """Return whether the system may have a GPU. Linux has a file for each: of DRM, NVIDIA, WSL or Mali."""
    if sys.platform != "linux":
        return True
    return any(any(Path(folder).glob(name)) for folder, name in _DEVICE_FILES)


def real_gpu() -> Gpu | None:
    """Return the first GPU that is not computed by the CPU. None: there is none.

    Drivers take half a second to load, so they are not asked where the system knows of no GPU.
    """
    if not _may_have_a_gpu():
        return None
    return next((gpu for gpu in gpus() if not gpu.is_software), None)


def chosen_gpu(device: str) -> Gpu:
    """Return the GPU that `vulkan` or `vulkan:N` means.

    Raises:
        UsageError: ncnn is not installed, Vulkan reaches no GPU, or not this one.
    """
    if importlib.util.find_spec("ncnn") is None:
        raise UsageError(f"--device {device}: ncnn is not installed; pip install 'diffuse-cli[vulkan]'")
    found = gpus()
    if not found:
        raise UsageError(
            f"--device {device}: Vulkan finds no GPU; install its loader (libvulkan1) and your GPU's driver "
            "(mesa-vulkan-drivers for AMD and Intel), or leave the option out"
        )
    _, colon, number = device.partition(":")
    if not colon:
        return next((gpu for gpu in found if not gpu.is_software), found[0])
    if not number.isdecimal() or int(number) >= len(found):
        names = ", ".join(f"{NAME}:{gpu.number} ({gpu.name})" for gpu in found)
        raise UsageError(f"--device {device}: there is no such GPU; there are {names}")
    return found[int(number)]


def half_is_exact(exact: "UNet", half: "UNet") -> bool:
    """Return whether half precision gives what fp32 gives, to a quarter of a level, on a window of noise.

    The denoiser multiplies the network's output by c_out (EDM, table 1).

    Args:
        exact: the network in fp32.
        half: the same in half precision.
    """
    import torch

    generator = torch.Generator().manual_seed(0)
    x = torch.randn(1, exact.config.in_ch, _PROBE_SIDE, _PROBE_SIDE, generator=generator)
    cond = torch.zeros(1, exact.config.cond)
    c_noise = torch.tensor([_PROBE_SIGMA]).log() / 4
    c_out = _PROBE_SIGMA * _SIGMA_DATA / (_PROBE_SIGMA**2 + _SIGMA_DATA**2) ** 0.5
    with torch.inference_mode():
        apart = (half(x, c_noise, cond) - exact(x, c_noise, cond)).abs().max()
    return bool(torch.isfinite(apart)) and float(apart) * c_out * 127.5 <= MOST_APART
