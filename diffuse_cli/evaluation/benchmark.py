"""The benchmark: start-up, the real commands, the network alone, and the fastest convolutions of this machine."""

import copy
from collections.abc import Callable, Collection
from typing import Any

import torch
from torch import Tensor

from ..diffusion.checkpoint import CheckpointInfo
from ..diffusion.foreign.model import MEMORY, ForeignModel
from ..diffusion.model import Model
from ..diffusion.network import UNet
from ..version import __version__
from .backend_speed import time_backends
from .command_speed import commands_of, startup, time_commands
from .device_speed import found_devices
from .hardware import cpu_name
from .network_speed import (
    DTYPES,
    REFERENCES,
    TILES,
    Timed,
    as_json,
    convolution_peaks,
    profile,
    time_network,
    time_reference,
)
from .region_speed import time_regions
from .stages import time_stages

FORMAT = "diffuse-benchmark/1"
SIZES, FULL_SIZES = (0.25, 1.0, 12.0), (0.25, 1.0, 12.0, 100.0)
REGION_SIZE, FULL_REGION_SIZE = 6.0, 24.0
STAGES_SIZE = 12.0
FOREIGN_SIZES, FULL_FOREIGN_SIZES, FOREIGN_TILES = (0.25,), (0.25, 1.0), (128, 256, 512)
"""The same for imported models, of which some take a hundred times as long, and the sides of their tiles."""


def benchmark(
    model: Model | ForeignModel, info: CheckpointInfo, *, full: bool, say: Callable[[str], None]
) -> dict[str, Any]:
    """Time everything, one after the other. Of an imported model: its network, and the commands that it is for.

    Args:
        model: in the dtype of the commands.
        info: of the checkpoint that `model` is.
        full: also time pictures of 100 megapixels, with imported models of 1.
        say: told what comes next.

    Returns:
        A report for JSON and `tables`.

    Raises:
        CommandFailedError: a command failed.
    """
    say("the fastest convolutions")
    peaks = convolution_peaks()
    networks, shares = [], {}
    timed = _networks(model, peaks) if isinstance(model, Model) else timed_foreign(model, peaks)
    for dtype, network in timed.items():
        say(f"{network.name} in {dtype}")
        networks += time_network(network, dtype, peaks)
        shares[dtype] = profile(network)
    for name in REFERENCES:
        say(name)
        networks.append(time_reference(name, peaks))
    say("start-up")
    started = startup()
    used = "bf16" if model.exact is not None else "fp32"
    options = ["--model", str(info.path), "--dtype", used, "--threads", str(torch.get_num_threads())]
    regions, stages, backends = [], [], []
    if isinstance(model, Model):
        say("regions of a picture")
        regions = time_regions(model, FULL_REGION_SIZE if full else REGION_SIZE)
        stages = time_stages(model, STAGES_SIZE, say)
        commands = time_commands(FULL_SIZES if full else SIZES, options, say)
        backends = time_backends(model.exact or model.network, info, list(peaks), say)
    else:
        sizes = FULL_FOREIGN_SIZES if full else FOREIGN_SIZES
        commands = time_commands(sizes, options, say, commands=commands_of(model.header))
    say("the devices")
    devices = [device.to_json() for device in found_devices(timed=True)]
    return {
        "format": FORMAT,
        "version": __version__,
        "machine": {"cpu": cpu_name(), "threads": torch.get_num_threads(), "torch": torch.__version__},
        "checkpoint": info.path.stem,
        "dtype": used,
        "convolution_peak": as_json(peaks),
        "networks": networks,
        "profile": shares,
        "startup": started,
        "regions": regions,
        "stages": stages,
        "commands": commands,
        "backends": backends,
        "devices": devices,
    }


def _networks(model: Model, peaks: Collection[str]) -> dict[str, Timed]:
    """Return the core in every dtype that this machine does not emulate."""
    exact = model.exact or model.network
    noise, cond = torch.zeros(1), torch.zeros(1, exact.config.cond)

    def timed(network: UNet) -> Timed:
        return Timed(name="core", channels=exact.config.in_ch, call=lambda x: network(x, noise, cond), tiles=TILES)

    return {
        dtype: timed(exact if dtype == "fp32" else copy.deepcopy(exact).half_(DTYPES[dtype]).channels_last_())
        for dtype in peaks
    }


def timed_foreign(model: ForeignModel, peaks: Collection[str]) -> dict[str, Timed]:
    """Return an imported network in every dtype that it computes in and that this machine does not emulate.

    Args:
        model: the network on the CPU.
        peaks: the types that the machine does not emulate.
    """
    exact, header = model.exact or model.network, model.header
    told = header.conditioned in ("noise", "mask")
    tiles = tuple(tile for tile in FOREIGN_TILES if tile**2 * model.bytes_per_pixel <= MEMORY) or FOREIGN_TILES[:1]

    def timed(network: Any, dtype: torch.dtype) -> Timed:  # noqa: ANN401 - spandrel's descriptor
        def call(x: Tensor) -> object:
            x = x.to(dtype)
            if header.conditioned == "mask":
                return network(x[:, :-1], (x[:, -1:] > 0.5).to(dtype))
            return network.model(x) if told else network(x)

        return Timed(name=header.architecture, channels=header.channels + told, call=call, tiles=tiles)

    def in_type(dtype: str) -> Any:  # noqa: ANN401 - as above
        network = copy.deepcopy(exact)
        network.model.to(DTYPES[dtype])
        return network

    types = [dtype for dtype in peaks if dtype == "fp32" or header.bf16]
    return {dtype: timed(exact if dtype == "fp32" else in_type(dtype), DTYPES[dtype]) for dtype in types}


def tables(report: dict[str, Any]) -> list[list[list[str]]]:
    """Return a report as tables of cells.

    Convolutions, networks, shares of the time, start-up, regions, stages, commands, backends, devices.
    """
    peaks = [["3x3 convolution, best", "TFLOPS", "channels", "side", "layout"]]
    for dtype, peak in report["convolution_peak"].items():
        peaks.append([dtype, f"{peak['tflops']:.3f}", str(peak["channels"]), str(peak["side"]), peak["layout"]])
    networks = [["network", "dtype", "layout", "tile", "s/Mpx", "MMAC/pixel", "of the peak"]]
    for row in report["networks"]:
        speed = [f"{row['seconds_per_megapixel']:.3g}", f"{row['macs_per_pixel'] / 1e6:.3f}"]
        share = f"{100 * row['fraction_of_peak']:.0f} %"
        networks.append([row["network"], row["dtype"], row["layout"], str(row["tile"]), *speed, share])
    kinds = [[f"the {report['networks'][0]['network']}'s time", *report["profile"]]]
    for kind in next(iter(report["profile"].values())):
        kinds.append([kind, *(f"{100 * shares[kind]:.1f} %" for shares in report["profile"].values())])
    started = [["start-up", "s"], *([what, f"{seconds:.2f}"] for what, seconds in report["startup"].items())]
    commands = [[f"command, {report['dtype']}", "Mpx", "s", "s/Mpx, net", "peak MiB"]]
    for row in report["commands"]:
        net = f"{row['seconds_per_megapixel']:.3g}" if "seconds_per_megapixel" in row else ""
        size = f"{row['megapixels']:g}" if row["megapixels"] else "64x64"
        commands.append([row["command"], size, f"{row['seconds']:.2f}", net, f"{row['peak_mib']:.0f}"])
    regions = [["without files", "Mpx", "s", "of the whole"]]
    for row in report["regions"]:
        share = f"{100 * row['of_the_whole']:.1f} %"
        regions.append([row["task"], f"{row['megapixels']:.1f}", f"{row['seconds']:.2f}", share])
    of_core = [regions, _stages(report)] if report["regions"] else []
    backends = [_backends(report)] if report["backends"] else []
    return [peaks, networks, kinds, started, *of_core, commands, *backends, _devices(report)]


def _stages(report: dict[str, Any]) -> list[list[str]]:
    names = ("reading", "finding", "network", "beside", "writing")
    cells = [["one after the other, s", "Mpx", *names]]
    for row in report["stages"]:
        cells.append([row["command"], f"{row['megapixels']:g}", *(f"{row[name]:.2f}" for name in names)])
    return cells


def _backends(report: dict[str, Any]) -> list[list[str]]:
    cells = [["backend", "dtype", "network, s/Mpx", "denoise, Mpx", "s", "peak MiB"]]
    for row in report["backends"]:
        is_whole = "seconds" in row
        whole = [f"{row['megapixels']:g}", f"{row['seconds']:.1f}", f"{row['peak_mib']:.0f}"] if is_whole else [""] * 3
        cells.append([row["backend"], row["dtype"], f"{row['seconds_per_megapixel']:.3g}", *whole])
    return cells


def _devices(report: dict[str, Any]) -> list[list[str]]:
    cells = [["--device", "name", "MiB", "dtype", "network, s/Mpx", "probed"]]
    for row in report["devices"]:
        memory = "" if row["memory_mib"] is None else str(row["memory_mib"])
        speed = "" if row["seconds_per_megapixel"] is None else f"{row['seconds_per_megapixel']:.3g}"
        cells.append([row["device"], row["name"], memory, row["dtype"], speed, row["probed"]])
    return cells
