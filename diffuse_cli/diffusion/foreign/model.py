"""An imported model on a device: a prior of the core, or a map from a picture to a picture."""

import copy
import json
import logging
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import torch
from torch import Tensor

from ...errors import CheckpointError, UsageError
from .. import checkpoint
from ..denoiser import Observation, WindowedObservation, nothing_known
from ..devices import chosen_dtype, device_of
from ..model import Model
from ..network import NetworkConfig
from ..settings import Backend, Device, Dtype, Settings, side_within, tile_side
from ..tiling import GRID, Grid
from .gaussian import ForeignDenoiser
from .generative import GenerativeModel, sigmas_of
from .header import MOST_MARGIN, ForeignHeader
from .loading import check_spandrel, describe
from .text import TextModel, load_text
from .unet_folder import ALPHAS, UNET, build_unet

if TYPE_CHECKING:
    from spandrel import ModelDescriptor


log = logging.getLogger("diffuse_cli")

MEMORY: Final = 3 << 30
"""Memory that tiles may take, if nothing is said."""
WHOLE_MEMORY: Final = 6 << 30
"""The same for a picture that is computed in one piece, because the network looks at all of it."""
_COPIES: Final = 12
"""The memory of a network, in layers as large as its largest one. Networks measured 3 to 17."""


def grid_of(header: ForeignHeader) -> Grid:
    """Return where a model's tiles begin, and their margins."""
    step = GRID
    while step % header.multiple:
        step += GRID
    margin = MOST_MARGIN if header.whole else header.margin
    return Grid(step=step, margin=-(-margin // step) * step)


def bytes_per_pixel(header: ForeignHeader) -> int:
    """Return the memory that each pixel of a model's input takes, about."""
    return 4 * _COPIES * header.activation


def side_of(header: ForeignHeader, settings: Settings) -> int | None:
    """Return the side of a model's tiles without their margins, where it is computed in tiles. None: --tile off."""
    if settings.tile != "auto":
        return tile_side(settings)
    memory = settings.memory or (WHOLE_MEMORY if header.whole else MEMORY)
    return side_within(memory, bytes_per_pixel(header), 2 * grid_of(header).margin)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class ForeignModel:
    """An imported model on a device.

    Attributes:
        header: what it is.
        network: what computes, in its type.
        exact: the same in fp32. None: `network` is that.
        path: its file.
        backend: always torch.
        heap: nothing, as Vulkan is not used.
    """

    header: ForeignHeader
    network: "ModelDescriptor"
    exact: "ModelDescriptor | None" = None
    path: Path | None = None
    backend: Backend = "torch"
    heap: int | None = None

    @classmethod
    def load(cls, path: Path, *, device: Device = "auto", dtype: Dtype = "auto") -> "ForeignModel":
        """Load an imported model onto a device.

        Args:
            path: its file.
            device: as `Model.load` has it.
            dtype: as `Model.load` has it; bf16 only for networks that hardly change by it.

        Raises:
            CheckpointError: the file is damaged or no imported model.
            UsageError: the device is not there, or spandrel is not installed.
        """
        check_spandrel()
        header = checkpoint.read_info(path).foreign
        if header is None:
            raise CheckpointError(f"{path}: is no imported model")
        if dtype == "bf16" and not header.bf16:
            raise UsageError(f"--dtype bf16: {header.architecture} is less exact in bf16; leave it out")
        place = device_of(device)
        exact = describe(checkpoint.read_tensors(path), str(path)).to(place).float()
        half = dtype_of(path, device, dtype) == "bf16"
        if exact.architecture.id != header.architecture or exact.scale != header.scale:
            raise CheckpointError(f"{path}: its tensors do not fit its header; import the model again")
        return from_network(exact, header, path, half=half)

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        found: torch.device = self.network.device
        return found

    @property
    def dtype(self) -> torch.dtype:
        """The type that it computes in."""
        found: torch.dtype = self.network.dtype
        return found

    @property
    def grid(self) -> Grid:
        """Where its tiles begin, and their margins."""
        return grid_of(self.header)

    @property
    def bytes_per_pixel(self) -> int:
        """Memory that each pixel of its input takes, about."""
        return bytes_per_pixel(self.header)

    def tile_side(self, settings: Settings, size: tuple[int, int]) -> int | None:
        """Return the side of a tile without its margins. None: the picture in one piece.

        Args:
            settings: say what was asked for.
            size: (height, width) of the picture.
        """
        side = side_of(self.header, settings)
        if settings.tile != "auto" or not self.header.whole:
            return side
        if size[0] * size[1] * self.bytes_per_pixel <= (settings.memory or WHOLE_MEMORY):
            return None
        log.warning(
            f"{self.header.architecture} looks at all of a picture, and this one is too large: computed in tiles of "
            f"{side} pixels, whose seams may show; --memory SIZE allows larger ones"
        )
        return side

    def nothing_known(self, batch: int, device: torch.device) -> Observation:
        """Return the observation of a picture of which nothing is known."""
        return nothing_known(batch, NetworkConfig(), device)  # the network is told neither mu nor what happened

    def posterior(self, evidence: WindowedObservation, *, ensemble: bool = False) -> ForeignDenoiser:
        """Return the denoiser that knows the evidence. Only for priors."""
        return ForeignDenoiser(self.network, evidence, self.header, exact=self.exact, ensemble=ensemble)

    def computed(self, x: Tensor, *told: Tensor) -> Tensor:
        """Return what the network makes of a picture; in fp32 again where the result is not finite.

        Args:
            x: (1, C, h, w), 0 .. 1.
            told: what it is told beside the picture, on any device.

        Returns:
            (1, C, h s, w s), 0 .. 1, fp32, where x is.
        """
        for network in (self.network, self.exact):
            if network is None:
                break
            there = [part.to(network.device, network.dtype) for part in (x, *told)]
            out = _called(network, self.header, *there).float().to(x.device)
            if bool(out.isfinite().all()):
                break
        return out


def _called(network: "ModelDescriptor", header: ForeignHeader, x: Tensor, *told: Tensor) -> Tensor:
    """Call a network that maps pictures to pictures. Beside tensors of its own it gets what `header` says."""
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of architectures that call torch in older ways
        if header.conditioned == "quality" and told:
            made: Tensor = network.model(x, told[0])[0]
            return made[..., : x.shape[-2], : x.shape[-1]].clamp(0, 1)
        found: Any = network(x, *told)  # pads, and clips to 0 .. 1
        copied: Tensor = found.clone()  # what comes from inference mode cannot be written to
        return copied


def from_network(
    exact: "ModelDescriptor", header: ForeignHeader, path: Path | None = None, *, half: bool = False
) -> ForeignModel:
    """Make a model of a network in fp32.

    Args:
        exact: the network on its device.
        header: what it is.
        path: its file.
        half: compute in bf16.
    """
    if not half:
        return ForeignModel(header=header, network=exact, path=path)
    fast = copy.deepcopy(exact)
    fast.model.to(torch.bfloat16)
    return ForeignModel(header=header, network=fast, exact=exact, path=path)


def load_generative(path: Path, *, device: Device = "auto", dtype: Dtype = "auto") -> GenerativeModel:
    """Load an imported UNet2DModel onto a device. The arguments are those of `Model.load`; it computes in fp32.

    Raises:
        CheckpointError: the file is damaged.
        UsageError: the device is not there, or diffusers is not installed.
    """
    info = checkpoint.read_info(path)
    header = info.foreign
    if header is None or not header.generates:
        raise CheckpointError(f"{path}: is no model that generates")
    if dtype not in ("auto", "fp32"):
        raise UsageError(f"--dtype {dtype}: {header.architecture} computes in fp32; leave it out")
    tensors = checkpoint.read_tensors(path)
    try:
        alphas, config = tensors.pop(ALPHAS), json.loads(info.metadata[UNET])
    except (KeyError, ValueError):
        raise CheckpointError(f"{path}: has no schedule or no config; import the model again") from None
    network = build_unet(config, tensors, str(path))
    fits = (network.config.in_channels, network.config.sample_size, network.config.num_class_embeds or 0)
    if fits != (header.channels, header.side, header.classes) or alphas.ndim != 1 or len(alphas) < 2:
        raise CheckpointError(f"{path}: its tensors do not fit its header; import the model again")
    return GenerativeModel(header=header, network=network.to(device_of(device)), sigmas=sigmas_of(alphas), path=path)


Prior = Model | ForeignModel | GenerativeModel
"""What knows D(x, sigma)."""
AnyModel = Prior | TextModel
"""What restores pictures."""


def core_of(model: AnyModel) -> Model:
    """Return a model that is a checkpoint of this program.

    Raises:
        CheckpointError: it is an imported one.
    """
    if isinstance(model, Model):
        return model
    words, fits = model.header.words, model.header.fits
    raise CheckpointError(f"{model.path}: is an imported model ({words}); it is for {fits}")


def prior_of(model: AnyModel) -> Prior:
    """Return a model that knows D(x, sigma).

    Raises:
        CheckpointError: it is a pipeline that is told by text.
    """
    if isinstance(model, TextModel):
        raise CheckpointError(f"{model.path}: is told by text what to draw, and denoises nothing")
    return model


def drawing_model(model: AnyModel) -> Model | GenerativeModel | TextModel:
    """Return a model that draws pictures from nothing.

    Raises:
        CheckpointError: it does something else.
    """
    return model if isinstance(model, GenerativeModel | TextModel) else core_of(model)


def dtype_of(path: Path, device: Device, dtype: Dtype, backend: Backend = "torch") -> Dtype:
    """Return the type of numbers that a model computes in; the arguments are those of `Model.load`.

    Raises:
        CheckpointError: the file cannot be read.
        UsageError: the device is not there.
    """
    header = checkpoint.read_info(path).foreign
    chosen = chosen_dtype(device, dtype, backend)
    if header is not None and header.reads_text:  # on CPUs half precision is slow in most layers
        return chosen if dtype != "auto" or device_of(device).type == "cuda" else "fp32"
    return chosen if header is None or header.bf16 else "fp32"


def load_any(
    model: str | Path,
    *,
    device: Device = "auto",
    dtype: Dtype = "auto",
    threads: int | None = None,
    compiled: bool = False,
    backend: Backend = "torch",
) -> AnyModel:
    """Load a checkpoint or an imported model onto a device. The arguments are those of `Model.load`.

    Raises:
        CheckpointError: as `checkpoint.load`.
        UsageError: as `Model.load`, or an option is for checkpoints alone.
    """
    path = checkpoint.find(model)
    header = checkpoint.read_info(path).foreign
    if header is None:
        return Model.load(path, device=device, dtype=dtype, threads=threads, compiled=compiled, backend=backend)
    named = device if device.startswith("vulkan") else ""
    if backend != "torch" or compiled or named:
        option = "--compile" if compiled else f"--device {named}" if named else f"--backend {backend}"
        raise UsageError(f"{option} is for checkpoints of diffuse, not for imported models; leave it out")
    if threads is not None:
        torch.set_num_threads(threads)
    if header.reads_text:
        place = device_of(device)
        half = dtype_of(path, device, dtype) == "bf16"
        return load_text(path, header, place, torch.bfloat16 if half else torch.float32)
    if header.generates:
        return load_generative(path, device=device, dtype=dtype)
    return ForeignModel.load(path, device=device, dtype=dtype)
