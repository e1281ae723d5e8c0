"""The network with its convolutions computed by ncnn, whose Winograd kernels are the fastest in fp32 on many CPUs.

torch computes the embedding; its factors for each channel of each block are inputs of the graph.
"""

import tempfile
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ...errors import UsageError
from ..network import NetworkConfig, UNet
from .ncnn_graph import INPUT, OUTPUT, blocks_of, folded_graph
from .vulkan import half_is_exact


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
        graph = folded_graph(network)
        with tempfile.TemporaryDirectory(prefix="diffuse-") as folder:
            text, weights = Path(folder) / "core.param", Path(folder) / "core.bin"
            text.write_text(graph.text())
            weights.write_bytes(graph.data())
            if self._net.load_param(str(text)) != 0 or self._net.load_model(str(weights)) != 0:
                raise UsageError("--backend ncnn: this version of it does not take the network; leave the option out")

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
