"""Backends and other networks beside each other, in CPU seconds of one thread: python -m benchmarks.speed_ways FILE

`diffuse bench` measures the same by the clock, on a machine of its own. The processor's time depends less on what else
runs. Of several runs into one file, the fewest seconds stay. With --photo, a photograph of 12 megapixels is denoised in
each way, too.
"""

import json
import math
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from diffuse_cli.diffusion.checkpoint import find, read_info
from diffuse_cli.diffusion.model import Model
from diffuse_cli.evaluation import network_speed
from diffuse_cli.evaluation.backend_speed import MEGAPIXELS, SIDE, Way, bare_seconds, ways
from diffuse_cli.evaluation.command_speed import diffuse, picture, run
from diffuse_cli.evaluation.hardware import cpu_name
from diffuse_cli.evaluation.network_speed import DTYPES, REFERENCES, seconds_of
from diffuse_cli.system.process import keep_buffers

SHAPES = ("FFDNet-shaped", "SPAN-shaped, x2")


class Processor:
    """Stands for the clock in what is measured."""

    perf_counter = staticmethod(time.process_time)


@torch.no_grad()
def of_shape(name: str, dtype: torch.dtype) -> float:
    """Seconds of another network for a megapixel of its result."""
    network = REFERENCES[name]().to(dtype).to(memory_format=torch.channels_last).eval()
    x = torch.randn(1, 3, SIDE, SIDE).to(dtype).contiguous(memory_format=torch.channels_last)
    return seconds_of(lambda: network(x)) / (SIDE**2 / 1e6)


def of_photo(way: Way) -> dict[str, float]:
    """Return what a photograph takes from start to file."""
    assert way.options is not None
    with tempfile.TemporaryDirectory() as name:
        source, result = Path(name) / "in.png", Path(name) / "out.png"
        picture(source, MEGAPIXELS)
        words = ["denoise", str(source), "--noise", "15", "-q", "-o", str(result), "--threads", "1", *way.options]
        spent = run(diffuse(*words))
    return {"megapixels": MEGAPIXELS, "cpu_seconds": spent.cpu_seconds, "peak_mib": spent.peak_mib}


def main() -> None:
    """Measure, and write the file."""
    keep_buffers()
    torch.set_num_threads(1)
    vars(network_speed)["time"] = Processor
    exact = Model.load("photo", device="cpu", dtype="fp32").network
    rows: list[dict[str, Any]] = [
        {"what": name, "dtype": dtype, "seconds_per_megapixel": of_shape(name, DTYPES[dtype])}
        for name in SHAPES
        for dtype in DTYPES
    ]
    for way in ways(exact, read_info(find("photo")), list(DTYPES)):
        row = {"what": way.name, "dtype": way.dtype, "seconds_per_megapixel": bare_seconds(way)}
        rows.append(row | (of_photo(way) if "--photo" in sys.argv and way.options is not None else {}))
        print(rows[-1], flush=True)
    target = Path(sys.argv[1])
    if target.exists():
        _keep_smaller(rows, json.loads(target.read_text())["rows"])
    made = {"cpu": cpu_name(), "torch": torch.__version__}
    target.write_text(json.dumps({"machine": made, "rows": rows}, indent=1) + "\n")


def _keep_smaller(rows: list[dict[str, Any]], before: list[dict[str, Any]]) -> None:
    """Take the figures of an earlier run where they are less, or only there."""
    earlier = {(row["what"], row["dtype"]): row for row in before}
    for row in rows:
        old = earlier.get((row["what"], row["dtype"]), {})
        for key in ("seconds_per_megapixel", "megapixels", "cpu_seconds", "peak_mib"):
            if key in row or key in old:
                row[key] = min(row.get(key, math.inf), old.get(key, math.inf))


if __name__ == "__main__":
    main()
