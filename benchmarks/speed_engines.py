"""Engines beside each other in CPU seconds, whatever else runs: python -m benchmarks.speed_engines FILE

What `diffuse bench` measures by the clock is measured here by the processor time of one thread: the bare network, other
networks' shapes, and a noisy picture of 12 megapixels from start to file.
"""

import json
import sys
import time
from pathlib import Path

import torch

from diffuse_cli.diffusion.checkpoint import find, read_info
from diffuse_cli.diffusion.model import Model
from diffuse_cli.evaluation import network_speed
from diffuse_cli.evaluation.engine_speed import time_engines
from diffuse_cli.evaluation.hardware import cpu_name
from diffuse_cli.evaluation.network_speed import DTYPES, REFERENCES, Peak, time_reference
from diffuse_cli.system.process import keep_buffers


class Processor:
    """Stands for the clock in what is measured."""

    perf_counter = staticmethod(time.process_time)


def main() -> None:
    """Measure, and write the file."""
    keep_buffers()
    torch.set_num_threads(1)
    network_speed.time = Processor  # type: ignore[attr-defined]
    model = Model.load("photo", device="cpu", dtype="fp32")
    made = {"cpu": cpu_name(), "torch": torch.__version__}
    found = time_engines(model.network, read_info(find("photo")), list(DTYPES), print)
    unknown = {dtype: Peak(tflops=1.0, channels=0, side=0, layout="") for dtype in DTYPES}
    for name in ("FFDNet-shaped", "SPAN-shaped, x2"):
        assert name in REFERENCES
        best = time_reference(name, unknown)
        found.append({"engine": name, "dtype": best["dtype"], "seconds_per_megapixel": best["seconds_per_megapixel"]})
    Path(sys.argv[1]).write_text(json.dumps({"machine": made, "rows": found}, indent=1) + "\n")


if __name__ == "__main__":
    main()
