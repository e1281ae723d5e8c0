"""Accelerators on which the network was not tried are probed, and left alone where they compute wrong."""

from collections.abc import Iterator

import pytest
import torch

from diffuse_cli.diffusion import devices
from diffuse_cli.diffusion.backends import accelerator
from diffuse_cli.diffusion.backends.accelerator import LAYOUTS, Probed, Way, probe
from diffuse_cli.diffusion.denoiser import Observation
from diffuse_cli.diffusion.devices import chosen_dtype, device_of, layout_of
from diffuse_cli.diffusion.network import UNet
from diffuse_cli.errors import UsageError


@pytest.fixture(autouse=True)
def _afresh() -> Iterator[None]:
    """What was probed is forgotten before and after."""
    for kept in (probe, devices._is_right):
        kept.cache_clear()
    yield
    for kept in (probe, devices._is_right):
        kept.cache_clear()


@pytest.fixture
def as_xpu(monkeypatch: pytest.MonkeyPatch) -> str:
    """The CPU poses as an accelerator that was never tried."""
    monkeypatch.setattr(devices, "is_there", lambda name: name == "xpu")
    monkeypatch.setattr(devices, "probed", lambda _name: probe(torch.device("cpu")))
    return "xpu"


def test_a_device_that_computes_right_is_taken_in_a_type_and_a_layout(as_xpu: str) -> None:
    assert device_of("auto").type == as_xpu
    found = probe(torch.device("cpu"))
    assert found.by_dtype["fp32"].apart < 0.01
    assert found.by_dtype["fp32"].layout in LAYOUTS
    assert layout_of(torch.device("xpu"), "fp32") == found.by_dtype["fp32"].layout
    assert chosen_dtype(as_xpu, "auto") == found.best
    assert chosen_dtype(as_xpu, "fp32") == "fp32"


def test_a_device_without_an_operation_is_left_alone_with_a_line(
    as_xpu: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def lacking(*_: object) -> torch.Tensor:
        raise NotImplementedError("The operator 'aten::avg_pool2d' is not implemented for XPU\nmore")

    exact = accelerator._computed
    calls: list[int] = []

    def computed(network: UNet, seen: Observation) -> torch.Tensor:
        calls.append(1)
        return exact(network, seen) if len(calls) == 1 else lacking()

    monkeypatch.setattr(accelerator, "_computed", computed)
    for _ in range(2):
        assert device_of(as_xpu).type == "cpu"
    assert caplog.text.count("the CPU computes") == 1
    assert "xpu: The operator 'aten::avg_pool2d' is not implemented for XPU; the CPU computes" in caplog.text


def test_a_type_that_is_off_is_not_taken(as_xpu: str, monkeypatch: pytest.MonkeyPatch) -> None:
    half_ = UNet.half_
    monkeypatch.setattr(
        UNet, "half_", lambda self, dtype: half_(self, torch.float8_e4m3fn if dtype == torch.bfloat16 else dtype)
    )
    assert set(probe(torch.device("cpu")).by_dtype) == {"fp32"}
    assert chosen_dtype(as_xpu, "auto") == "fp32"
    with pytest.raises(UsageError, match="--dtype bf16: xpu"):
        layout_of(torch.device("xpu"), "bf16")


@pytest.mark.parametrize(("half", "best"), [(0.5, "bf16"), (0.9, "fp32")])
def test_half_precision_is_taken_where_it_is_quicker(half: float, best: str) -> None:
    way = {name: Way(layout=LAYOUTS[0], seconds=s, apart=0.0) for name, s in (("fp32", 1.0), ("bf16", half))}
    assert Probed(by_dtype=way, trouble="").best == best  # type: ignore[arg-type]
