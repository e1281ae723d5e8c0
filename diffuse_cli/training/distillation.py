"""Distillation: a network learns the estimates of another one, its teacher (Hinton et al., 2015)."""

from collections.abc import Callable

import torch
from torch import Tensor

from ..diffusion import checkpoint
from ..diffusion.denoiser import pad_to_multiple
from ..diffusion.network import NetworkConfig
from ..errors import CheckpointError
from .batch import Batch

Target = Callable[[Batch], Tensor]
"""Returns what F is to be, (B, 3, P, P)."""


def sha256_of(name: str) -> str:
    """Return the sha256 of the tensors of a teacher.

    Raises:
        CheckpointError: there is no such checkpoint, or it is damaged.
    """
    return checkpoint.verify(checkpoint.find(name))[0]


def target_of(name: str, pupil: NetworkConfig, device: torch.device, dtype: torch.dtype, *, compiled: bool) -> Target:
    """Return the function that computes F of another network, which is the target.

    An estimate has less noise than a picture, so a small network comes nearer to its teacher by it in the same steps.

    Args:
        name: a checkpoint.
        pupil: of the network that learns. Channels, blocks and patch may differ.
        device: where to compute.
        dtype: to compute in.
        compiled: compile it first.

    Raises:
        CheckpointError: there is no such checkpoint, or it takes other inputs.
    """
    path = checkpoint.find(name)
    net = checkpoint.load(path)
    for field in ("in_ch", "described", "labels", "gray"):
        if getattr(net.config, field) != getattr(pupil, field):
            raise CheckpointError(f"--teacher {path}: has another {field} than this run's network")
    net.requires_grad_(False)
    net.to(device).half_(dtype).channels_last_()
    if compiled:
        net.compile(dynamic=False)

    @torch.no_grad()
    def target(batch: Batch) -> Tensor:
        h, w = batch.net_in.shape[-2:]
        padded = pad_to_multiple(batch.net_in, net.config.multiple).to(dtype, memory_format=torch.channels_last)
        f: Tensor = net(padded, batch.noise, batch.cond)
        return f[..., :h, :w].float()

    return target
