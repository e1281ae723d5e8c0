"""Files of other programs' models, small enough to be known by heart."""

from pathlib import Path

import torch
from torch import Tensor, nn

from diffuse_cli.diffusion.foreign.importing import import_model
from diffuse_cli.diffusion.foreign.model import ForeignModel


def prior(channels: int = 3, *, told: float = 1.0) -> dict[str, Tensor]:
    """The weights of an FDnCNN that adds `told` times the plane of noise to the picture, and does no more."""
    from spandrel.architectures.DnCNN import DnCNN

    network = DnCNN(in_nc=channels + 1, out_nc=channels, nc=channels + 1, nb=9, act_mode="R", mode="FDnCNN")
    layers = [module for module in network.model if isinstance(module, nn.Conv2d)]
    with torch.no_grad():
        for layer in layers:
            layer.weight.zero_()
            assert layer.bias is not None
            layer.bias.zero_()
            for k in range(min(layer.weight.shape[:2])):
                layer.weight[k, k, 1, 1] = 1
        for layer, lifted in ((layers[0], 4.0), (layers[-1], -4 * (1 + told))):
            assert layer.bias is not None
            layer.bias.add_(lifted)
        layers[-1].weight[:, channels, 1, 1] = told
    return dict(network.state_dict())


def enlarger(scale: int = 2, channels: int = 3, seed: int | None = 0) -> dict[str, Tensor]:
    """The weights of a Compact with random weights; without a seed it repeats pixels."""
    from spandrel.architectures.Compact import Compact

    torch.manual_seed(seed or 0)
    made = Compact(num_in_ch=channels, num_out_ch=channels, num_feat=8, num_conv=2, upscale=scale)
    network: dict[str, Tensor] = dict(made.state_dict())
    return network if seed is not None else {name: torch.zeros_like(value) for name, value in network.items()}


def denoiser(channels: int = 1) -> dict[str, Tensor]:
    """The weights of a DnCNN that takes 0.1 from every sample."""
    from spandrel.architectures.DnCNN import DnCNN

    network = DnCNN(in_nc=channels, out_nc=channels, nc=4, nb=9, act_mode="R", mode="DnCNN")
    weights: dict[str, Tensor] = {name: torch.zeros_like(value) for name, value in network.state_dict().items()}
    last = max(weights, key=lambda name: int(name.split(".")[1]) if name.endswith("bias") else -1)
    weights[last] += 0.1
    return weights


def filler() -> dict[str, Tensor]:
    """The weights of a small LaMa with random weights."""
    from spandrel.architectures.LaMa import LaMa

    torch.manual_seed(0)
    return dict(LaMa(in_nc=4, out_nc=3).state_dict())


def of_quality() -> dict[str, Tensor]:
    """The weights of a small FBCNN with random weights."""
    from spandrel.architectures.FBCNN import FBCNN

    torch.manual_seed(0)
    return dict(FBCNN(nc=[8, 8, 8, 512], nb=2).state_dict())


def imported(weights: dict[str, Tensor], folder: Path, name: str = "other", **how: object) -> ForeignModel:
    """Import weights from a file of `torch.save`."""
    torch.save(weights, folder / f"{name}.pth")
    path, _ = import_model(folder / f"{name}.pth", name=name, force=True, **how)  # type: ignore[arg-type]
    return ForeignModel.load(path, device="cpu", dtype="fp32")
