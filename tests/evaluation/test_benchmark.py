"""One whole benchmark in small."""

import json
from pathlib import Path

import pytest

from diffuse_cli.diffusion import checkpoint
from diffuse_cli.diffusion.model import Model
from diffuse_cli.evaluation import backend_speed, command_speed, device_speed, network_speed
from diffuse_cli.evaluation import benchmark as benchmark_module
from diffuse_cli.evaluation.benchmark import benchmark, tables
from tests.helpers.foreign import enlarger, imported


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Benchmarks of seconds."""
    monkeypatch.setattr(network_speed, "SHAPES", ((16, 32),))
    monkeypatch.setattr(network_speed, "TILES", (32, 64))
    monkeypatch.setattr(network_speed, "_LEAST_SECONDS", 0.0)
    monkeypatch.setattr(benchmark_module, "TILES", (64,))
    monkeypatch.setattr(benchmark_module, "SIZES", (0.01,))
    monkeypatch.setattr(benchmark_module, "FOREIGN_SIZES", (0.01,))
    monkeypatch.setattr(benchmark_module, "FOREIGN_TILES", (32, 64))
    monkeypatch.setattr(benchmark_module, "REGION_SIZE", 0.05)
    monkeypatch.setattr(benchmark_module, "STAGES_SIZE", 0.04)
    monkeypatch.setattr(backend_speed, "MEGAPIXELS", 0.01)
    monkeypatch.setattr(backend_speed, "SIDE", 64)
    monkeypatch.setattr(backend_speed, "gpus", list)
    ways = backend_speed.ways
    monkeypatch.setattr(
        backend_speed, "ways", lambda *of: (w for w in ways(*of) if w.name[:5] + w.dtype == "torchfp32")
    )
    monkeypatch.setattr(device_speed, "SIDE", 64)
    monkeypatch.setattr(command_speed.startup, "__defaults__", (1,))


@pytest.mark.program
@pytest.mark.usefixtures("small")
def test_a_whole_run_in_small(toy: Model) -> None:
    said: list[str] = []
    info = checkpoint.read_info(checkpoint.find())
    report = benchmark(toy, info, full=False, say=said.append)
    assert json.loads(json.dumps(report)) == report
    assert {row["network"] for row in report["networks"]} == {"core", *network_speed.REFERENCES}
    assert all(row["fraction_of_peak"] > 0 for row in report["networks"])
    assert [row["command"] for row in report["commands"] if row["megapixels"]] == list(command_speed.COMMANDS)
    assert all(row["peak_mib"] > 50 for row in report["commands"])
    assert report["startup"]["python -c pass"] < report["startup"]["python -c 'import torch'"]
    heads = [cells[0][0] for cells in tables(report)]
    first = ["3x3 convolution, best", "network", "the core's time", "start-up"]
    last = ["one after the other, s", "command, fp32", "backend", "--device"]
    assert heads == [*first, "without files", *last]
    assert all(row["network"] > 0 and row["reading"] > 0 for row in report["stages"])
    assert [row["backend"] for row in report["backends"]] == ["torch", "torch, --fast"]
    assert all(row["seconds"] > 0 for row in report["backends"])
    assert report["devices"][0]["device"] == "cpu"
    assert report["devices"][0]["seconds_per_megapixel"] > 0
    assert report["regions"][0]["of_the_whole"] == 1
    assert all(len(row) == len(cells[0]) for cells in tables(report) for row in cells)


@pytest.mark.program
@pytest.mark.usefixtures("small")
def test_an_imported_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("spandrel")
    monkeypatch.setattr(benchmark_module, "startup", lambda: {"python -c pass": 0.1})
    model = imported(enlarger(), tmp_path, "twice")
    assert model.path is not None
    report = benchmark(model, checkpoint.read_info(model.path), full=False, say=lambda line: None)
    rows = [row for row in report["networks"] if row["network"] == "Compact"]
    assert {row["tile"] for row in rows} == {32, 64}
    width = 8  # of three layers of 3 x 3: from 3 channels, within, to 12
    assert rows[0]["macs_per_pixel"] == 9 * (3 * width + 2 * width * width + 12 * width)
    assert {row["command"] for row in report["commands"]} == {"super-resolve --scale 2"}
    assert report["commands"][-1]["result_megapixels"] == pytest.approx(0.04)
    assert "without files" not in [cells[0][0] for cells in tables(report)]
