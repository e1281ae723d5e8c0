"""Someone else's file -> a file of this program: safetensors, with a header that says what the model is."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType, SimpleNamespace
from typing import TYPE_CHECKING, Any, Final, cast

import torch
from platformdirs import user_data_path
from torch import Tensor

from ...errors import CheckpointError, UsageError
from ...system.files import file_sha256, write_bytes
from .. import checkpoint
from ..tiling import GRID
from .header import FORMAT, Conditioned, ForeignHeader, Prediction, Role
from .loading import check_spandrel, describe, read_tensors
from .pipeline_folder import folder_licence
from .probing import Measured, activation_of, measure
from .unet_folder import ALPHAS, UNET, build_unet, read_unet_folder

if TYPE_CHECKING:
    from spandrel import ModelDescriptor

_ROLES: Final[dict[str, Role]] = {
    "DRUNet": "prior", "DnCNN": "denoise", "SCUNet": "denoise", "FBCNN": "dejpeg", "SAFMNBCIE": "dejpeg",
    "FFTformer": "deblur", "LaMa": "inpaint", "MAT": "inpaint",
}  # fmt: skip
"""What an architecture does, where its files do one thing."""
_RESTORERS: Final = ("denoise", "dejpeg", "deblur", "restore")
_LARGEST_NAME: Final = 100


def import_model(
    source: Path,
    *,
    name: str | None = None,
    role: Role | None = None,
    noise: float | None = None,
    regression: bool = False,
    licence: str | None = None,
    force: bool = False,
) -> tuple[Path, ForeignHeader]:
    """Import a model: load it, measure it, and write it into the user's data folder.

    Args:
        source: the file, or a folder of diffusers with a UNet2DModel.
        name: for `--model`. None: as the file is called.
        role: what a restorer does. None: as its architecture says.
        noise: the level that a denoiser was trained for, in 8-bit levels. None: it is told, or takes any.
        regression: it was trained for PSNR.
        licence: of the weights. None: as the file states it.
        force: replace a model of that name that was imported before.

    Returns:
        The file that was written, and its header.

    Raises:
        CheckpointError: the file cannot be read, runs code, or is no model that fits a command.
        UsageError: spandrel is missing, an option does not fit the model, or the name is taken.
        PictureError: the disk fails.
    """
    if source.is_dir():
        if role is not None or noise is not None or regression:
            raise UsageError(f"{source}: draws pictures; leave --role, --noise and --regression out")
        return _import_folder(source, _target(name or source.resolve().name, force=force), licence)
    check_spandrel()
    target = _target(name or source.stem, force=force)
    tensors, stated = read_tensors(source)
    descriptor = describe(tensors, str(source))
    chosen = _role(descriptor, source, role)
    _check_channels(descriptor, source)
    if noise is not None and (chosen != "denoise" or not 0 < noise <= 255):
        raise UsageError(f"--noise {noise:g}: is for denoisers of one level from 0 to 255; this is for {chosen}")
    conditioned = _conditioned(descriptor, chosen)
    try:
        measured = _measured(descriptor, conditioned)
    except CheckpointError as error:
        raise CheckpointError(f"{source}: {error}") from None
    needs = descriptor.size_requirements
    header = ForeignHeader(
        architecture=descriptor.architecture.id, role=chosen, scale=descriptor.scale,
        channels=descriptor.input_channels, multiple=needs.multiple_of, minimum=needs.minimum, square=needs.square,
        whole=measured.whole or descriptor.tiling.name != "SUPPORTED", margin=measured.margin,
        activation=measured.activation, bf16=measured.bf16, conditioned=conditioned, noise=noise,
        regression=regression or chosen == "prior", source_sha256=file_sha256(source, CheckpointError),
        licence=_stated(licence, stated),
    )  # fmt: skip
    ForeignHeader.from_config(json.loads(header.to_json()))  # or it could not be read again
    _write(target, tensors, header)
    return target, header


def _import_folder(source: Path, target: Path, licence: str | None) -> tuple[Path, ForeignHeader]:
    """Import a UNet2DModel: check it, look at what it draws of noise, and write it."""
    found = read_unet_folder(source)
    network = build_unet(found.config, found.tensors, str(source))
    config = network.config
    channels, side, classes = config.in_channels, config.sample_size, config.num_class_embeds or 0

    def call(descriptor: SimpleNamespace, x: Tensor) -> Tensor:
        with torch.no_grad():
            label = torch.zeros(1, dtype=torch.long) if classes else None
            return cast("Tensor", descriptor.model(x, 0, class_labels=label).sample)

    header = ForeignHeader(
        architecture="UNet2DModel", role="generate", scale=1, channels=channels, side=side, classes=classes,
        whole=True, margin=0, activation=activation_of(SimpleNamespace(model=network), call, channels, side),
        conditioned="label" if classes else "", prediction=cast("Prediction", found.prediction),
        source_sha256=found.sha256, licence=_stated(licence, {"license": folder_licence(source)}),
    )  # fmt: skip
    ForeignHeader.from_config(json.loads(header.to_json()))  # or it could not be read again
    _write(target, {**found.tensors, ALPHAS: found.alphas}, header, {UNET: json.dumps(found.config)})
    return target, header


def remove(name: str) -> Path:
    """Remove a model that was imported. Returns the file that was.

    Raises:
        UsageError: there is none of that name.
    """
    path = folder() / f"{name}{checkpoint.SUFFIX}"
    imported = sorted(p.stem for p in folder().glob(f"*{checkpoint.SUFFIX}"))
    if name not in imported:
        names = ", ".join(imported) or "none"
        raise UsageError(f"{name}: no model that was imported; those are {names}")
    try:
        path.unlink()
    except OSError as error:
        raise UsageError(f"{path}: cannot be removed: {error.strerror}") from None
    return path


def folder() -> Path:
    """Return where imported models lie."""
    return user_data_path("diffuse") / "checkpoints"


def _target(name: str, *, force: bool) -> Path:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._+-]*", name) or len(name) > _LARGEST_NAME:
        raise UsageError(f"{name[:60]}: no name for a model; give one of letters, digits, - and _ with --name")
    target, taken = folder() / f"{name}{checkpoint.SUFFIX}", checkpoint.named().get(name)
    if taken is not None and (taken != target or not force):
        more = "" if taken != target else ", or replace it with -f"
        raise UsageError(f"{name}: is the name of {taken} already; give another with --name{more}")
    return target


def _role(descriptor: "ModelDescriptor", source: Path, asked: Role | None) -> Role:
    """Return what the model does."""
    architecture, purpose = descriptor.architecture.id, descriptor.purpose
    if purpose == "FaceSR":
        raise CheckpointError(f"{source}: {architecture} restores faces that were found and turned upright before; "
                              "no command does that")  # fmt: skip
    usual: Role = _ROLES.get(architecture, "restore")
    if architecture == "DnCNN" and "FDnCNN" in descriptor.tags:
        usual = "prior"
    if purpose == "Inpainting":
        usual = "inpaint"
    elif descriptor.scale > 1:
        usual = "super-resolve"
    if asked is None or asked == usual:
        return usual
    if usual not in _RESTORERS or asked not in _RESTORERS:
        raise UsageError(f"--role {asked}: {source} is for {usual}, as its architecture says; leave --role out")
    return asked


def _check_channels(descriptor: "ModelDescriptor", source: Path) -> None:
    before, after = descriptor.input_channels, descriptor.output_channels
    if before not in (1, 3) or after != before or (descriptor.purpose == "Inpainting" and before != 3):
        raise CheckpointError(f"{source}: takes {before} channels and makes {after}; 1 and 1 or 3 and 3 are possible")
    if not 1 <= descriptor.scale <= 8:
        raise CheckpointError(f"{source}: enlarges by {descriptor.scale}; at most 8 is possible")


def _conditioned(descriptor: "ModelDescriptor", role: Role) -> Conditioned:
    if role == "prior":
        return "noise"
    if role == "inpaint":
        return "mask"
    return "quality" if descriptor.architecture.id == "FBCNN" else ""


def _measured(descriptor: "ModelDescriptor", conditioned: Conditioned) -> Measured:
    """Measure the network, with what it is told beside the picture in the middle of its range."""
    gray = descriptor.input_channels == 1

    def call(network: Any, x: Tensor) -> Tensor:  # noqa: ANN401 - spandrel's descriptor
        x = x[:, :1] if gray else x
        with torch.no_grad():
            if conditioned == "noise":
                return cast("Tensor", network.model(torch.cat([x, torch.full_like(x[:, :1], 25 / 255)], 1)))
            if conditioned == "mask":
                mask = torch.zeros_like(x[:, :1])
                mask[..., 24:40, 24:40] = 1
                return cast("Tensor", network(x, mask)).clone()
            return cast("Tensor", network(x)).clone()

    step = GRID
    while step % descriptor.size_requirements.multiple_of:
        step += GRID
    return measure(descriptor, call, step, tiles=conditioned != "mask")


def _stated(asked: str | None, stated: dict[str, str]) -> str:
    """Return the licence on one line."""
    found = asked if asked is not None else stated.get("license", stated.get("licence", ""))
    return " ".join(found.split())[:200]


def _write(
    target: Path, tensors: dict[str, Tensor], header: ForeignHeader, more: Mapping[str, str] = MappingProxyType({})
) -> None:
    from safetensors.torch import save

    kept = {name: _storable(tensor) for name, tensor in tensors.items()}
    metadata = {"format": FORMAT, "config": header.to_json(), "sha256": checkpoint.tensors_sha256(kept), **more}
    if header.licence:
        metadata["licence"] = header.licence
    target.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(save(kept, metadata), target)


def _storable(tensor: Tensor) -> Tensor:
    """Return a tensor of its own, in fp32 if it is of a type that few programs read."""
    rare = tensor.is_floating_point() and tensor.dtype not in (torch.float16, torch.float32)
    return (tensor.float() if rare else tensor).detach().clone().contiguous()
