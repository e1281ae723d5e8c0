"""The network with its convolutions computed by ncnn, whose Winograd kernels are the fastest in fp32 on many CPUs.

The graph is written in ncnn's own text from the folded weights. Nothing is traced or converted, and windows may have
any size. torch computes the embedding; its factors for each channel of each block are inputs of the graph.
"""

import math
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...errors import UsageError
from ..network import PASS_GAIN, Block, NetworkConfig, UNet
from .vulkan import half_is_exact

INPUT, OUTPUT = "in", "out"


class _Graph:
    """ncnn's text of a network, layer by layer, and the weights in the same order. Each blob is read only once."""

    def __init__(self) -> None:
        self.layers: list[str] = []
        self.weights: list[bytes] = []
        self.blobs = 0

    def add(self, kind: str, read: Sequence[str], options: str = "", made: Sequence[str] = ("",)) -> list[str]:
        """Add a layer, and return the names of its results.

        Args:
            kind: ncnn's name of it.
            read: names of what it reads.
            options: as ncnn writes them.
            made: names of its results; "" = any.
        """
        names = [name or f"b{self.blobs + k}" for k, name in enumerate(made)]
        self.blobs += len(names)
        counts = f"{len(read)} {len(names)}"
        self.layers.append(" ".join([kind, f"l{len(self.layers)}", counts, *read, *names, options]))
        return names

    def convolution(self, x: str, weight: Tensor, name: str = "") -> str:
        """Add a zero-padded convolution with weight (out, in, k, k), k odd, and return its result's name."""
        side = weight.shape[-1]
        self.weights += [bytes(4), weight.float().contiguous().numpy().tobytes()]  # four zeros: these are floats
        options = f"0={weight.shape[0]} 1={side} 4={side // 2} 5=0 6={weight.numel()}"
        return self.add("Convolution", [x], options, [name])[0]

    def twice(self, x: str) -> list[str]:
        """Copy x for two readers, and return both names."""
        return self.add("Split", [x], made=("", ""))

    def block(self, block: Block, x: str, film: str, halves: Tensor | None = None) -> str:
        """Add a block of the network, and return its result's name.

        Args:
            block: the block.
            x: name of its input.
            film: name of the embedding's factors.
            halves: factors that the channels of its input are still to be multiplied by. None: none.
        """
        conv0: Tensor = block.conv0.weight
        skip: Tensor | None = None if block.skip is None else block.skip.weight
        if halves is not None:  # positive, so ReLU lets them through
            conv0, skip = conv0 * halves, None if skip is None else skip * halves
        if skip is not None and not block.wide_input:
            x = self.convolution(x, skip)
        inner, outer = self.twice(x)
        y = self.convolution(self.add("ReLU", [inner])[0], conv0)
        y = self.add("ReLU", self.add("BinaryOp", [y, film], "0=2"))[0]
        y = self.convolution(y, block.conv1.weight)
        if skip is not None and block.wide_input:
            return self.add("BinaryOp", [y, self.convolution(outer, skip)], "0=0")[0]
        return self.add("Eltwise", [y, outer], f"0=1 -23301=2,1.0,{PASS_GAIN!r}")[0]

    def text(self) -> str:
        """Return the whole file."""
        return "\n".join(["7767517", f"{len(self.layers)} {self.blobs}", *self.layers, ""])


def _blocks(level: nn.Module) -> list[Block]:
    return [cast(Block, block) for block in cast(nn.ModuleList, level)]


def _halves(a: int, b: int) -> Tensor:
    """Return the factors by which `mp_cat` scales what it joins, (1, a + b, 1, 1)."""
    c = math.sqrt((a + b) / 2)
    return torch.cat([torch.full((a,), c / math.sqrt(a)), torch.full((b,), c / math.sqrt(b))])[:, None, None][None]


def _graph(network: UNet) -> _Graph:
    graph = _Graph()
    (x,) = graph.add("Input", [], made=[INPUT])
    films = iter([graph.add("Input", [], made=[f"film{k}"])[0] for k in range(len(blocks_of(network)))])
    x = graph.convolution(x, network.stem.weight)
    skips: list[tuple[str, int]] = []
    width = network.stem.weight.shape[0]
    for i, level in enumerate(network.enc):
        x = graph.add("Pooling", [x], "0=1 1=2 2=2 5=1")[0] if i else x
        for block in _blocks(level):
            x, width = graph.block(block, x, next(films)), block.conv1.weight.shape[0]
        x, skip = graph.twice(x)
        skips.append((skip, width))
    x = graph.block(_blocks(network.mid)[0], x, next(films))
    for i, level in enumerate(network.dec):
        x = graph.add("Interp", [x], "0=1 1=2.0 2=2.0")[0] if i else x
        skip, added = skips.pop()
        (x,) = graph.add("Concat", [x, skip])
        halves: Tensor | None = _halves(width, added)
        for block in _blocks(level):
            x, width, halves = graph.block(block, x, next(films), halves), block.conv1.weight.shape[0], None
    graph.convolution(x, network.out.weight, OUTPUT)
    return graph


def blocks_of(network: UNet) -> list[Block]:
    """Return every block, in the order in which they compute."""
    return [
        block for levels in (network.enc, [network.mid], network.dec) for level in levels for block in _blocks(level)
    ]


class NcnnNetwork(UNet):
    """The network computed by ncnn, on the CPU or on a GPU. It takes torch's number of threads when it is made.

    Attributes:
        recomputed: windows that a GPU got wrong, which the CPU computed again.
    """

    recomputed: int

    def __init__(
        self, network: UNet, dtype: torch.dtype, gpu: int | None = None, *, half_arithmetic: bool = False
    ) -> None:
        """Load the weights into ncnn.

        Args:
            network: the network, folded, in fp32.
            dtype: type in which ncnn holds what lies between the layers: float32 or bfloat16, on a GPU float32 or
                float16.
            gpu: number of the GPU, as Vulkan counts them. None: the CPU.
            half_arithmetic: a GPU computes in float16, too.
        """
        import ncnn

        super().__init__(network.config)
        self.load_state_dict(network.state_dict())
        self.eval().requires_grad_(False)
        self._dtype = dtype
        self._net = ncnn.Net()
        options = self._net.opt
        options.num_threads = torch.get_num_threads()
        options.use_bf16_storage = dtype == torch.bfloat16
        half = dtype == torch.float16
        options.use_fp16_packed = options.use_fp16_storage = half
        options.use_fp16_arithmetic = half and half_arithmetic
        self.recomputed, self._is_on_gpu = 0, gpu is not None
        if gpu is not None:
            options.use_vulkan_compute = True
            self._net.set_vulkan_device(gpu)
        graph = _graph(network)
        with tempfile.TemporaryDirectory(prefix="diffuse-") as folder:
            text, weights = Path(folder) / "core.param", Path(folder) / "core.bin"
            text.write_text(graph.text())
            weights.write_bytes(b"".join(graph.weights))
            if self._net.load_param(str(text)) != 0 or self._net.load_model(str(weights)) != 0:
                raise UsageError("--engine ncnn: this version of it does not take the network; leave the option out")

    @property
    def dtype(self) -> torch.dtype:
        """The type of what lies between the layers."""
        return self._dtype

    def forward(self, x: Tensor, noise: Tensor, cond: Tensor) -> Tensor:
        """Return F, see `UNet.forward`, in fp32."""
        e = self.embed(noise, cond)
        films = [block.emb(e) + 1 for block in blocks_of(self)]
        given = x
        x = F.pixel_unshuffle(x.float(), self.config.patch)
        x = torch.cat([x, torch.ones_like(x[:, :1])], 1).contiguous()
        outputs = torch.stack([self._computed(x[k], [film[k] for film in films]) for k in range(len(x))])
        whole = F.pixel_shuffle(outputs, self.config.patch)
        return whole if not self._is_on_gpu or _is_sound(whole) else self._again(given, noise, cond)

    def _again(self, x: Tensor, noise: Tensor, cond: Tensor) -> Tensor:
        """Compute on the CPU what a GPU got wrong."""
        self.recomputed += len(x)
        return super().forward(x.float(), noise, cond)

    def _computed(self, x: Tensor, films: list[Tensor]) -> Tensor:
        """Map x (C, h, w) to (3 patch^2, h, w)."""
        import ncnn

        extractor = self._net.create_extractor()
        given = {INPUT: x, **{f"film{k}": film[:, None, None] for k, film in enumerate(films)}}
        for name, value in given.items():
            extractor.input(name, ncnn.Mat(np.ascontiguousarray(value.numpy())).clone())
        code, out = extractor.extract(OUTPUT)
        if code != 0:
            raise MemoryError("ncnn is out of memory")  # the one thing that can go wrong with a graph that was loaded
        return torch.from_numpy(np.array(out))


def half_on_gpu(network: UNet, gpu: int) -> NcnnNetwork:
    """Return a network in float16 on a GPU: with its arithmetic, or with its storage alone if that is not exact enough.

    Args:
        network: the network, folded, in fp32.
        gpu: number of the GPU.

    Raises:
        UsageError: neither is exact enough.
    """
    for half_arithmetic in (True, False):
        half = NcnnNetwork(network, torch.float16, gpu, half_arithmetic=half_arithmetic)
        if half_is_exact(network, half):
            return half
    raise UsageError("--dtype fp16: this GPU is off by more than a quarter of a level in it; leave the option out")


def is_right_on_gpu(gpu: int) -> bool:
    """Return whether a GPU gives what the CPU gives, on a small network of all kinds of layers.

    Args:
        gpu: its number, as Vulkan counts them.
    """
    small = UNet(NetworkConfig(channels=(16, 24), blocks=(1, 1), emb=16))
    generator = torch.Generator().manual_seed(0)
    for tensor in small.state_dict().values():
        tensor.copy_(torch.randn(tensor.shape, generator=generator) if tensor.ndim else torch.ones(()))
    small.fold()
    try:
        return half_is_exact(small, NcnnNetwork(small, torch.float32, gpu))
    except (MemoryError, UsageError):
        return False


def _is_sound(outputs: Tensor) -> bool:
    """Return whether every picture (B, C, h, w) is finite and not constant. Some drivers give such pictures."""
    spread = outputs.flatten(1).amax(1) - outputs.flatten(1).amin(1)
    return bool(torch.isfinite(spread).all()) and bool((spread > 0).all())
