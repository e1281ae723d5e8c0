"""How long a small picture takes: in a fresh process, in the shell with --server, and by one HTTP request.

python -m benchmarks.speed_server [--rounds N]

The three take turns, so whatever else the machine does meets all of them. CPU seconds are those of all processes that
work on the picture. The results must have the same bytes.
"""

import argparse
import http.client
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from PIL import Image

from diffuse_cli.cli.run.connection import form
from diffuse_cli.evaluation.hardware import cpu_name

ROOT = Path(__file__).resolve().parents[1]
SIDE = 256
TICKS = os.sysconf("SC_CLK_TCK")


def spent(process: int) -> float:
    """The CPU seconds of a process so far, and of the children of this one."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (int(fields[11]) + int(fields[12])) / TICKS + children.ru_utime + children.ru_stime


def median(values: list[float]) -> float:
    return round(statistics.median(values), 3)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        with Image.open(ROOT / "examples" / "cat_noisy.png") as image:
            image.crop((100, 20, 100 + SIDE, 20 + SIDE)).save(place / "in.png")
        command = [sys.executable, "-m", "diffuse_cli"]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "XDG_STATE_HOME": folder}
        serve = [*command, "serve", "--port", "0", "--threads", "1"]
        server = subprocess.Popen(serve, stderr=subprocess.PIPE, text=True, env=environment)
        assert server.stderr is not None
        url = server.stderr.readline().split(" at ")[1].split(";")[0]
        port = int(url.rpartition(":")[2])

        def shell(*options: str) -> bytes:
            line = [*command, "denoise", "in.png", "-o", "out.png", "-f", "-q", *options]
            subprocess.run(line, cwd=place, env=environment, check=True)
            return (place / "out.png").read_bytes()

        def request() -> bytes:
            body, kind = form({"picture": ("in.png", (place / "in.png").read_bytes())}, {})
            connection = http.client.HTTPConnection("127.0.0.1", port)
            connection.request("POST", "/v1/denoise", body, {"Content-Type": kind})
            content = connection.getresponse().read()
            connection.close()
            return content

        ways: dict[str, Callable[[], bytes]] = {
            "fresh process": lambda: shell("--threads", "1"),
            "shell with --server": lambda: shell("--server", url),
            "HTTP request": request,
        }
        wall: dict[str, list[float]] = {name: [] for name in ways}
        cpu: dict[str, list[float]] = {name: [] for name in ways}
        contents: set[bytes] = set()
        for number in range(rounds + 1):
            for name, way in ways.items():
                begin, before = time.monotonic(), spent(server.pid)
                contents.add(way())
                if number:  # the first round only warms up
                    wall[name].append(time.monotonic() - begin)
                    cpu[name].append(spent(server.pid) - before)
        server.terminate()
        assert server.wait(60) == 0
    assert len(contents) == 1
    found = {
        "command": f"python -m benchmarks.speed_server --rounds {rounds}", "hardware": cpu_name(), "side": SIDE,
        "rounds": rounds,
        "ways": {name: {"seconds": median(wall[name]), "cpu_seconds": median(cpu[name])} for name in ways},
    }  # fmt: skip
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
