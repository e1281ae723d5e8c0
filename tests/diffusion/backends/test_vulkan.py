"""The network computed through Vulkan is the network. Without a GPU, a driver that computes on the CPU serves."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from diffuse_cli import Deblur, Denoise, Extend, Inpaint, Restore, SuperResolve, restore
from diffuse_cli.degradation.kernels import defocus
from diffuse_cli.diffusion import devices
from diffuse_cli.diffusion.backends import ncnn as backend
from diffuse_cli.diffusion.backends import vulkan
from diffuse_cli.diffusion.backends.vulkan import Gpu, chosen_gpu, gpus
from diffuse_cli.diffusion.devices import Place, chosen_dtype, placed
from diffuse_cli.diffusion.model import Model
from diffuse_cli.diffusion.settings import Settings, tile_side
from diffuse_cli.errors import UsageError
from diffuse_cli.provenance import recipe
from diffuse_cli.tasks.task import Task
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
def test_every_task_gives_what_the_cpu_gives(toy_file: Path) -> None:
    on_gpu, on_cpu = Model.load(toy_file, device="vulkan"), Model.load(toy_file, device="cpu", dtype="fp32")
    picture = np.random.default_rng(0).integers(0, 256, (48, 40, 3), np.uint8)
    tasks: list[Task] = [
        Denoise(noise=20), Inpaint(boxes=[(8, 8, 12, 10)]), SuperResolve(scale=2.0), Restore(noise=9.0, jpeg=40.0),
        Deblur(kernel=defocus(2.0), noise=3.0), Extend(pad=(8, 8, 8, 8)),
    ]  # fmt: skip
    for task in tasks:
        found, wanted = (restore(picture, task, model=model).astype(int) for model in (on_gpu, on_cpu))
        assert abs(found - wanted).max() <= 1, task
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
    assert chosen_dtype("vulkan:0", "auto", "vulkan") == "fp32"


@needs_gpu
def test_doctor_lists_it(run: Program) -> None:
    found = [json.loads(line) for line in run("doctor", "--json").stdout.splitlines()]
    assert any(one.get("name") == "vulkan:0" for one in found)


@pytest.fixture
def asked_afresh() -> Iterator[None]:
    """What was found out about GPUs is forgotten before and after."""
    devices._gpu_without_torch.cache_clear()
    yield
    devices._gpu_without_torch.cache_clear()


def test_auto_takes_a_real_gpu_that_computes_right(
    monkeypatch: pytest.MonkeyPatch, asked_afresh: None, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(devices, "real_gpu", lambda: Gpu(number=0, name="Arc", kind=1, memory=8192))
    monkeypatch.setattr(backend, "is_right_on_gpu", lambda _gpu: True)
    assert placed() == Place(device="vulkan:0", backend="vulkan", heap=8192)
    assert [placed(dtype="bf16").backend, placed(compiled=True).backend, placed("cpu").backend] == ["torch"] * 3
    assert placed("auto", "ncnn") == Place(device="auto", backend="ncnn")
    devices._gpu_without_torch.cache_clear()
    monkeypatch.setattr(backend, "is_right_on_gpu", lambda _gpu: False)
    assert placed() == Place(device="auto", backend="torch")
    assert "vulkan:0 (Arc) computes wrong; the CPU computes" in caplog.text


def test_auto_takes_no_gpu_that_the_cpu_computes(monkeypatch: pytest.MonkeyPatch, asked_afresh: None) -> None:
    asked: list[int] = []

    def gpus() -> list[Gpu]:
        asked.append(1)
        return FOUND[:1]

    monkeypatch.setattr(vulkan, "gpus", gpus)
    monkeypatch.setattr(vulkan, "_may_have_a_gpu", lambda: True)
    assert placed() == Place(device="auto", backend="torch")
    assert asked
    monkeypatch.setattr(vulkan, "_may_have_a_gpu", lambda: False)
    assert vulkan.real_gpu() is None
    assert len(asked) == 1


@needs_gpu
def test_a_gpu_is_right_or_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    assert backend.is_right_on_gpu(0)
    monkeypatch.setattr(backend.NcnnNetwork, "_computed", lambda self, x, films: torch.rand(12, *x.shape[1:]))
    assert not backend.is_right_on_gpu(0)


def test_what_torch_reaches_comes_before_vulkan(monkeypatch: pytest.MonkeyPatch, asked_afresh: None) -> None:
    monkeypatch.setattr(devices, "real_gpu", lambda: Gpu(number=0, name="Arc", kind=1, memory=8192))
    monkeypatch.setattr(devices, "device_of", lambda _device: torch.device("cuda"))
    assert placed() == Place(device="auto", backend="torch")


@pytest.mark.parametrize(("heap", "side"), [(400, 128), (1024, 256), (2048, 512), (8192, 1024), (64, 64)])
def test_a_gpu_with_less_memory_has_smaller_tiles(heap: int, side: int) -> None:
    assert tile_side(Settings(backend="vulkan", heap=heap)) == side
    assert tile_side(Settings(backend="vulkan", heap=heap, tile=200)) == 200
