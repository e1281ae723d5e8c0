"""Validation: PSNR per task on crops that were held out, for an average of the weights."""

import copy

import torch

from ..diffusion.denoiser import pad_to_multiple
from ..diffusion.network import UNet
from .bank import Bank
from .batch import Batch, validation_batch
from .config import OBJECTIVES, Objective, TrainConfig
from .ema import Weights
from .model import psnr

CROPS = 24
"""Crops a task."""


class Validation:
    """Fixed held-out crops with one degradation a task."""

    def __init__(self, bank: Bank, config: TrainConfig) -> None:
        """Take the pictures.

        Args:
            bank: the pictures that were held out.
            config: of the run.
        """
        self.bank, self.config = bank, config
        self.batches: dict[Objective, Batch] = {}

    @torch.no_grad()
    def __call__(self, net: UNet, average: Weights, dtype: torch.dtype) -> dict[str, float]:
        """Return the PSNR in dB of each task that the run trains.

        Args:
            net: the network.
            average: the weights to validate.
            dtype: to compute in.
        """
        if self.bank.count == 0:
            return {}
        network = restorer(net, average, dtype)
        return {task: round(self._task(network, task), 4) for task in OBJECTIVES if getattr(self.config.mix, task) > 0}

    def _task(self, network: UNet, task: Objective) -> float:
        if task not in self.batches:
            self.batches[task] = validation_batch(self.bank, self.config, task, CROPS)
        batch = self.batches[task].to(network.device)
        size = batch.net_in.shape[-1]
        padded = pad_to_multiple(batch.net_in, network.config.multiple)
        return psnr(network(padded, batch.noise, batch.cond)[..., :size, :size].float(), batch)


def restorer(net: UNet, average: Weights, dtype: torch.dtype) -> UNet:
    """Return the network with an average's weights, folded as for restoring."""
    network = copy.deepcopy(net)
    network.load_state_dict(average)
    return network.fold().half_(dtype)
