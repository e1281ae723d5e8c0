"""Our weights for other programs: ONNX and ncnn, checked against torch before a file appears."""

import importlib.util
import logging
import math
import tempfile
import warnings
from collections.abc import Callable, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np
import torch
from torch import Tensor, nn

from ..errors import CheckpointError, UsageError
from ..system.files import write_bytes
from . import checkpoint
from .backends.ncnn_graph import COND, INPUT, NOISE, OUTPUT, whole_graph
from .denoiser import SIGMA_DATA, Observation, c_noise, precondition
from .network import NetworkConfig, UNet

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_APART: Final = 0.05
"""8-bit levels by which an exported network may differ from torch."""
_SIZES: Final = ((64, 64), (96, 160))
_SIGMAS: Final = (0.02, 0.2, 1.5, math.inf)
_OPSET: Final = 20
_LEVEL: Final = 127.5
DenoiserOfInputs = Callable[[Mapping[str, Tensor]], Tensor]
"""Inputs of `WholeDenoiser` by name -> D."""


class WholeDenoiser(nn.Module):
    """D(x, sigma) with all that the network is told as inputs, in tensors alone."""

    def __init__(self, network: UNet) -> None:
        """Keep the network, folded."""
        super().__init__()
        self.network = network

    def forward(self, x: Tensor, sigma: Tensor, sigma_t: Tensor, mu: Tensor, sigma_p: Tensor, cond: Tensor) -> Tensor:
        """Return D.

        Args:
            x: (B, 3, H, W), the noisy picture, [-1, 1] units; H and W are multiples of `config.multiple`.
            sigma: (B, 1, H, W), std of its noise; inf = unknown.
            sigma_t: (B,), the largest of them.
            mu: (B, 3, H, W), the guide; 0 without one.
            sigma_p: (B, 1, H, W), std of the clean picture around it; 0.5 without one.
            cond: (B, described + K), what happened to the guide; 0 without one.
        """
        net_in, linear, c_out = precondition(Observation(mu=mu, sigma_p=sigma_p, cond=cond), x, sigma)
        f: Tensor = self.network(net_in, c_noise(sigma_t), cond)
        return linear + c_out * f


def export_onnx(path: Path, target: Path) -> str:
    """Write a checkpoint's denoiser as an ONNX file, with heights, widths and batches of any size.

    Args:
        path: the checkpoint.
        target: the file.

    Returns:
        What was written, and how near it is, in words.

    Raises:
        UsageError: the extra is not installed.
        CheckpointError: the checkpoint cannot be read, or the exported file computes something else.
        PictureError: the disk fails.
    """
    _check_installed("--onnx", "onnx", ("onnx", "onnxscript", "onnxruntime"))
    import onnxruntime

    network = checkpoint.load(path)
    data = _onnx_of(WholeDenoiser(network), path)
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])

    def computed(given: Mapping[str, Tensor]) -> Tensor:
        return torch.from_numpy(session.run(None, {name: value.numpy() for name, value in given.items()})[0])

    apart = _checked(network, computed, "onnxruntime")
    write_bytes(data, target)
    return f"{target}: D(x, sigma), ONNX opset {_OPSET}, at most {apart:.2g} levels from torch in onnxruntime"


def _onnx_of(denoiser: WholeDenoiser, path: Path) -> bytes:
    """Return the ONNX file of a denoiser, with what its checkpoint says of itself."""
    example = _inputs(denoiser.network.config, (2, 64, 96), 0.5)
    names = list(example)
    batch, height, width = (torch.export.Dim(name, min=1) for name in ("batch", "rows", "columns"))
    multiple = denoiser.network.config.multiple
    sizes = {0: batch, 2: multiple * height, 3: multiple * width}
    shapes = tuple(sizes if value.ndim == 4 else {0: batch} for value in example.values())
    with _silent():
        program = torch.onnx.export(
            denoiser, tuple(example.values()), input_names=names, output_names=["denoised"], dynamic_shapes=shapes,
            dynamo=True, opset_version=_OPSET, verbose=False,
        )  # fmt: skip
    assert program is not None
    made = program.model_proto
    info = checkpoint.read_info(path)
    made.producer_name, made.doc_string = "diffuse", "docs/models.md tells the inputs"
    kept = {**info.metadata, "checkpoint": checkpoint.file_sha256(path)}
    for name in sorted(kept):
        made.metadata_props.add(key=name, value=kept[name])
    return cast(bytes, made.SerializeToString())


def export_ncnn(path: Path, target: Path) -> str:
    """Write a checkpoint's network as ncnn's two files, for windows of any size.

    Args:
        path: the checkpoint.
        target: the file of the layers, `.param`; the weights lie beside it in `.bin`.

    Returns:
        What was written, and how near it is, in words.

    Raises:
        UsageError: the extra is not installed.
        CheckpointError: the checkpoint cannot be read, or ncnn computes something else.
        PictureError: the disk fails.
    """
    _check_installed("--ncnn", "ncnn", ("ncnn",))
    network = checkpoint.load(path)
    graph = whole_graph(network)
    text, weights = graph.text().encode(), graph.data()
    with tempfile.TemporaryDirectory(prefix="diffuse-") as folder:
        files = Path(folder) / "core.param", Path(folder) / "core.bin"
        files[0].write_bytes(text)
        files[1].write_bytes(weights)
        apart = _checked(network, _by_ncnn(*files), "ncnn")
    beside = weights_beside(target)
    write_bytes(weights, beside)
    write_bytes(text, target)
    return f"{target}, {beside.name}: the network F for ncnn, at most {apart:.2g} levels from torch in fp32"


def weights_beside(target: Path) -> Path:
    """Return the file of ncnn's weights beside that of its layers."""
    return target.with_suffix(".bin")


def _by_ncnn(param: Path, data: Path) -> DenoiserOfInputs:
    """Return the denoiser with its network in ncnn."""
    import ncnn

    net = ncnn.Net()
    net.opt.num_threads = torch.get_num_threads()
    for name in ("use_fp16_packed", "use_fp16_storage", "use_fp16_arithmetic", "use_bf16_storage"):
        setattr(net.opt, name, False)
    if net.load_param(str(param)) != 0 or net.load_model(str(data)) != 0:
        raise CheckpointError("this version of ncnn does not take the network; pip install -U ncnn")

    def f(planes: Tensor, noise: Tensor, cond: Tensor) -> Tensor:
        extractor = net.create_extractor()
        for name, value in ((INPUT, planes), (NOISE, noise), (COND, cond)):
            extractor.input(name, ncnn.Mat(np.ascontiguousarray(value.numpy())).clone())
        _, out = extractor.extract(OUTPUT)
        return torch.from_numpy(np.array(out))

    def computed(given: Mapping[str, Tensor]) -> Tensor:
        seen = Observation(mu=given["mu"], sigma_p=given["sigma_p"], cond=given["cond"])
        net_in, linear, c_out = precondition(seen, given["x"], given["sigma"])
        noise = c_noise(given["sigma_t"])
        made = [f(net_in[k], noise[k : k + 1], given["cond"][k]) for k in range(len(net_in))]
        return linear + c_out * torch.stack(made)

    return computed


def _checked(network: UNet, computed: DenoiserOfInputs, what: str) -> float:
    """Return the largest difference of D to torch, in 8-bit levels, over sizes, batches and noise levels.

    Raises:
        CheckpointError: it is too large.
    """
    ours, worst = WholeDenoiser(network), 0.0
    for size in _SIZES:
        for count, sigma in enumerate(_SIGMAS, start=1):
            given = _inputs(network.config, (1 + count % 2, *size), sigma)
            with torch.no_grad():
                apart = float((computed(given) - ours(*given.values())).abs().max()) * _LEVEL
            worst = math.inf if math.isnan(apart) else max(worst, apart)
    if not worst <= MOST_APART:
        raise CheckpointError(f"in {what} it differs from torch by {worst:.3g} levels, so nothing was written")
    return worst


def _inputs(config: NetworkConfig, shape: tuple[int, int, int], sigma: float) -> dict[str, Tensor]:
    """Return inputs of a denoiser: a noisy random picture beside a guide.

    Args:
        config: of the network.
        shape: (B, H, W).
        sigma: std of the noise at the noisiest pixel.
    """
    b, h, w = shape
    generator = torch.Generator().manual_seed(0)
    x, mu = (torch.rand(b, 3, h, w, generator=generator) * 2 - 1 for _ in range(2))
    plane = torch.full((b, 1, h, w), sigma)
    if sigma < math.inf:
        plane = plane * torch.rand(b, 1, h, w, generator=generator).clamp_min(0.1)
    cond = torch.rand(b, config.cond, generator=generator)
    sigma_p = torch.full((b, 1, h, w), SIGMA_DATA / 2)
    return {"x": x, "sigma": plane, "sigma_t": torch.full((b,), sigma), "mu": mu, "sigma_p": sigma_p, "cond": cond}


def _check_installed(option: str, extra: str, modules: tuple[str, ...]) -> None:
    missing = [name for name in modules if importlib.util.find_spec(name) is None]
    if missing:
        raise UsageError(f"{option} needs {', '.join(missing)}; pip install 'diffuse-cli[{extra}]'")


@contextmanager
def _silent() -> "Iterator[None]":
    """Keep the exporter's own lines and warnings from the terminal."""
    loggers: list[Any] = [logging.getLogger(name) for name in ("onnxscript", "onnx_ir", "torch.onnx")]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for logger in loggers:
            logger.setLevel(logging.CRITICAL)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)
