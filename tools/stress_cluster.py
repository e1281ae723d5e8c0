"""Run a batch on two Ray nodes of this machine, kill a worker and then a node, and compare with the local engine.

    python -m tools.stress_cluster FOLDER [PICTURES] [--side PX] [--calm] [--workers N] [--engine-only]

FOLDER is made, with pictures of 40 x 40 pixels of which every hundredth is broken. --calm kills nothing. The nodes are
processes of their own, each with one CPU and an object store of 200 MB. Prints one line of JSON.
"""

import argparse
import hashlib
import json
import os
import secrets
import signal
import subprocess
import sys
import sysconfig
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

BIN = Path(sysconfig.get_path("scripts"))
PORT = 6399
STORE = 200_000_000
ENV = {
    **os.environ, "OMP_NUM_THREADS": "1", "NO_COLOR": "1", "RAY_USAGE_STATS_ENABLED": "0", "RAY_worker_niceness": "0",
    "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32),
}  # fmt: skip


def pictures(folder: Path, count: int, side: int = 40) -> None:
    """Noisy gradients, and junk for every hundredth."""
    folder.mkdir(parents=True)
    random = np.random.default_rng(0)
    base = np.linspace(40, 200, side)[None, :, None] + np.linspace(0, 40, side)[:, None, None]
    for k in range(count):
        path = folder / f"{k:05}.png"
        if k % 100 == 50:
            path.write_bytes(b"junk")
            continue
        noisy = base + random.normal(0, 20, (side, side, 3))
        Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(path)


def node(*arguments: str) -> "subprocess.Popen[bytes]":
    """Start a node."""
    common = ("--num-cpus=1", f"--object-store-memory={STORE}", "--block", "--disable-usage-stats")
    return subprocess.Popen(
        [str(BIN / "ray"), "start", *arguments, *common],
        env=ENV, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip


def joined(count: int, *arguments: str) -> "subprocess.Popen[bytes]":
    """Start a node until it has joined as one of so many. On a busy machine, Ray itself gives up some tries."""
    asking = f"import ray; ray.init('127.0.0.1:{PORT}', logging_level='error'); print(len(ray.nodes()))"
    for _ in range(8):
        started = node(*arguments)
        while started.poll() is None:
            time.sleep(5)
            said = subprocess.run([sys.executable, "-c", asking], env=ENV, capture_output=True, text=True, check=False)
            if said.stdout.strip() == str(count) and started.poll() is None:
                return started
    raise SystemExit("the nodes do not start; see /tmp/ray/session_latest/logs")


def family(process: int) -> list[int]:
    """A process and all that it started."""
    found = [process]
    for one in found:
        for task in Path(f"/proc/{one}/task").glob("*/children"):
            with suppress(OSError):
                found += map(int, task.read_text().split())
    return found


def title(process: int) -> str:
    with suppress(OSError):
        return Path(f"/proc/{process}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    return ""


def memory(process: int) -> int:
    """Resident bytes that are its own, without the object store."""
    with suppress(OSError):
        pages = Path(f"/proc/{process}/statm").read_text().split()
        return (int(pages[1]) - int(pages[2])) * os.sysconf("SC_PAGE_SIZE")
    return 0


def shared(process: int) -> int:
    """Bytes of shared memory that are in use: of a raylet, its object store."""
    with suppress(OSError):
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
        return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("RssShmem")), 0)
    return 0


def kill(processes: list[int]) -> None:
    for one in processes:
        with suppress(ProcessLookupError):
            os.kill(one, signal.SIGKILL)


class Watch(threading.Thread):
    """Measures the driver and the object store, and kills a worker and a node on the way."""

    def __init__(
        self, driver: int, second: int | None, stores: list[int], output: Path, count: int, calm: bool
    ) -> None:
        super().__init__(daemon=True)
        self.stores = stores
        self.driver, self.second, self.output, self.count, self.calm = driver, second, output, count, calm
        self.told: dict[str, Any] = {"driver_mb": 0.0, "store_mb": 0.0}
        self.over = threading.Event()

    def run(self) -> None:
        while not self.over.wait(0.5):
            self.told["driver_mb"] = max(self.told["driver_mb"], memory(self.driver) / 1e6)
            self.told["store_mb"] = max(self.told["store_mb"], max(map(shared, self.stores), default=0) / 1e6)
            done = len(os.listdir(self.output)) if self.output.is_dir() else 0
            if not self.calm and self.second is not None:
                self._harm(done, self.second)

    def _harm(self, done: int, second: int) -> None:
        if "worker_killed_at" not in self.told and done > self.count * 0.2:
            workers = [one for one in family(second) if title(one).startswith("ray::MapWorker(MapBatches")]
            if workers:
                kill(workers[:1])
                self.told["worker_killed_at"] = done
        elif "worker_killed_at" in self.told and "node_killed_at" not in self.told and done > self.count * 0.5:
            kill(family(second))
            self.told["node_killed_at"] = done


def diffuse(*arguments: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, "-m", "diffuse_cli", *arguments], env=ENV, stderr=subprocess.PIPE)


def hashes(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("pictures", type=int, nargs="?", default=500)
    parser.add_argument("--calm", action="store_true")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--side", type=int, default=40, help="of the pictures")
    parser.add_argument("--engine-only", action="store_true", help="compare with nothing")
    asked = parser.parse_args()
    source, local, spread = (asked.folder / name for name in ("in", "local", "ray"))
    pictures(source, asked.pictures, asked.side)
    line = ["denoise", str(source), "--noise", "20", "-q"]
    told: dict[str, Any] = {"pictures": asked.pictures, "workers": asked.workers}
    if not asked.engine_only:
        begin = time.monotonic()
        ended = diffuse(*line, "-o", f"{local}/", "--threads", "1")
        _, said = ended.communicate()
        told |= {"local_s": round(time.monotonic() - begin, 1), "local_failures": len(said.splitlines()) - 1}
    nodes = [joined(1, "--head", f"--port={PORT}", "--include-dashboard=false")]
    if asked.workers > 1:
        nodes.append(joined(2, f"--address=127.0.0.1:{PORT}"))
    second = nodes[1] if asked.workers > 1 else None
    try:
        begin = time.monotonic()
        journal = ("--journal", str(asked.folder / "j.jsonl"))
        more = ("--engine", "ray", "--address", f"127.0.0.1:{PORT}", "--workers", str(asked.workers))
        run = diffuse(*line, "-o", f"{spread}/", *journal, *more)
        raylets = [p for one in nodes for p in family(one.pid) if "/raylet/raylet" in title(p).split(" ")[0]]
        watch = Watch(run.pid, None if second is None else second.pid, raylets, spread, asked.pictures, asked.calm)
        watch.start()
        _, said = run.communicate()
        watch.over.set()
        told |= {"ray_s": round(time.monotonic() - begin, 1), "exit_code": run.returncode, **watch.told}
        told["failures"] = [line for line in said.decode().splitlines() if "junk" in line or "diffuse: " in line][:8]
    finally:
        for one in nodes:
            kill(family(one.pid))
    made = hashes(spread)
    lines = [json.loads(one) for one in (asked.folder / "j.jsonl").read_text().splitlines()]
    times = sorted(path.stat().st_mtime for path in spread.iterdir())
    told |= {
        "outputs": len(made),
        "pictures_per_s": round((len(times) - 1) / (times[-1] - times[0]), 2),
        "journal": {event: sum(one["event"] == event for one in lines) for event in ("planned", "done", "failed")},
        "same_as_local": None if asked.engine_only else made == hashes(local),
    }
    sys.stdout.write(json.dumps(told) + "\n")


if __name__ == "__main__":
    main()
