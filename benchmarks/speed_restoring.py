"""Measure what `diffuse bench` does not: backends, compiled networks, batches, large pictures, rounds, and --memory.

    python -m benchmarks.speed_restoring compile|batches|large|rounds|memory FOLDER
    python -m benchmarks.speed_restoring backends FOLDER PICTURES

writes FOLDER/speed-PART.json. Seconds are those of one thread's core, so that other programs beside it count little.
"""

import copy
import json
import platform
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from torch import Tensor

from diffuse_cli.diffusion import inference as estimating
from diffuse_cli.diffusion import tiling
from diffuse_cli.diffusion.backends.compilation import compile_network
from diffuse_cli.diffusion.backends.ncnn import NcnnNetwork
from diffuse_cli.diffusion.inference import Run, infer
from diffuse_cli.diffusion.model import Model
from diffuse_cli.diffusion.network import UNet
from diffuse_cli.evaluation.command_speed import diffuse, picture, run
from diffuse_cli.evaluation.hardware import cpu_name
from diffuse_cli.restoration.observe import observe
from diffuse_cli.restoration.problem import Problem
from diffuse_cli.system.process import keep_buffers

ROUNDS = 5
SIDE = 640
Rows = list[dict[str, Any]]


def shortest(calls: dict[str, Callable[[], object]], rounds: int = ROUNDS) -> dict[str, float]:
    """Seconds of the process in the shortest of several calls of each, which take turns."""
    for call in calls.values():
        call()
    best = dict.fromkeys(calls, float("inf"))
    for _ in range(rounds):
        for name, call in calls.items():
            begin = time.process_time()
            call()
            best[name] = min(best[name], time.process_time() - begin)
    return best


def inputs(batch: int, side: int) -> tuple[Tensor, Tensor, Tensor]:
    return torch.randn(batch, 8, side, side), torch.zeros(batch), torch.zeros(batch, 4)


def networks(model: Model) -> dict[str, UNet]:
    both = {"bf16": model.network, "fp32": model.exact or model.network}
    return both if model.exact is not None else {"fp32": model.network}


@torch.no_grad()
def compiled() -> Rows:
    """The whole command, with an empty and a full cache of kernels, and the network alone."""
    rows: Rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for megapixels in (1.0, 12.0):
            source = folder / f"{megapixels:g}.png"
            picture(source, megapixels)
            command = [*diffuse("denoise", str(source), "--noise", "15"), "-q", "-f", "-o", str(folder / "out.png")]
            cache = f"TORCHINDUCTOR_CACHE_DIR={folder / f'cache-{megapixels:g}'}"
            one = "TORCHINDUCTOR_COMPILE_THREADS=1"  # or seconds of processes that nobody waits for are not counted
            ways = {"plain": [], "--compile, first": ["--compile"], "--compile, again": ["--compile"]}
            for way, options in ways.items():
                spent = run(["env", cache, one, *command, *options, "--threads", "1"])
                rows.append({"what": "denoise --noise 15", "megapixels": megapixels, "way": way} | spent._asdict())
    for dtype, network in networks(Model.load("photo", device="cpu")).items():
        other = copy.deepcopy(network)
        compile_network(other)
        x = inputs(1, SIDE)
        found = shortest({"plain": lambda n=network, x=x: n(*x), "compiled": lambda n=other, x=x: n(*x)})  # type: ignore[misc]
        for way, seconds in found.items():
            rows.append({"what": f"network, {dtype}", "way": way, "seconds_per_megapixel": seconds / SIDE**2 * 1e6})
    return rows


@torch.no_grad()
def batches() -> Rows:
    """Windows one by one and four at a time; whether their results are the same; specks in a picture."""
    rows: Rows = []
    model = Model.load("photo", device="cpu")
    for dtype, network in networks(model).items():
        for side in (144, 192, 256, 512):
            four, each = inputs(4, side), [inputs(1, side) for _ in range(4)]
            found = shortest(
                {
                    "one by one": lambda n=network, each=each: [n(*x) for x in each],  # type: ignore[misc]
                    "four at a time": lambda n=network, four=four: n(*four),  # type: ignore[misc]
                }
            )
            alone = torch.cat([network(*(t[k : k + 1] for t in four)) for k in range(4)])
            apart = float((network(*four).float() - alone.float()).abs().max())
            per = {way: seconds / (4 * side**2) * 1e6 for way, seconds in found.items()}
            rows.append({"what": f"windows of {side}, {dtype}", "apart": apart, "seconds_per_megapixel": per})
    for count in (20, 100):
        rows.append({"what": f"{count} specks, 3 megapixels", "seconds": specks(model, count)})
    return rows


def specks(model: Model, count: int) -> dict[str, float]:
    size, rng = (1500, 2000), np.random.default_rng(0)
    y, hole = torch.full((1, 3, *size), 0.1), np.zeros(size, bool)
    for _ in range(count):
        top, left, side = rng.integers(0, size[0] - 9), rng.integers(0, size[1] - 9), rng.integers(2, 9)
        hole[top : top + side, left : left + side] = True

    def fill(most: int) -> None:
        with patch.object(estimating, "BATCH_PIXELS", most):
            nothing = model.nothing_known(1, y.device)
            infer(observe(y, Problem(hole=hole), nothing, gray=False, sampling=False), Run(model=model))

    return shortest({"one by one": lambda: fill(0), "in batches": lambda: fill(tiling.BATCH_PIXELS)}, 3)


WHOLE, HOLE = "denoise --noise 15", "inpaint --box 1000,1000,40,40"
LARGE = (
    (WHOLE, 64**2 / 1e6),
    (WHOLE, 12.0),
    (WHOLE, 100.0),
    (HOLE, 100.0),
    (HOLE, 400.0),
    (f"{HOLE} --fidelity 0 --steps 3", 48.0),
    ("inpaint --box 1000,1000,1000,1000", 48.0),
    ("extend --pad 300,200,300,200", 12.0),
    ("super-resolve --scale 2 --consistent", 3.0),
)


def large() -> Rows:
    """Whole pictures of 12 to 100 megapixels beside one of 64x64; holes, samples and projections for their memory."""
    rows: Rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for how, megapixels in LARGE:
            source = folder / "in.png"
            picture(source, megapixels)
            command, *options = how.split()
            out = ("-q", "-f", "-o", str(folder / "out.png"), "--threads", "1")
            spent = run(diffuse(command, str(source), *options, *out))
            rows.append({"command": how, "megapixels": megapixels} | spent._asdict())
    start = rows[0]["cpu_seconds"]
    for row in rows[1:3]:
        row["cpu_seconds_per_megapixel"] = (row["cpu_seconds"] - start) / row["megapixels"]
    return rows


DEBLURRED = (("deblur --blur 1.6 --noise 0", (1.0, 12.0)), ("deblur --motion 15,30 --noise 1", (1.0, 4.0)))


def rounds() -> Rows:
    """What a round of a data step and a denoiser call takes. A kernel has five more, also with --rounds 0."""
    made: Rows = []
    with tempfile.TemporaryDirectory() as name:
        source = Path(name) / "in.png"
        for how, sizes in DEBLURRED:
            for megapixels in sizes:
                picture(source, megapixels)
                command, *options = how.split()
                out = ("-q", "-f", "-o", str(source.with_stem("out")), "--threads", "1")
                ways = [run(diffuse(command, str(source), *options, "--rounds", str(n), *out)) for n in (0, 3)]
                per = (ways[1].cpu_seconds - ways[0].cpu_seconds) / 3 / megapixels
                row = {"command": how, "megapixels": megapixels, "cpu_seconds_per_megapixel_and_round": per}
                made.append(row | {f"rounds {n}": way._asdict() for n, way in zip((0, 3), ways, strict=True)})
    return made


def memory() -> Rows:
    """What --memory promises, and what is taken, on 12 megapixels."""
    rows: Rows = []
    with tempfile.TemporaryDirectory() as name:
        source = Path(name) / "in.png"
        picture(source, 12.0)
        for dtype in ("fp32", "bf16"):
            for text in ("768M", "1G", "2G", "4G"):
                how = ("--noise", "15", "--memory", text, "--dtype", dtype, "--threads", "1")
                spent = run(diffuse("denoise", str(source), *how, "-q", "-f", "-o", str(source.with_stem("out"))))
                rows.append({"memory": text, "dtype": dtype} | spent._asdict())
    return rows


def backends(pictures: Path) -> Rows:
    """Each backend and type: a tile, a picture of 12 megapixels as a file, and PSNR at noise 25."""
    rows: Rows = []
    exact, half = (Model.load("photo", device="cpu", dtype=dtype) for dtype in ("fp32", "bf16"))
    ways = {
        ("torch", "fp32"): exact.network,
        ("torch", "bf16"): half.network,
        ("ncnn", "fp32"): NcnnNetwork(exact.network, torch.float32),
        ("ncnn", "bf16"): NcnnNetwork(exact.network, torch.bfloat16),
    }
    x = inputs(1, SIDE)
    with torch.no_grad():
        found = shortest({" ".join(way): lambda n=network: n(*x) for way, network in ways.items()})  # type: ignore[misc]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        picture(folder / "in.png", 12.0)
        for backend, dtype in ways:
            how = ("--backend", backend, "--dtype", dtype, "--tile", "1024", "--threads", "1", "-f", "-q")
            spent = run(
                diffuse("denoise", str(folder / "in.png"), "--noise", "15", "-o", str(folder / "out.png"), *how)
            )
            what = ("--task", "denoise", "--data", str(pictures), "--level", "25", "--limit", "12")
            run(diffuse("evaluate", *what, "--json", str(folder / "report.json"), *how))
            quality = json.loads((folder / "report.json").read_text())["rows"][0]["mean"]["psnr"]
            per = found[f"{backend} {dtype}"] / SIDE**2 * 1e6
            row = {"backend": backend, "dtype": dtype, "seconds_per_megapixel": per, "psnr": quality}
            rows.append(row | spent._asdict())
    return rows


PARTS: dict[str, Callable[[], Rows]] = {
    "compile": compiled, "batches": batches, "large": large, "rounds": rounds, "memory": memory,
}  # fmt: skip


def main() -> None:
    part, folder = sys.argv[1], Path(sys.argv[2])
    keep_buffers()
    torch.set_num_threads(1)
    machine = {"cpu": cpu_name(), "torch": torch.__version__, "python": platform.python_version()}
    made = backends(Path(sys.argv[3])) if part == "backends" else PARTS[part]()
    report = {"machine": machine, "rows": made}
    (folder / f"speed-{part}.json").write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
