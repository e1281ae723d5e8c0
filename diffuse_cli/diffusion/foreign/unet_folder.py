"""Folders of diffusers with a UNet2DModel -> tensors, config and noise schedule. Nothing in them is run or fetched."""

import hashlib
import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import torch
from torch import Tensor

from ...errors import CheckpointError, UsageError
from ...system.files import file_sha256
from .pipeline_folder import read_json

if TYPE_CHECKING:
    from diffusers import UNet2DModel

ALPHAS: Final = "diffuse.alphas_cumprod"
"""The tensor of an imported file that has the noise schedule: (T,), the signal's share of the variance."""
UNET: Final = "unet"
"""The metadata of an imported file that have the network's config."""
PREDICTIONS: Final = ("epsilon", "v_prediction", "sample")


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class UnetFolder:
    """What a folder holds.

    Attributes:
        tensors: of the network, by name.
        config: of the network, as diffusers has it.
        alphas: (T,), the cumulative products of the noise schedule, as diffusers has them.
        prediction: what the network predicts.
        sha256: over the files that were read.
    """

    tensors: dict[str, Tensor]
    config: dict[str, Any]
    alphas: Tensor
    prediction: str
    sha256: str


def check_diffusers() -> None:
    """Check that diffusers is installed.

    Raises:
        UsageError: it is not.
    """
    missing = [name for name in ("diffusers", "transformers") if importlib.util.find_spec(name) is None]
    if missing:
        raise UsageError(f"folders of diffusers need {' and '.join(missing)}; pip install 'diffuse-cli[diffusers]'")


def read_unet_folder(folder: Path) -> UnetFolder:
    """Read a pipeline's folder, or that of its network with the scheduler beside it.

    Args:
        folder: has `unet/` and `scheduler/`, or the files of `unet/` and a folder `scheduler/` in it or beside it.

    Raises:
        UsageError: diffusers is not installed.
        CheckpointError: something is missing, damaged, a pickle, or of another kind.
    """
    check_diffusers()
    network = folder / "unet" if (folder / "unet").is_dir() else folder
    config_file = network / "config.json"
    config = read_json(config_file)
    if config.get("_class_name") == "UNet2DConditionModel":
        raise CheckpointError(f"{folder}: is told by text what to draw, and needs no import; give --model {folder} "
                              "--prompt TEXT")  # fmt: skip
    if config.get("_class_name") != "UNet2DModel":
        kind = str(config.get("_class_name", "something else"))[:60]
        raise CheckpointError(f"{folder}: holds {kind}; a UNet2DModel can be imported")
    schedule = _scheduler_file(folder, network)
    alphas, prediction = _schedule(schedule)
    weights = weight_files(network)
    tensors: dict[str, Tensor] = {}
    for path in weights:
        tensors |= _read(path)
    return UnetFolder(
        tensors=tensors, config=config, alphas=alphas, prediction=prediction,
        sha256=files_sha256([config_file, schedule, *weights], folder.parent),
    )  # fmt: skip


def files_sha256(files: list[Path], root: Path) -> str:
    """Return the sha256 over names below a root and contents of files."""
    digest = hashlib.sha256()
    for path in sorted(files):
        name = path.resolve().relative_to(root.resolve()).as_posix().partition("/")[2]
        digest.update(f"{name} {file_sha256(path, CheckpointError)}\n".encode())
    return digest.hexdigest()


def weight_files(folder: Path) -> list[Path]:
    """Return the safetensors files of a network; of several variants, the plain one.

    Raises:
        CheckpointError: there are none.
    """
    found = sorted(folder.glob("*.safetensors"))
    plain = [path for path in found if path.stem.count(".") == 0]
    if plain or found:
        return plain or found
    pickles = [*folder.glob("*.bin"), *folder.glob("*.pt"), *folder.glob("*.ckpt")]
    if pickles:
        raise CheckpointError(f"{pickles[0]}: is a pickle, which could run code; ask for the weights as safetensors")
    raise CheckpointError(f"{folder}: holds no .safetensors file")


def _scheduler_file(folder: Path, network: Path) -> Path:
    name = "scheduler_config.json"
    places = [folder / "scheduler" / name, network / name, network.parent / "scheduler" / name]
    for path in places:
        if path.is_file():
            return path
    raise CheckpointError(f"{places[0]}: is missing, so nothing says how much noise a step has")


def _schedule(path: Path) -> tuple[Tensor, str]:
    """Return the noise schedule of a scheduler's config, and what the network predicts."""
    from diffusers import DDPMScheduler

    config = read_json(path)
    prediction = config.get("prediction_type", "epsilon")
    if prediction not in PREDICTIONS or "beta_schedule" not in config:
        kind = f"{config.get('_class_name')}, {prediction}"
        raise CheckpointError(f"{path}: {kind[:80]}: schedules of betas with epsilon- or v-prediction are known")
    names = (
        "num_train_timesteps",
        "beta_start",
        "beta_end",
        "beta_schedule",
        "trained_betas",
        "rescale_betas_zero_snr",
    )
    steps = config.get("num_train_timesteps", 1000)
    try:
        if not 1 < int(steps) <= 100_000:
            raise ValueError(f"{steps} time steps")
        scheduler = DDPMScheduler(**{name: config[name] for name in names if config.get(name) is not None})
        alphas: Tensor = scheduler.alphas_cumprod.double()
    except Exception as error:  # whatever a forged config does
        raise CheckpointError(f"{path}: makes no sense ({' '.join(str(error).split())[:80]})") from None
    if not bool(((alphas >= 0) & (alphas <= 1)).all()) or not bool((alphas[1:] < alphas[:-1]).all()):
        raise CheckpointError(f"{path}: makes no sense (the noise does not grow)")
    return alphas.float(), str(prediction)


def _read(path: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise CheckpointError(
            f"{path}: not a safetensors file, or damaged ({str(error).splitlines()[0][:80]})"
        ) from None


def build_unet(config: Mapping[str, Any], tensors: Mapping[str, Tensor], name: str) -> "UNet2DModel":
    """Return the network of a config, with its weights. Room is made only for what the tensors fill.

    Args:
        config: as diffusers has it.
        tensors: by name.
        name: of the file, for messages.

    Raises:
        UsageError: diffusers is not installed.
        CheckpointError: config and tensors do not fit, or numbers are not finite.
    """
    check_diffusers()
    from diffusers import UNet2DModel

    try:
        with torch.device("meta"):
            network: UNet2DModel = UNet2DModel.from_config(dict(config))
        wanted = {key: tuple(value.shape) for key, value in network.state_dict().items()}
    except Exception as error:  # whatever a forged config does
        raise CheckpointError(f"{name}: its config makes no network ({' '.join(str(error).split())[:80]})") from None
    wrong = sorted(
        k for k in wanted.keys() | tensors.keys() if tuple(getattr(tensors.get(k), "shape", ())) != wanted.get(k)
    )
    if wrong:
        raise CheckpointError(f"{name}: its tensors do not fit its config (first: {wrong[0][:60]})")
    if not all(bool(t.isfinite().all()) for t in tensors.values()):
        raise CheckpointError(f"{name}: holds weights that are not finite")
    network.load_state_dict({k: v.float() for k, v in tensors.items()}, assign=True)
    _check_kind(network, name)
    return network.eval().requires_grad_(False)


def _check_kind(network: "UNet2DModel", name: str) -> None:
    """Refuse networks that are told time or class in other ways, or draw no pictures.

    Raises:
        CheckpointError: it is one of these.
    """
    config = network.config
    if config.in_channels not in (1, 3) or config.out_channels != config.in_channels:
        raise CheckpointError(f"{name}: takes {config.in_channels} channels; 1 or 3 are possible")
    if config.time_embedding_type != "positional" or config.class_embed_type is not None:
        raise CheckpointError(f"{name}: is told the time or the class in a way that is not known here")
    if not isinstance(config.sample_size, int):
        raise CheckpointError(f"{name}: does not say the size of the pictures that it was trained on (sample_size)")
