"""Backends that did not become one: python -m benchmarks.quality_backends PICTURES OUT.json

Needs `pip install openvino onnxruntime onnx onnxscript`. The network as ONNX, with ONNX Runtime and OpenVINO, in fp32,
bf16 and int8 (every convolution but the outermost SKIPPED, statically, by channel, calibrated on six pictures): seconds
of one core for a megapixel in tiles of 512, the shortest of three, and PSNR at noise 25 on the middles of twelve other
pictures of the folder, unclipped and in float. A backend earns its place by 1.3 times torch's pace at 0.05 dB.
"""

import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from diffuse_cli.diffusion.checkpoint import find, to_recipe
from diffuse_cli.diffusion.denoiser import c_noise, nothing_known, precondition
from diffuse_cli.diffusion.model import Model
from diffuse_cli.diffusion.network import NetworkConfig, UNet
from diffuse_cli.evaluation.hardware import cpu_name
from diffuse_cli.images.image_io import read_picture
from diffuse_cli.images.tensors import to_tensor

SIDE, SIGMA, CALIBRATING = 512, 25 / 127.5, 6
SKIPPED = (0, 4)
"""Convolutions at either end that stay fp32."""
Call = Callable[..., Any]
Sample = tuple[Tensor, tuple[Tensor, Tensor, Tensor], Tensor, Tensor]


def samples(folder: Path) -> Iterator[Sample]:
    """Clean crop, the network's input, and D = linear + c_out * F."""
    for number, path in enumerate(sorted(folder.iterdir())):
        x0 = to_tensor(read_picture(path).pixels)
        h, w = x0.shape[-2:]
        if min(h, w) < SIDE:
            continue
        x0 = x0[..., (h - SIDE) // 2 :, (w - SIDE) // 2 :][..., :SIDE, :SIDE]
        x = x0 + SIGMA * torch.randn(x0.shape, generator=torch.Generator().manual_seed(number))
        seen, sigma = nothing_known(1, NetworkConfig(), x.device), torch.full((1, 1, SIDE, SIDE), SIGMA)
        net_in, linear, c_out = precondition(seen, x, sigma)
        yield x0, (net_in, c_noise(torch.tensor([SIGMA])), seen.cond), linear, c_out


class _Plain(nn.Module):
    def __init__(self, network: UNet) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor, noise: Tensor, cond: Tensor) -> Tensor:
        f: Tensor = self.network(x, noise, cond)
        return f


def onnx_runtime(path: Path) -> Call:
    ort = import_module("onnxruntime")
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return lambda *x: session.run(None, _named(x))[0]


def openvino(path: Path, precision: str) -> Call:
    core = import_module("openvino").Core()
    how = {"INFERENCE_NUM_THREADS": 1, "INFERENCE_PRECISION_HINT": precision, "PERFORMANCE_HINT": "LATENCY"}
    request = core.compile_model(core.read_model(str(path)), "CPU", how).create_infer_request()
    return lambda *x: request.infer(_named(x))[0].copy()


def _named(x: tuple[Tensor, ...]) -> dict[str, Any]:
    return {name: value.numpy() for name, value in zip(("x", "noise", "cond"), x, strict=True)}


def quantised(path: Path, calibrating: list[Sample], skipped: int) -> Path:
    """The same network with int8 convolutions."""
    quantization, onnx = import_module("onnxruntime.quantization"), import_module("onnx")
    convolutions = [node.name for node in onnx.load(str(path)).graph.node if node.op_type == "Conv"]
    rest = iter(calibrating)

    class Reader(quantization.CalibrationDataReader):  # type: ignore[misc, name-defined]
        def get_next(self) -> dict[str, Any] | None:
            sample = next(rest, None)
            return None if sample is None else _named(sample[1])

    out = path.with_stem(f"int8-{skipped}")
    quantization.quantize_static(
        str(path), str(out), Reader(), per_channel=True, activation_type=quantization.QuantType.QUInt8,
        weight_type=quantization.QuantType.QInt8, op_types_to_quantize=["Conv"],
        nodes_to_exclude=convolutions[:skipped] + convolutions[len(convolutions) - skipped :],
    )  # fmt: skip
    return out


def psnr(call: Call, tested: list[Sample]) -> float:
    found = []
    for x0, net_in, linear, c_out in tested:
        error = linear + c_out * torch.as_tensor(call(*net_in)).float() - x0
        found.append(10 * np.log10(4 / float(error.square().mean())))
    return float(np.mean(found))


def main() -> None:
    torch.set_num_threads(1)
    every = list(samples(Path(sys.argv[1])))[: CALIBRATING + 12]
    calibrating, tested = every[:CALIBRATING], every[CALIBRATING:]
    exact, half = (Model.load("photo", device="cpu", dtype=dtype).network for dtype in ("fp32", "bf16"))
    ways: dict[str, Call] = {"torch fp32": exact, "torch bf16": half}
    with tempfile.TemporaryDirectory() as name, torch.no_grad():
        path = Path(name) / "fp32.onnx"
        names = {"input_names": ["x", "noise", "cond"], "output_names": ["f"]}
        program = torch.onnx.export(_Plain(exact), calibrating[0][1], dynamo=True, **names)  # type: ignore[arg-type]
        assert program is not None
        program.save(path)
        ways |= {"ONNX Runtime fp32": onnx_runtime(path), "OpenVINO fp32": openvino(path, "f32")}
        ways["OpenVINO bf16"] = openvino(path, "bf16")
        for skipped in SKIPPED:
            small = quantised(path, calibrating, skipped)
            but = f", but {skipped} at either end" if skipped else ""
            ways |= {f"ONNX Runtime int8{but}": onnx_runtime(small), f"OpenVINO int8{but}": openvino(small, "f32")}
        rows = []
        for way, call in ways.items():
            row = {"backend": way, "psnr": psnr(call, tested)}
            best = float("inf")
            for _ in range(3):
                begin = time.process_time()
                call(*tested[0][1])
                best = min(best, time.process_time() - begin)
            rows.append(row | {"seconds_per_megapixel": best / SIDE**2 * 1e6})
    machine = {"cpu": cpu_name(), "torch": torch.__version__}
    report = {"checkpoint": to_recipe(find("photo")), "machine": machine, "pictures": len(tested), "rows": rows}
    Path(sys.argv[2]).write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
