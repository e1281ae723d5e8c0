"""The weights of a checkpoint, made ready to compute: on which device, in which type, by which backend."""

import copy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import UsageError
from . import checkpoint
from .backends.compilation import check_compiler, compile_network
from .devices import check_ncnn, chosen_dtype, device_of, layout_of, placed
from .settings import Backend, Device, Dtype, Settings, natural_size, tile_side

if TYPE_CHECKING:
    import torch

    from .denoiser import Denoiser, Observation, WindowedObservation
    from .network import UNet
    from .tiling import Grid


@dataclass(frozen=True, kw_only=True, slots=True)
class Model:
    """A checkpoint on a device.

    Attributes:
        network: what computes.
        exact: the same weights in fp32 on torch. None: `network` is that.
        compiled: `network` went through torch.compile.
        backend: what computes `network`.
        gpu: number of the GPU that Vulkan computes on; None = none.
        heap: MiB of memory that this GPU offers.
        path: the checkpoint's file; None = the weights came from no file.
    """

    network: "UNet"
    exact: "UNet | None"
    compiled: bool = False
    backend: Backend = "torch"
    gpu: int | None = None
    heap: int | None = None
    path: Path | None = None

    @classmethod
    def load(
        cls,
        model: str | Path = checkpoint.DEFAULT_MODEL,
        *,
        device: Device = "auto",
        dtype: Dtype = "auto",
        threads: int | None = None,
        compiled: bool = False,
        backend: Backend = "torch",
    ) -> "Model":
        """Load a checkpoint onto a device.

        Args:
            model: its name, such as "photo", or its file.
            device: "auto" = what torch reaches, else a GPU through Vulkan, else the CPU; "vulkan[:N]" = through ncnn.
            dtype: "auto" = bf16 where the hardware gains by it, else fp32; "fp16" is for Vulkan.
            threads: CPU threads to compute with from now on; None = as torch has it.
            compiled: compile the network now with torch.compile, for windows of any size.
            backend: "torch", "ncnn" on the CPU, or "vulkan", which is ncnn on a GPU.

        Returns:
            The model, ready to compute.

        Raises:
            CheckpointError: as `checkpoint.load`.
            UsageError: the device or the backend is not there, there is no compiler, or options exclude each other.
        """
        import torch

        if threads is not None:
            torch.set_num_threads(threads)
        path, place = checkpoint.find(model), placed(device, backend, dtype=dtype, compiled=compiled)
        there = device_of(place.device, place.backend)
        if place.backend != "torch" and compiled:
            raise UsageError("--compile is for --backend torch; leave one of them out")
        if place.backend == "ncnn":
            check_ncnn()
        if compiled:
            check_compiler(there)
        chosen = chosen_dtype(place.device, dtype, place.backend)
        exact = checkpoint.load(path).to(there).laid_out_(layout_of(there, chosen))
        types = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
        made = from_weights(exact, types[chosen], compiled=compiled, backend=place.backend, gpu=place.gpu)
        return replace(made, path=path, heap=place.heap)

    @property
    def device(self) -> "torch.device":
        """Where it computes."""
        return self.network.device

    @property
    def dtype(self) -> "torch.dtype":
        """The type that it computes in."""
        return self.network.dtype

    @property
    def recomputed(self) -> int:
        """Windows that a GPU got wrong, and the CPU computed again."""
        return int(getattr(self.network, "recomputed", 0))

    @property
    def grid(self) -> "Grid":
        """Where tiles begin, and their margins."""
        from .tiling import CORE_GRID

        return CORE_GRID

    def tile_side(self, settings: Settings, size: tuple[int, int]) -> int | None:
        """Return the side of a tile without its margins for a picture of any size. None: in one piece."""
        return tile_side(settings)

    def nothing_known(self, batch: int, device: "torch.device") -> "Observation":
        """Return the observation of a picture of which nothing is known."""
        from .denoiser import nothing_known

        return nothing_known(batch, self.network.config, device)

    def posterior(self, evidence: "WindowedObservation", *, ensemble: bool = False) -> "Denoiser":
        """Return the denoiser that knows the evidence."""
        from .denoiser import Denoiser

        return Denoiser(self.network, evidence, exact=self.exact, ensemble=ensemble)

    @property
    def gray(self) -> bool:
        """Whether it draws gray pictures."""
        return self.network.config.gray

    @property
    def natural_size(self) -> tuple[int, int]:
        """(height, width) of what it draws, if nothing is said."""
        return natural_size(self.network.config.crop)

    def label_index(self, label: str) -> int:
        """Return the number of a label among the checkpoint's.

        Raises:
            UsageError: the checkpoint has no such label.
        """
        return checkpoint.label_index(label, self.network.config.labels)


def from_weights(
    exact: "UNet", dtype: "torch.dtype", *, compiled: bool, backend: Backend = "torch", gpu: int | None = None
) -> Model:
    """Make a model of a folded network.

    Args:
        exact: the network in fp32, on its device.
        dtype: type of the model's convolutions.
        compiled: compile the network now.
        backend: what computes the network.
        gpu: number of the GPU, with the backend "vulkan".

    Raises:
        UsageError: half precision is not exact enough on the GPU.
    """
    if backend != "torch":
        from .backends.ncnn import NcnnNetwork, half_on_gpu

        made = NcnnNetwork(exact, dtype, gpu) if gpu is None or dtype.itemsize == 4 else half_on_gpu(exact, gpu)
        return Model(network=made, exact=exact, backend=backend, gpu=gpu)
    half = dtype != exact.dtype
    network = copy.deepcopy(exact).half_(dtype) if half else exact
    if compiled:
        compile_network(network)
    return Model(network=network, exact=exact if half else None, compiled=compiled)
