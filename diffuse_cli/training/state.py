"""The state of a run, and what a run can start from."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from safetensors.torch import save as serialise
from torch import Tensor, nn

from ..diffusion import checkpoint
from ..diffusion.network import NetworkConfig, UNet, redescribed
from ..errors import CheckpointError, UsageError
from ..system.files import write_bytes
from . import ema
from .config import TrainConfig
from .model import fresh, renormalise
from .muon import Muon

FILE = "state.safetensors"
FORMAT = "diffuse-train-1"
ADAM_BETAS = (0.9, 0.99)
ADAM_SHARE = 0.5
"""Adam's learning rate, as a share of Muon's."""


@dataclass(kw_only=True, slots=True)
class State:
    """A run in progress.

    Attributes:
        net: the weights, fp32, normalised.
        averages: of the weights, by their length.
        muon: optimiser of the kernels and matrices.
        adam: optimiser of the gains.
        step: steps behind these weights, including those before this run.
        first: the step that this run began with.
        seconds: of training in this run.
        device: where the tensors are.
    """

    net: UNet
    averages: dict[float, ema.Weights]
    muon: Muon
    adam: torch.optim.Adam
    step: int = 0
    first: int = 0
    seconds: float = 0.0
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))

    def set_rate(self, lr: float) -> None:
        """Set the learning rate of the next step."""
        for optimiser, share in ((self.muon, 1.0), (self.adam, ADAM_SHARE)):
            for group in optimiser.param_groups:
                group["lr"] = lr * share

    def update(self, config: TrainConfig) -> None:
        """Take a step of both optimisers on the present gradients, and update the averages."""
        self.muon.step()
        self.adam.step()
        renormalise(self.net)
        self.step += 1
        for length, average in self.averages.items():
            ema.update(average, self.net, ema.keep(self.step, length, config.ema_horizon))

    def save(self, folder: Path) -> None:
        """Replace the folder's state by this one, whole or not at all.

        Raises:
            PictureError: the disk fails; the previous state is still there then.
        """
        network = self.net.config.to_json()
        metadata = {"step": self.step, "first": self.first, "seconds": self.seconds, "network": network}
        tensors = {name: t.detach().cpu().contiguous().clone() for name, t in self._tensors().items()}
        write_bytes(serialise(tensors, {"format": FORMAT, "run": json.dumps(metadata)}), folder / FILE)

    def _tensors(self) -> dict[str, Tensor]:
        tensors = {f"net/{name}": value for name, value in self.net.state_dict().items()}
        for length, average in self.averages.items():
            tensors |= {f"ema/{length}/{name}": value for name, value in average.items()}
        for name, parameter in self.net.named_parameters():
            for optimiser in (self.muon, self.adam):
                values = optimiser.state.get(parameter, {})
                tensors |= {f"optimiser/{key}/{name}": torch.as_tensor(value) for key, value in values.items()}
        return tensors


def begin(net: UNet, averages: dict[float, ema.Weights], device: torch.device, *, step: int = 0) -> State:
    """Begin a run with these weights.

    Args:
        net: the weights.
        averages: of the weights, by their length.
        device: where to compute.
        step: steps behind the weights.
    """
    net = net.to(device).channels_last_().train().requires_grad_(True)
    averages = {k: {name: v.to(device) for name, v in average.items()} for k, average in averages.items()}
    kernels = [layer.weight for _, layer, _ in net.layers()]
    gains = [parameter for parameter in net.parameters() if parameter.ndim == 0]
    adam = torch.optim.Adam(gains, lr=0.0, betas=ADAM_BETAS, foreach=True)
    muon = Muon(kernels, lr=0.0)
    return State(net=net, averages=averages, muon=muon, adam=adam, step=step, first=step, device=device)


def resume(folder: Path, config: TrainConfig, network: NetworkConfig, device: torch.device) -> State | None:
    """Read the state that a run folder holds; None if it holds none yet.

    Args:
        folder: the run's.
        config: of the run.
        network: of the run.
        device: where to compute.

    Raises:
        CheckpointError: it cannot be read, or is of another network.
    """
    path = folder / FILE
    if not path.exists():
        return None
    tensors, run = _read(path)
    if NetworkConfig.from_json(run["network"]) != network:
        raise CheckpointError(f"{path}: is the state of another network; take a new --out")
    state = _of_tensors(path, tensors, config, network, device, int(run["step"]))
    _load_optimisers(state, tensors)
    state.first, state.seconds = int(run["first"]), float(run["seconds"])
    return state


def resume_for_export(folder: Path, config: TrainConfig, device: torch.device) -> State:
    """Read the state of a run with any network.

    Args:
        folder: the run's.
        config: of the run.
        device: where the tensors go.

    Raises:
        CheckpointError: there is none, or it cannot be read.
    """
    path = folder / FILE
    if not path.exists():
        raise CheckpointError(f"{path}: no such file; the run has saved nothing yet")
    network = NetworkConfig.from_json(_read(path)[1]["network"])
    state = resume(folder, config, network, device)
    assert state is not None
    return state


def start(init: str | None, config: TrainConfig, network: NetworkConfig, device: torch.device) -> State:
    """Start a new run.

    A run folder gives weights, averages, momenta and step. A folder of `net.safetensors`, `ema.safetensors` and `step`
    gives all but the momenta. A checkpoint gives only the weights.

    Args:
        init: a checkpoint, a run folder, or a folder of net, ema and step; None = random weights.
        config: of the new run.
        network: of the new run.
        device: where to compute.

    Raises:
        CheckpointError: it cannot be read, or is of another network.
        UsageError: a folder that holds none of these.
    """
    if init is None:
        net = fresh(network, config.seed)
        return begin(net, {length: ema.copy_of(net) for length in config.ema}, device)
    path = Path(init)
    if (path / FILE).is_file():
        tensors, run = _read(path / FILE)
        _check_shape(path, NetworkConfig.from_json(run["network"]), network)
        state = _of_tensors(path / FILE, tensors, config, network, device, int(run["step"]))
        _load_optimisers(state, tensors)
        return state
    if (path / "net.safetensors").is_file():
        return _of_parts(path, config, network, device)
    if path.is_dir():
        raise UsageError(f"--init {path}: holds neither {FILE} nor net.safetensors, ema.safetensors and step")
    path = checkpoint.find(init)
    has = NetworkConfig.from_json(checkpoint.read_info(path).config)
    _check_shape(path, has, network)
    net = _net(path, redescribed(_read_plain(path), has, network.described), network)
    renormalise(net)
    return begin(net, {length: ema.copy_of(net) for length in config.ema}, device)


def _of_parts(folder: Path, config: TrainConfig, network: NetworkConfig, device: torch.device) -> State:
    """Read fp16 safetensors of the weights and of their average, and a text file with the step."""
    try:
        step = int((folder / "step").read_text())
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{folder / 'step'}: holds no step number ({error})") from None
    net = _net(folder, _read_plain(folder / "net.safetensors"), network)
    average = ema.copy_of(_net(folder, _read_plain(folder / "ema.safetensors"), network).channels_last_())
    renormalise(net)
    return begin(net, {length: {k: v.clone() for k, v in average.items()} for length in config.ema}, device, step=step)


def _check_shape(path: Path, has: NetworkConfig, wanted: NetworkConfig) -> None:
    for name in ("channels", "blocks", "patch", "emb", "labels"):
        a, b = getattr(has, name), getattr(wanted, name)
        if a != b:
            hint = "train with the same labels (--labels), or without" if name == "labels" else "set it in --config"
            raise CheckpointError(f"--init {path}: its {name} are {_shown(a)}, this run's {_shown(b)}; {hint}")


def _shown(value: object) -> str:
    return (", ".join(map(str, value)) or "none") if isinstance(value, tuple) else str(value)


def _net(path: Path, tensors: dict[str, Tensor], network: NetworkConfig) -> UNet:
    net = UNet(network)
    try:
        net.load_state_dict({name: value.float() for name, value in tensors.items()})
    except RuntimeError:
        raise CheckpointError(f"{path}: its tensors do not fit the network of this run") from None
    if not all(bool(value.isfinite().all()) for value in net.state_dict().values()):
        raise CheckpointError(f"{path}: holds weights that are not finite")
    return net


def _of_tensors(
    path: Path, tensors: dict[str, Tensor], config: TrainConfig, network: NetworkConfig, device: torch.device, step: int
) -> State:
    net = _net(path, _part(tensors, "net/"), network)
    averages = {length: _part(tensors, f"ema/{length}/") for length in config.ema}
    for length, average in averages.items():
        averages[length] = ema.copy_of((_net(path, average, network) if average else net).channels_last_())
    return begin(net, averages, device, step=step)


def _load_optimisers(state: State, tensors: dict[str, Tensor]) -> None:
    parameters: dict[str, nn.Parameter] = dict(state.net.named_parameters())
    for optimiser in (state.muon, state.adam):
        own = {id(p) for group in optimiser.param_groups for p in group["params"]}
        for name, value in _part(tensors, "optimiser/").items():
            key, _, parameter = name.partition("/")
            p = parameters[parameter]
            if id(p) in own:
                like = value.to(state.device) if key != "step" else value
                if like.ndim == 4:
                    like = like.contiguous(memory_format=torch.channels_last)
                optimiser.state[p][key] = like


def _part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
        if metadata.get("format") != FORMAT:
            raise CheckpointError(f"{path}: is no training state of this program")
        return load_file(path), json.loads(metadata["run"])
    except (SafetensorError, OSError, ValueError, KeyError) as error:
        raise CheckpointError(f"{path}: cannot be read: {error}") from None


def _read_plain(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise CheckpointError(f"{path}: cannot be read as safetensors: {error}") from None
