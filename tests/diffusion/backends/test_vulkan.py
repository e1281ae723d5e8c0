"""The network computed through Vulkan is the network. Without a GPU, a driver that computes on the CPU serves."""

import json
from pathlib import Path

import pytest
import torch

from diffuse_cli.diffusion.backends import ncnn as backend
from diffuse_cli.diffusion.backends import vulkan
from diffuse_cli.diffusion.backends.vulkan import Gpu, chosen_gpu, gpus
from diffuse_cli.diffusion.model import Model, chosen_dtype
from diffuse_cli.errors import UsageError
from diffuse_cli.provenance import recipe
from tests.conftest import pixels
from tests.helpers.program import Program

pytest.importorskip("ncnn")
needs_gpu = pytest.mark.skipif(not gpus(), reason="Vulkan finds no GPU: libvulkan1 or mesa-vulkan-drivers is missing")
FOUND = [Gpu(number=0, name="llvmpipe", kind=3, memory=1024), Gpu(number=1, name="Arc", kind=0, memory=8192)]


@pytest.fixture
def two(monkeypatch: pytest.MonkeyPatch) -> None:
    """A GPU that the CPU computes, and a real one."""
    monkeypatch.setattr(vulkan, "gpus", lambda: FOUND)


@needs_gpu
@pytest.mark.parametrize("size", [(64, 64), (16, 48)])
def test_it_gives_what_torch_gives(toy: Model, toy_file: Path, size: tuple[int, int]) -> None:
    on_gpu = Model.load(toy_file, device="vulkan")
    assert (on_gpu.backend, on_gpu.dtype, on_gpu.device.type) == ("vulkan", torch.float32, "cpu")
    torch.manual_seed(0)
    x, noise, cond = torch.randn(2, 8, *size), torch.tensor([1.25, -0.6]), torch.rand(2, toy.network.config.cond)
    with torch.no_grad():
        torch.testing.assert_close(on_gpu.network(x, noise, cond), toy.network(x, noise, cond), atol=1e-3, rtol=1e-4)
    assert on_gpu.recomputed == 0


@needs_gpu
def test_a_result_tells_it_and_is_replayed(run: Program, cat: Path, toy_file: Path) -> None:
    how = ["--noise", "20", "--model", str(toy_file)]
    ended = run("denoise", cat, *how, "--device", "vulkan", "-o", "a.png")
    assert ended.exit_code == 0, ended.stderr
    assert run("denoise", cat, *how, "--dtype", "fp32", "-o", "plain.png").exit_code == 0
    told = recipe.read(cat.with_name("a.png")) or {}
    assert (told["backend"], told["dtype"]) == ("vulkan", "fp32")
    assert abs(pixels(cat.with_name("a.png")).astype(int) - pixels(cat.with_name("plain.png"))).max() <= 1
    again = run("replay", "a.png", "--input", cat, "--model", toy_file)
    assert again.exit_code == 0, again.stderr


@needs_gpu
def test_what_a_gpu_gets_wrong_is_computed_again(
    run: Program, cat: Path, toy_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    how = ["denoise", cat, "--noise", "20", "--model", str(toy_file)]
    with monkeypatch.context() as wrong:
        wrong.setattr(backend.NcnnNetwork, "_computed", lambda self, x, films: torch.zeros(12, *x.shape[1:]))
        ended = run(*how, "--device", "vulkan", "-o", "a.png")
    assert ended.exit_code == 0, ended.stderr
    assert "the GPU got 1 tile wrong; the CPU computed them again" in ended.stderr
    assert run(*how, "--dtype", "fp32", "-o", "plain.png").exit_code == 0
    assert (pixels(cat.with_name("a.png")) == pixels(cat.with_name("plain.png"))).all()


def test_a_real_gpu_comes_before_one_that_the_cpu_computes(two: None) -> None:
    assert chosen_gpu("vulkan").number == 1
    assert chosen_gpu("vulkan:0").is_software
    with pytest.raises(UsageError, match=r"there are vulkan:0 \(llvmpipe\), vulkan:1 \(Arc\)"):
        chosen_gpu("vulkan:2")


def test_no_gpu_is_an_error_with_a_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vulkan, "gpus", list)
    with pytest.raises(UsageError, match="finds no GPU; install its loader"):
        chosen_gpu("vulkan")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--device", "gpu"], "no such device"), (["--dtype", "fp16"], "half precision"),
        (["--device", "vulkan", "--dtype", "bf16"], "half precision"),
        (["--backend", "vulkan", "--device", "cpu"], "computes on a GPU"),
    ],
)  # fmt: skip
def test_what_does_not_go_together_is_refused(run: Program, cat: Path, options: list[str], said: str) -> None:
    ended = run("denoise", cat, "--noise", "9", *options, "-o", "x.png")
    assert ended.exit_code == 2
    assert said in ended.stderr


@needs_gpu
def test_half_precision_is_taken_only_where_it_is_exact(toy_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bool] = []

    def judged(_exact: object, half: backend.NcnnNetwork) -> bool:
        asked.append(half._net.opt.use_fp16_arithmetic)
        return len(asked) == 2

    monkeypatch.setattr(backend, "half_is_exact", judged)
    half = Model.load(toy_file, device="vulkan", dtype="fp16")
    assert (half.dtype, asked) == (torch.float16, [True, False])
    monkeypatch.setattr(backend, "half_is_exact", lambda _exact, _half: False)
    with pytest.raises(UsageError, match="a quarter of a level"):
        Model.load(toy_file, device="vulkan", dtype="fp16")
    assert chosen_dtype("vulkan", "auto") == "fp32"


@needs_gpu
def test_doctor_lists_it(run: Program) -> None:
    found = [json.loads(line) for line in run("doctor", "--json").stdout.splitlines()]
    assert any(one.get("name") == "vulkan:0" for one in found)
