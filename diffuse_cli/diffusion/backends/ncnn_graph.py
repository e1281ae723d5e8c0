"""ncnn's own text of the network, written from the folded weights. Nothing is traced or converted.

Windows may have any size.
"""

import math
from collections.abc import Sequence
from typing import Final, cast

import torch
from torch import Tensor, nn

from ..network import PASS_GAIN, RELU_GAIN, Block, UNet

INPUT, OUTPUT = "in", "out"
NOISE, COND = "noise", "cond"
"""Inputs of a graph that computes the embedding, too."""
_COS: Final = 10
"""ncnn's number of the cosine among its unary operations."""


class Graph:
    """ncnn's text of a network, layer by layer, and the weights in the same order. Each blob is read only once."""

    def __init__(self) -> None:
        """Begin with nothing."""
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

    def matrix(self, x: str, weight: Tensor, bias: Tensor) -> str:
        """Add a matrix (out, in) and a bias (out,), and return its result's name."""
        self.weights += [bytes(4), *(t.float().contiguous().numpy().tobytes() for t in (weight, bias))]
        return self.add("InnerProduct", [x], f"0={len(weight)} 1=1 2={weight.numel()}")[0]

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
        """Return the file of the layers."""
        return "\n".join(["7767517", f"{len(self.layers)} {self.blobs}", *self.layers, ""])

    def data(self) -> bytes:
        """Return the file of the weights."""
        return b"".join(self.weights)


def _blocks(level: nn.Module) -> list[Block]:
    return [cast(Block, block) for block in cast(nn.ModuleList, level)]


def _halves(a: int, b: int) -> Tensor:
    """Return the factors by which `mp_cat` scales what it joins, (1, a + b, 1, 1)."""
    c = math.sqrt((a + b) / 2)
    return torch.cat([torch.full((a,), c / math.sqrt(a)), torch.full((b,), c / math.sqrt(b))])[:, None, None][None]


def folded_graph(network: UNet) -> Graph:
    """Return the graph of what lies between the folding of pixels into channels and back.

    It reads the folded planes, a plane of ones, and the embedding's factors `film0`, `film1`, ... of each block.
    """
    graph = Graph()
    (x,) = graph.add("Input", [], made=[INPUT])
    films = [graph.add("Input", [], made=[f"film{k}"])[0] for k in range(len(blocks_of(network)))]
    _add_network(graph, network, x, films, OUTPUT)
    return graph


def whole_graph(network: UNet) -> Graph:
    """Return the graph of `UNet.forward`: planes (8, h, w), noise (1) and cond -> (3, h, w)."""
    graph = Graph()
    x, noise, cond = (graph.add("Input", [], made=[name])[0] for name in (INPUT, NOISE, COND))
    folded, again = graph.twice(graph.add("Reorg", [x], f"0={network.config.patch} 1=0")[0])
    channels = network.config.in_ch * network.config.patch**2
    graph.weights += [bytes(4), bytes(4 * channels), torch.ones(1).numpy().tobytes()]
    ones = graph.add("Convolution", [again], f"0=1 1=1 5=1 6={channels}")[0]
    (x,) = graph.add("Concat", [folded, ones])
    made = _add_network(graph, network, x, _films(graph, network, noise, cond))
    graph.add("PixelShuffle", [made], f"0={network.config.patch} 1=0", [OUTPUT])
    return graph


def _films(graph: Graph, network: UNet, noise: str, cond: str) -> list[str]:
    """Add `UNet.embed`, and return the factors of each block."""
    fourier, half = network.fourier, RELU_GAIN * math.sqrt(0.5)  # as `mp_sum` weighs equal parts
    phase = graph.matrix(noise, fourier.freqs[:, None], fourier.phases)
    features = graph.add("UnaryOp", [phase], f"0={_COS}")[0]
    of_noise = math.sqrt(2) * half * network.emb_noise.weight
    of_cond = half * network.emb_cond.weight
    parts = [
        graph.matrix(features, of_noise, torch.zeros(len(of_noise))),
        graph.matrix(cond, of_cond[:, :-1], of_cond[:, -1]),
    ]
    e = graph.add("ReLU", graph.add("BinaryOp", parts, "0=0"))[0]
    blocks = blocks_of(network)
    copies = graph.add("Split", [e], made=[""] * len(blocks))
    films = []
    for block, copy in zip(blocks, copies, strict=True):
        width = len(block.emb.weight)
        film = graph.matrix(copy, block.emb.weight, torch.ones(width))
        films += graph.add("Reshape", [film], f"0=1 1=1 2={width}")
    return films


def _add_network(graph: Graph, network: UNet, x: str, factors: Sequence[str], name: str = "") -> str:
    """Add all convolutions, and return the name of the result."""
    films = iter(factors)
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
    return graph.convolution(x, network.out.weight, name)


def blocks_of(network: UNet) -> list[Block]:
    """Return every block, in the order in which they compute."""
    return [
        block for levels in (network.enc, [network.mid], network.dec) for level in levels for block in _blocks(level)
    ]
