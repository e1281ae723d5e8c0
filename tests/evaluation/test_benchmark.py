"""Benchmarks: counts that can be checked by hand, processes that are really measured, one whole run in small."""

import json
import sys
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import nn

from diffuse_cli.diffusion import checkpoint
from diffuse_cli.diffusion.model import Model
from diffuse_cli.evaluation import benchmark as benchmark_module
from diffuse_cli.evaluation import command_speed, network_speed
from diffuse_cli.evaluation.benchmark import benchmark, tables
from diffuse_cli.evaluation.command_speed import CommandFailedError, picture, run
from diffuse_cli.evaluation.network_speed import REFERENCES, macs_per_pixel, profile, seconds_of
from tests.conftest import Run


def test_multiply_accumulates_are_counted() -> None:
    x = torch.zeros(1, 3, 32, 32)
    assert macs_per_pixel(nn.Conv2d(3, 8, 3, padding=1), x) == 3 * 8 * 9
    assert macs_per_pixel(nn.Conv2d(3, 8, 3, padding=1, stride=2), x) == 3 * 8 * 9 / 4
    half = (15 * 96 + 10 * 96 * 96 + 96 * 12) * 9 / 4
    assert macs_per_pixel(REFERENCES["FFDNet-shaped"](), x) == half
    assert macs_per_pixel(REFERENCES["DnCNN-shaped"](), x) == (3 * 64 + 15 * 64 * 64 + 64 * 3) * 9


def test_the_core_has_as_many_as_the_model_card_says(model: Model) -> None:
    core = macs_per_pixel(lambda x: model.network(x, torch.zeros(1), torch.zeros(1, 4)), torch.zeros(1, 8, 64, 64))
    assert core == pytest.approx(0.18e6, rel=0.02)


def test_the_shortest_call_counts() -> None:
    waits = iter([0.05, 0.03, 0.001, 0.02, *[0.01] * 100])
    import time

    assert 0.001 <= seconds_of(lambda: time.sleep(next(waits)), least=0.1) < 0.01


def test_shares_of_the_time_sum_to_one(toy: Model) -> None:
    shares = profile(toy.network, tile=64)
    assert sum(shares.values()) == pytest.approx(1, abs=1e-3)
    assert shares["convolution"] > 0


def test_processes_are_measured() -> None:
    code = "import time; block = bytearray(200 << 20); time.sleep(0.3)"
    spent = run([sys.executable, "-c", code])
    assert spent.seconds >= 0.3
    assert 200 <= spent.peak_mib < 300
    assert 0 < spent.cpu_seconds < spent.seconds
    busy = run([sys.executable, "-c", "import time\nwhile time.process_time() < 0.5: pass"])
    assert busy.cpu_seconds >= 0.5
    with pytest.raises(CommandFailedError, match="exit code 3: went wrong"):
        run([sys.executable, "-c", "import sys; sys.stderr.write('went wrong'); sys.exit(3)"])


def test_synthetic_pictures_have_the_size_asked_for(tmp_path: Path) -> None:
    picture(tmp_path / "a.png", 0.3)
    picture(tmp_path / "b.png", 0.3)
    with Image.open(tmp_path / "a.png") as image:
        assert image.width * image.height == pytest.approx(0.3e6, rel=0.01)
        assert len(image.getcolors(1 << 20) or range(1 << 20)) > 10_000, "grain and colour"
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_a_whole_run_in_small(toy: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network_speed, "SHAPES", ((16, 32),))
    monkeypatch.setattr(network_speed, "TILES", (32, 64))
    monkeypatch.setattr(network_speed.time_core, "__defaults__", ((64,),))
    monkeypatch.setattr(network_speed, "_LEAST_SECONDS", 0.0)
    monkeypatch.setattr(benchmark_module, "SIZES", (0.01,))
    monkeypatch.setattr(benchmark_module, "REGION_SIZE", 0.05)
    monkeypatch.setattr(command_speed.startup, "__defaults__", (1,))
    said: list[str] = []
    info = checkpoint.read_info(checkpoint.find())
    report = benchmark(toy, info, full=False, say=said.append)
    assert json.loads(json.dumps(report)) == report
    assert {row["network"] for row in report["networks"]} == {"core", "FFDNet-shaped", "DnCNN-shaped"}
    assert all(row["fraction_of_peak"] > 0 for row in report["networks"])
    assert [row["command"] for row in report["commands"] if row["megapixels"]] == list(command_speed.COMMANDS)
    assert all(row["peak_mib"] > 50 for row in report["commands"])
    assert report["startup"]["python -c pass"] < report["startup"]["python -c 'import torch'"]
    heads = [cells[0][0] for cells in tables(report)]
    first = ["3x3 convolution, best", "network", "the core's time", "start-up"]
    assert heads == [*first, "without files", "command, fp32"]
    assert report["regions"][0]["of_the_whole"] == 1
    assert all(len(row) == len(cells[0]) for cells in tables(report) for row in cells)


def test_usage(diffuse: Run, tmp_path: Path) -> None:
    (tmp_path / "r.json").write_text("mine")
    result = diffuse("bench", "--json", "r.json")
    assert result.returncode == 2
    assert b"-f replaces" in result.stderr
    assert diffuse("bench", "--model", "nothing").returncode == 3
