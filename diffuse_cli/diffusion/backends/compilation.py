"""torch.compile of the network: kernels made on this machine, by the compiler that is there."""

import importlib.util
import logging
import os
import shutil
import sys
from typing import TYPE_CHECKING

from ...errors import UsageError

if TYPE_CHECKING:
    import torch

    from ..network import UNet


def check_compiler(device: "torch.device") -> None:
    """Check that the compiler that torch.compile calls is there: for a CPU a C++ compiler, for a GPU Triton.

    Raises:
        UsageError: it is not.
    """
    if device.type == "cuda" and importlib.util.find_spec("triton") is None:
        raise UsageError("--compile: Triton, which it needs on a GPU, is not installed; leave the option out")
    compiler = os.environ.get("CXX") or {"darwin": "clang++", "win32": "cl"}.get(sys.platform, "g++")
    if device.type == "cpu" and shutil.which(compiler) is None:
        raise UsageError(
            f"--compile: there is no C++ compiler {compiler}; install it, name another in CXX, or leave the option out"
        )


def compile_network(network: "UNet") -> None:
    """Compile a network in place, by a first small call, so that errors come before any picture is read.

    It is compiled once for all larger sizes. It is compiled again at the first batch, and at the first window so small
    that torch has other convolutions for it.

    Raises:
        UsageError: the compiler fails.
    """
    import torch

    logging.getLogger("torch.utils.cpp_extension").setLevel(logging.ERROR)  # it warns where there is no GPU
    network.compile(dynamic=True)
    config, device = network.config, network.device
    height, width = 24 * config.multiple, 20 * config.multiple  # equal sides would be taken for always equal
    x = torch.zeros(1, config.in_ch, height, width, device=device)
    noise, cond = torch.zeros(1, device=device), torch.zeros(1, config.cond, device=device)
    try:
        with torch.no_grad():
            network(x, noise, cond)
    except (RuntimeError, OSError, ImportError) as error:
        why = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
        raise UsageError(f"--compile: torch.compile failed here ({why[:200]}); leave the option out") from None
