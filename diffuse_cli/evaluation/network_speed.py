"""Speed of networks, as a fraction of the fastest convolution that the same run finds."""

import itertools
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}
LAYOUTS = {"NCHW": torch.contiguous_format, "channels_last": torch.channels_last}
SHAPES = ((64, 256), (96, 256), (96, 128), (128, 128), (160, 128))
"""Channels and side of the 3x3 convolutions that are tried for the peak."""
TILES = (256, 512, 1024)
_LEAST_SECONDS, _MOST_CALLS = 0.3, 50
_TOO_SLOW = 20.0
"""A dtype whose fastest convolution is this many times slower than fp32's is emulated, and is not timed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Peak:
    """The fastest 3x3 convolution of one dtype, in tera floating point operations a second; a MAC is two."""

    tflops: float
    channels: int
    side: int
    layout: str


def seconds_of(call: Callable[[], object], least: float = _LEAST_SECONDS) -> float:
    """Return the seconds of the shortest of several calls; a first call is not counted."""
    call()
    times: list[float] = []
    begin = time.perf_counter()
    while len(times) < 2 or (time.perf_counter() - begin < least and len(times) < _MOST_CALLS):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return min(times)


@torch.no_grad()
def convolution_peaks() -> dict[str, Peak]:
    """Return the peak of each dtype, over several shapes and both layouts; emulated dtypes are left out."""
    peaks: dict[str, Peak] = {}
    for name, dtype in DTYPES.items():
        found = []
        for (channels, side), layout in itertools.product(SHAPES, LAYOUTS):
            x = torch.randn(1, channels, side, side).to(dtype).contiguous(memory_format=LAYOUTS[layout])
            w = torch.randn(channels, channels, 3, 3).to(dtype).contiguous(memory_format=LAYOUTS[layout])
            flops = 2 * 9 * channels**2 * side**2
            begin = time.perf_counter()
            F.conv2d(x, w, padding=1)
            if peaks and (time.perf_counter() - begin) * peaks["fp32"].tflops * 1e12 > _TOO_SLOW * flops:
                continue
            tflops = flops / seconds_of(lambda x=x, w=w: F.conv2d(x, w, padding=1)) / 1e12  # type: ignore[misc]
            found.append(Peak(tflops=tflops, channels=channels, side=side, layout=layout))
        if found:
            peaks[name] = max(found, key=lambda peak: peak.tflops)
    return peaks


def macs_per_pixel(network: Callable[[Tensor], object], x: Tensor) -> float:
    """Count the multiply-accumulates of one call, for each pixel of x (1, C, H, W)."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(x)
    return float(counter.get_total_flops()) / 2 / (x.shape[-2] * x.shape[-1])


class HalfResolution(nn.Module):
    """A network of FFDNet's shape (Zhang et al. 2018): 15 -> 96, ten 96 -> 96, 96 -> 12, 3x3, half resolution."""

    def __init__(self) -> None:
        """Start with random weights."""
        super().__init__()
        self.body = _plain(15, 96, 12, 12)

    def forward(self, x: Tensor) -> Tensor:
        """Map (1, 3, H, W) to (1, 3, H, W)."""
        down = F.pixel_unshuffle(x, 2)
        level = torch.zeros_like(down[:, :3])
        y = torch.cat([down, level], 1)
        if x.is_contiguous(memory_format=torch.channels_last):
            y = y.contiguous(memory_format=torch.channels_last)
        return F.pixel_shuffle(self.body(y), 2)


def _plain(first: int, width: int, last: int, depth: int) -> nn.Sequential:
    widths = [first, *[width] * (depth - 1), last]
    layers: list[nn.Module] = []
    for a, b in itertools.pairwise(widths):
        layers += [nn.Conv2d(a, b, 3, padding=1), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers[:-1])


def dncnn_shaped() -> nn.Module:
    """Return a network of DnCNN's shape (Zhang et al. 2017) with random weights: 17 layers of 3x3, 64 wide, ReLU."""
    return _plain(3, 64, 3, 17)


class EnlargerOfTwo(nn.Module):
    """A network of SPAN's shape (Wan et al. 2024) that enlarges by 2: 48 wide, six blocks of three layers of 3x3."""

    def __init__(self) -> None:
        """Start with random weights."""
        super().__init__()
        self.first = nn.Conv2d(3, _SPAN, 3, padding=1)
        self.blocks = nn.ModuleList(
            nn.ModuleList(nn.Conv2d(_SPAN, _SPAN, 3, padding=1) for _ in range(3)) for _ in range(6)
        )
        self.last = nn.Conv2d(_SPAN, _SPAN, 3, padding=1)
        self.joined = nn.Conv2d(4 * _SPAN, _SPAN, 1)
        self.out = nn.Conv2d(_SPAN, 12, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Map (1, 3, H, W), of which every other row and column is read, to (1, 3, H, W)."""
        x = first = self.first(x[..., ::2, ::2])
        passed = []
        for block in self.blocks:
            inner = x
            for k, layer in enumerate(cast(nn.ModuleList, block)):
                inner = layer(F.silu(inner) if k else inner)
            x = (inner + x) * (torch.sigmoid(inner) - 0.5)
            passed.append(x)
        joined = self.joined(torch.cat([first, self.last(x), passed[0], passed[-2]], 1))
        return F.pixel_shuffle(self.out(joined), 2)


_SPAN = 48

REFERENCES: dict[str, Callable[[], nn.Module]] = {
    "FFDNet-shaped": HalfResolution, "SPAN-shaped, x2": EnlargerOfTwo, "DnCNN-shaped": dncnn_shaped
}  # fmt: skip


def time_reference(name: str, peaks: dict[str, Peak]) -> dict[str, Any]:
    """Time one of the reference networks at its best tile, layout and dtype."""
    torch.manual_seed(0)
    best: dict[str, Any] = {"network": name, "seconds_per_megapixel": float("inf")}
    for dtype, layout in itertools.product(peaks, LAYOUTS):
        network = REFERENCES[name]().to(DTYPES[dtype]).to(memory_format=LAYOUTS[layout]).eval()
        for tile in TILES:
            x = torch.randn(1, 3, tile, tile).to(DTYPES[dtype]).contiguous(memory_format=LAYOUTS[layout])
            seconds = _seconds_per_megapixel(network, x)
            if seconds < best["seconds_per_megapixel"]:
                how = {"dtype": dtype, "layout": layout, "tile": tile, "seconds_per_megapixel": seconds}
                best |= how | _against_peak(macs_per_pixel(network, x), seconds, peaks[dtype])
            elif seconds > 3 * best["seconds_per_megapixel"]:
                break  # larger tiles will not make up for that
    return best


@dataclass(frozen=True, kw_only=True, slots=True)
class Timed:
    """A network that is timed.

    Attributes:
        name: in the report.
        channels: of its input.
        call: computes an input (1, C, H, W).
        tiles: sides of its inputs.
    """

    name: str
    channels: int
    call: Callable[[Tensor], object]
    tiles: tuple[int, ...]


def time_network(network: Timed, dtype: str, peaks: dict[str, Peak]) -> list[dict[str, Any]]:
    """Time a network alone, on whole tiles of several sizes."""
    rows = []
    for tile in network.tiles:
        x = torch.rand(1, network.channels, tile, tile)
        seconds = _seconds_per_megapixel(network.call, x)
        macs = macs_per_pixel(network.call, x)
        rows.append(
            {"network": network.name, "dtype": dtype, "layout": "channels_last", "tile": tile}
            | {"seconds_per_megapixel": seconds}
            | _against_peak(macs, seconds, peaks[dtype])
        )
    return rows


@torch.no_grad()
def _seconds_per_megapixel(network: Callable[[Tensor], object], x: Tensor) -> float:
    return seconds_of(lambda: network(x)) / (x.shape[-2] * x.shape[-1] / 1e6)


def _against_peak(macs: float, seconds: float, peak: Peak) -> dict[str, float]:
    return {"macs_per_pixel": macs, "fraction_of_peak": 2 * macs * 1e6 / seconds / (peak.tflops * 1e12)}


_KINDS = {
    "convolution": ("conv", "addmm", "mm"),
    "pooling and resizing": ("pool", "upsample"),
    "copies and joins": ("copy", "cat", "clone", "shuffle", "pad", "empty"),
    "pointwise": ("add", "mul", "relu", "clamp", "div", "cos", "ones", "fill"),
}


class OperatorTimes(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Seconds in each of torch's operators; on a CPU they run one after the other, so each can be timed."""

    def __init__(self) -> None:
        """Begin with nothing timed."""
        super().__init__()  # type: ignore[no-untyped-call]
        self.seconds: dict[str, float] = {}

    def __torch_dispatch__(
        self, func: Callable[..., object], types: object, args: Sequence[object] = (),
        kwargs: Mapping[str, object] | None = None,
    ) -> object:  # fmt: skip
        """Run an operator, and add its time."""
        begin = time.perf_counter()
        result = func(*args, **(kwargs or {}))
        name = str(func).removeprefix("aten.").split(".")[0]
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - begin
        return result


@torch.no_grad()
def profile(network: Timed) -> dict[str, float]:
    """Return the share of each kind of work in the time of one call, on the largest tile."""
    x = torch.rand(1, network.channels, network.tiles[-1], network.tiles[-1])
    network.call(x)
    with OperatorTimes() as times:
        network.call(x)
    shares = dict.fromkeys([*_KINDS, "other"], 0.0)
    for name, seconds in times.seconds.items():
        kind = next((k for k, marks in _KINDS.items() if any(mark in name for mark in marks)), "other")
        shares[kind] += seconds
    total = sum(shares.values())
    return {kind: round(value / total, 4) for kind, value in shares.items()}


def as_json(peaks: dict[str, Peak]) -> dict[str, dict[str, Any]]:
    """Return the peaks as a report holds them."""
    return {dtype: asdict(peak) for dtype, peak in peaks.items()}
