"""The devices that are listed: what is told of each, and which are timed."""

import pytest
import torch

from diffuse_cli.diffusion.backends.accelerator import LAYOUTS, Probed, Way
from diffuse_cli.diffusion.backends.vulkan import Gpu
from diffuse_cli.errors import UsageError
from diffuse_cli.evaluation import device_speed
from diffuse_cli.evaluation.device_speed import FoundDevice, found_devices

SOFTWARE = Gpu(number=0, name="llvmpipe", kind=3, memory=1024)
REAL = Gpu(number=1, name="Arc", kind=0, memory=8192)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with an XPU that lacks an operation, a GPU, and one that the CPU computes."""
    none = Probed(by_dtype={}, trouble="no avg_pool2d")
    monkeypatch.setattr(device_speed, "is_there", lambda name: name == "xpu")
    monkeypatch.setattr(device_speed, "_of_accelerator", lambda _name: ("Max 1100", 49152))
    monkeypatch.setattr(device_speed, "probed", lambda _name: none)
    monkeypatch.setattr(device_speed, "gpus", lambda: [SOFTWARE, REAL])


def test_every_device_is_told_and_those_that_compute_are_timed(machine: None, monkeypatch: pytest.MonkeyPatch) -> None:
    timed: list[str] = []

    def speed(device: str) -> tuple[str, float]:
        timed.append(device)
        return "fp32", 0.5

    monkeypatch.setattr(device_speed, "_speed", speed)
    found = {device.device: device for device in found_devices(timed=True)}
    assert list(found) == ["cpu", "xpu", "vulkan:0", "vulkan:1"]
    assert timed == ["cpu", "vulkan:1"]
    assert found["xpu"].words == "Max 1100, 48.0 GiB (not used: no avg_pool2d)"
    assert found["vulkan:0"].words == "llvmpipe, 1.0 GiB (a GPU computed by the CPU)"
    assert found["vulkan:1"].words == "Arc, 8.0 GiB, 0.5 s/Mpx in fp32 (a discrete GPU)"


def test_a_device_that_fails_is_told_as_one(machine: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_device: str) -> tuple[str, float]:
        raise UsageError("no driver")

    monkeypatch.setattr(device_speed, "_speed", broken)
    assert all(device.seconds_per_megapixel is None for device in found_devices(timed=True))
    assert [device.probed for device in found_devices(timed=True)][-1] == "does not compute: no driver"


def test_what_a_probe_found_is_told(machine: None, monkeypatch: pytest.MonkeyPatch) -> None:
    way = Way(layout=LAYOUTS[0], seconds=1.0, apart=0.0123)
    monkeypatch.setattr(device_speed, "probed", lambda _name: Probed(by_dtype={"fp32": way}, trouble=""))
    xpu = next(device for device in found_devices(timed=False) if device.device == "xpu")
    assert xpu.probed == "fp32 is right to 0.012 levels"


def test_the_cpu_is_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device_speed, "SIDE", 32)
    monkeypatch.setattr(device_speed, "gpus", list)
    monkeypatch.setattr(device_speed, "is_there", lambda _name: False)
    (cpu,) = found_devices(timed=True)
    assert isinstance(cpu, FoundDevice)
    assert (cpu.seconds_per_megapixel or 0) > 0
    assert torch.is_grad_enabled()
