"""Files for other programs compute what the network computes."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from diffuse_cli.diffusion import checkpoint, export
from diffuse_cli.diffusion.backends.ncnn_graph import whole_graph
from diffuse_cli.diffusion.denoiser import Denoiser, nothing_known
from diffuse_cli.diffusion.model import Model
from diffuse_cli.errors import CheckpointError
from tests.helpers.program import Program


def given(sigma: float, size: tuple[int, int] = (32, 48), batch: int = 1) -> dict[str, Tensor]:
    """What a program gives for a noisy picture beside which nothing is known."""
    torch.manual_seed(1)
    return {
        "x": torch.randn(batch, 3, *size), "sigma": torch.full((batch, 1, *size), sigma),
        "sigma_t": torch.full((batch,), sigma), "mu": torch.zeros(batch, 3, *size),
        "sigma_p": torch.full((batch, 1, *size), 0.5), "cond": torch.zeros(batch, 4),
    }  # fmt: skip


def denoised(model: Model, inputs: dict[str, Tensor], sigma: float) -> Tensor:
    seen = nothing_known(len(inputs["x"]), model.network.config, torch.device("cpu"))
    return Denoiser(model.network, seen)(inputs["x"], torch.tensor(sigma))


def test_the_whole_denoiser_is_the_denoiser(toy: Model) -> None:
    for sigma in (0.1, 3.0, math.inf):
        inputs = given(sigma, batch=2)
        made = export.WholeDenoiser(toy.network)(**inputs)
        torch.testing.assert_close(made, denoised(toy, inputs, sigma), atol=1e-5, rtol=0)


def test_onnx_gives_what_torch_gives(run: Program, toy: Model, toy_file: Path, tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    done = run("models", "export", toy_file, "--onnx", "toy.onnx")
    assert done.exit_code == 0, done.stderr
    assert (done.stderr, len(done.stdout.splitlines())) == ("", 1)
    session = onnxruntime.InferenceSession(str(tmp_path / "toy.onnx"), providers=["CPUExecutionProvider"])
    about = session.get_modelmeta().custom_metadata_map
    assert about["checkpoint"] == checkpoint.file_sha256(toy_file)
    for sigma, size, batch in ((0.3, (8, 8), 1), (math.inf, (64, 40), 3)):
        inputs = given(sigma, size, batch)
        (made,) = session.run(None, {name: value.numpy() for name, value in inputs.items()})
        torch.testing.assert_close(torch.from_numpy(made), denoised(toy, inputs, sigma), atol=3e-4, rtol=0)
    assert run("models", "export", toy_file, "--onnx", "toy.onnx").exit_code == 2


def test_ncnn_gives_what_torch_gives(run: Program, toy: Model, toy_file: Path, tmp_path: Path) -> None:
    """With the planes that docs/models.md tells."""
    ncnn = pytest.importorskip("ncnn")
    done = run("models", "export", toy_file, "--ncnn", "toy.param")
    assert done.exit_code == 0, done.stderr
    net = ncnn.Net()
    net.opt.use_fp16_packed = net.opt.use_fp16_storage = net.opt.use_fp16_arithmetic = False
    assert net.load_param(str(tmp_path / "toy.param")) == 0
    assert net.load_model(str(tmp_path / "toy.bin")) == 0
    inputs = given(0.3)
    x, sigma = inputs["x"][0].numpy(), 0.3
    c_in, c_skip, c_out = 1 / math.hypot(sigma, 0.5), 0.25 / (sigma**2 + 0.25), 0.5 * sigma / math.hypot(sigma, 0.5)
    ones = np.ones_like(x[:1])
    planes = np.concatenate([c_in * x, 0 * x, math.log(sigma) / 4 * ones, math.log(0.5) / 4 * ones]).astype(np.float32)
    extractor = net.create_extractor()
    extractor.input("in", ncnn.Mat(planes).clone())
    extractor.input("noise", ncnn.Mat(np.array([math.log(sigma) / 4], np.float32)).clone())
    extractor.input("cond", ncnn.Mat(np.zeros(4, np.float32)).clone())
    code, out = extractor.extract("out")
    assert code == 0
    made = torch.from_numpy(c_skip * x + c_out * np.array(out))[None]
    torch.testing.assert_close(made, denoised(toy, inputs, sigma), atol=3e-4, rtol=0)


def test_a_file_that_computes_something_else_is_not_written(
    toy_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("ncnn")
    exact = whole_graph

    def wrong(network: object) -> object:
        graph = exact(network)  # type: ignore[arg-type]
        graph.weights[1] = bytes(len(graph.weights[1]))
        graph.weights[-1] = bytes(len(graph.weights[-1]))
        return graph

    monkeypatch.setattr(export, "whole_graph", wrong)
    with pytest.raises(CheckpointError, match="levels, so nothing was written"):
        export.export_ncnn(toy_file, tmp_path / "toy.param")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("words", [[], ["--onnx", "toy.bin"], ["--ncnn", "toy"], ["nothing", "--onnx", "a.onnx"]])
def test_usage(run: Program, tmp_path: Path, words: list[str]) -> None:
    refused = run("models", "export", *words)
    assert refused.exit_code in (2, 3)
    assert len(refused.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []
