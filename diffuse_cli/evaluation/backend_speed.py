"""The ways to compute beside each other: the bare network, and a photograph from start to file."""

import copy
import importlib.util
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from ..diffusion.backends.vulkan import chosen_gpu, gpus
from ..diffusion.checkpoint import FAST_MODEL, CheckpointInfo, find, load
from ..diffusion.model import from_weights
from ..diffusion.network import UNet
from .command_speed import diffuse, picture, run
from .network_speed import DTYPES, seconds_of

MEGAPIXELS = 12.0
"""Of the photograph."""
SIDE, SIDE_OF_SOFTWARE = 512, 128
"""Of the window that the bare network is timed on, in pixels; the CPU computes a GPU's shaders very slowly."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Way:
    """A way to compute.

    Attributes:
        name: the backend, and the GPU.
        dtype: of the numbers.
        network: the bare one.
        options: of the commands. None: it is too slow for a photograph.
        side: of the window, in pixels.
    """

    name: str
    dtype: str
    network: UNet
    options: tuple[str, ...] | None
    side: int = SIDE


def time_backends(
    exact: UNet, info: CheckpointInfo, dtypes: list[str], say: Callable[[str], None]
) -> list[dict[str, Any]]:
    """Time each way to compute that is here.

    Args:
        exact: the network, folded, in fp32 on the CPU.
        info: of its checkpoint.
        dtypes: that this processor does not emulate.
        say: told what comes next.

    Returns:
        Rows with the bare network's `seconds_per_megapixel`, and the `seconds` and `peak_mib` of a photograph.

    Raises:
        CommandFailedError: a command failed.
    """
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as name:
        source, result = Path(name) / "in.png", Path(name) / "out.png"
        picture(source, MEGAPIXELS)
        for way in ways(exact, info, dtypes):
            say(f"{way.name} in {way.dtype}")
            row: dict[str, Any] = {"backend": way.name, "dtype": way.dtype, "seconds_per_megapixel": bare_seconds(way)}
            if way.options is not None:
                how = ("--threads", str(torch.get_num_threads()), *way.options)
                spent = run(diffuse("denoise", str(source), "--noise", "15", "-q", "-o", str(result), "-f", *how))
                row |= {"megapixels": MEGAPIXELS} | spent._asdict()
            rows.append(row)
    return rows


def ways(exact: UNet, info: CheckpointInfo, dtypes: list[str]) -> Iterator[Way]:
    """Yield the ways to compute that are here, with a network and with that of `--fast`.

    Args:
        exact: the network, folded, in fp32 on the CPU.
        info: of its checkpoint.
        dtypes: of torch.

    Raises:
        CheckpointError: there is no network for `--fast`.
    """
    yield from _ways(exact, dtypes, ("--model", str(info.path)))
    fast = find(FAST_MODEL)
    if fast != info.path:
        for way in _ways(load(fast), dtypes, ("--fast",)):
            yield replace(way, name=f"{way.name}, --fast")


def _ways(exact: UNet, dtypes: list[str], model: tuple[str, ...]) -> Iterator[Way]:
    """Yield the ways of a network: torch in each type, ncnn, and a GPU that Vulkan reaches."""
    for dtype in dtypes:
        network = exact if dtype == "fp32" else copy.deepcopy(exact).half_(DTYPES[dtype])
        yield Way(name="torch", dtype=dtype, network=network, options=(*model, "--device", "cpu", "--dtype", dtype))
    if importlib.util.find_spec("ncnn") is None:
        return
    made = from_weights(exact, torch.float32, compiled=False, backend="ncnn").network
    yield Way(name="ncnn", dtype="fp32", network=made, options=(*model, "--backend", "ncnn", "--dtype", "fp32"))
    if not gpus():
        return
    gpu = chosen_gpu("vulkan")
    made = from_weights(exact, torch.float32, compiled=False, backend="vulkan", gpu=gpu.number).network
    how = None if gpu.is_software else (*model, "--device", f"vulkan:{gpu.number}", "--dtype", "fp32")
    side = SIDE_OF_SOFTWARE if gpu.is_software else SIDE
    yield Way(name=f"ncnn Vulkan, {gpu.name}", dtype="fp32", network=made, options=how, side=side)


@torch.no_grad()
def bare_seconds(way: Way) -> float:
    """Return the network's seconds for a megapixel."""
    config = way.network.config
    x = torch.randn(1, config.in_ch, way.side, way.side)
    noise, cond = torch.zeros(1), torch.zeros(1, config.cond)
    return seconds_of(lambda: way.network(x, noise, cond)) / (way.side**2 / 1e6)
