"""The network in training: its weights are normalised in the forward pass. And the loss."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

from ..diffusion.denoiser import pad_to_multiple
from ..diffusion.network import NetworkConfig, UNet, normalised
from .batch import Batch

FAINTEST = 1e-5
"""Pixels whose c_out is smaller are known; they do not count."""
SMALLEST_SHARE = 0.02


class Trainable(nn.Module):
    """F of a network. Each call normalises and folds the fp32 weights, then computes in `dtype`."""

    def __init__(self, net: UNet, dtype: torch.dtype) -> None:
        """Wrap a network.

        Args:
            net: with weights as in a checkpoint, not folded.
            dtype: to compute in.
        """
        super().__init__()
        self.net, self.dtype = net, dtype

    def forward(self, net_in: Tensor, noise: Tensor, cond: Tensor) -> Tensor:
        """Return F (B, 3, P, P), fp32.

        Args:
            net_in: (B, 8, P, P).
            noise: (B,), c_noise(sigma_t).
            cond: (B, described + K).
        """
        h, w = net_in.shape[-2:]
        padded = pad_to_multiple(net_in, self.net.config.multiple)
        f: Tensor = functional_call(self.net, self.net.trained_weights(self.dtype), (padded, noise, cond))
        return f[..., :h, :w].float()


def fresh(config: NetworkConfig, seed: int) -> UNet:
    """Return a network before its first step: normal weights, gains of 0, so F = 0."""
    random = torch.Generator().manual_seed(seed)
    net = UNet(config)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=random) if parameter.ndim else torch.zeros(()))
        net.fourier.freqs.copy_(2 * math.pi * torch.randn(net.fourier.freqs.shape, generator=random))
        net.fourier.phases.copy_(2 * math.pi * torch.rand(net.fourier.phases.shape, generator=random))
    renormalise(net)
    return net.channels_last_()


@torch.no_grad()
def renormalise(net: UNet) -> None:
    """Bring every weight back to unit mean square per output channel."""
    for _, layer, _ in net.layers():
        layer.weight.copy_(normalised(layer.weight))


def losses(f: Tensor, batch: Batch, target: Tensor | None = None) -> Tensor:
    """Return each sample's loss (B,): the squared error of F over the pixels that are not known.

    The target of the true pictures is (x0 - linear) / c_out. The error is averaged over all pixels and divided by the
    square root of the share that counts. A small hole weighs less than a large one, but more than its area.

    Args:
        f: (B, 3, P, P), the network's output.
        batch: what it was computed from.
        target: what F is to be; None = that of the true pictures.
    """
    counts = (batch.c_out > FAINTEST).float()
    if target is None:
        target = (batch.x0 - batch.linear) / batch.c_out.clamp_min(FAINTEST) * counts
    share = counts.mean((1, 2, 3)).clamp_min(SMALLEST_SHARE)
    return ((f - target) ** 2 * counts).mean((1, 2, 3)) / share.sqrt()


@torch.no_grad()
def psnr(f: Tensor, batch: Batch) -> float:
    """Return the mean PSNR in dB of the estimates of x0, clipped to [-1, 1]."""
    denoised = (batch.linear + batch.c_out * f).clamp(-1, 1)
    mse = F.mse_loss(denoised, batch.x0, reduction="none").mean((1, 2, 3))
    return float((10 * torch.log10(4 / mse.clamp_min(1e-12))).mean())
