"""Throughput of training: python -m benchmarks.speed_training PICTURES [--threads N] [--steps N] [--init photo]

Prints the CPU seconds that each part of a step takes (not wall seconds, so that a busy machine does not matter),
megapixels a CPU second, and the share of the rate that 3x3 convolutions alone reach. One thread by default:
threads that wait for each other spin, and that would count.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from diffuse_cli.diffusion.devices import gains_by_bf16
from diffuse_cli.diffusion.network import NetworkConfig
from diffuse_cli.training import ema, state
from diffuse_cli.training.bank import Bank, pack
from diffuse_cli.training.batch import Steps
from diffuse_cli.training.config import TrainConfig
from diffuse_cli.training.model import Trainable, losses, renormalise

MACS_PER_PIXEL = 0.18e6
"""Of the default network; a step costs three times that, forward and backward."""


def clocked(what: Callable[[], object], seconds: list[float]) -> None:
    begin = time.process_time()
    what()
    seconds.append(time.process_time() - begin)


def peak(dtype: torch.dtype) -> float:
    """FLOP/s of a 3x3 convolution of the size of the network's."""
    x = torch.randn(32, 128, 24, 24).to(dtype).contiguous(memory_format=torch.channels_last)
    w = torch.randn(128, 128, 3, 3).to(dtype).contiguous(memory_format=torch.channels_last)
    seconds: list[float] = []
    with torch.no_grad():
        for _ in range(8):
            clocked(lambda: F.conv2d(x, w, padding=1), seconds)
    return 2 * 9 * 128 * 128 * x.shape[0] * 24 * 24 / min(seconds[1:])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pictures", type=Path)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--init", default="photo")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    config, cpu = TrainConfig(), torch.device("cpu")
    dtype = torch.bfloat16 if gains_by_bf16(cpu) else torch.float32
    spent: dict[str, list[float]] = {name: [] for name in ("batch", "forward", "backward", "optimiser", "averages")}
    with tempfile.TemporaryDirectory() as folder:
        sources = pack([args.pictures], [], Path(folder), config, folder_labels=False, warn=print)
        steps = Steps(Bank(Path(folder), sources, config, held_out=False), config)
        current = state.start(args.init, config, NetworkConfig(), cpu)
        current.set_rate(1e-4)
        network = Trainable(current.net, dtype)
        for step in range(args.steps):
            clocked(lambda: steps[step], spent["batch"])  # noqa: B023 - called at once
            batch = steps[step]
            loss: list[Tensor] = []
            clocked(
                lambda: loss.append(losses(network(batch.net_in, batch.noise, batch.cond), batch).mean()),  # noqa: B023
                spent["forward"],
            )
            current.muon.zero_grad()
            current.adam.zero_grad()
            clocked(loss[0].backward, spent["backward"])
            clocked(lambda: (current.muon.step(), current.adam.step(), renormalise(current.net)), spent["optimiser"])
            average = current.averages[config.ema[0]]
            clocked(lambda: ema.update(average, current.net, 0.999), spent["averages"])  # noqa: B023
    median = {name: sorted(seconds[1:])[(len(seconds) - 1) // 2] for name, seconds in spent.items()}
    total = sum(median.values())
    pixels = config.batch * config.crop**2
    for name, seconds in median.items():
        print(f"{name:10} {seconds:.4f} s  {100 * seconds / total:.1f} %")
    rate, limit = 6 * MACS_PER_PIXEL * pixels / total, peak(dtype)
    share = f"{rate / 1e9:.0f} GFLOP/s, {100 * rate / limit:.0f} % of the {limit / 1e9:.0f} that convolutions reach"
    print(f"{pixels / total / 1e6:.4f} megapixels a CPU second; {share}")


if __name__ == "__main__":
    main()
