"""Many requests with faults against `diffuse serve`, by hand: python -m tools.stress_server [--requests N].

A server with a tiny network of random weights gets requests from several clients at once. Most are good. The others
have wrong options, files that are no pictures or end early, bodies that are too large or not as they claim, no token or
a wrong one, and clients that leave in mid-request. Every good request must give the bytes that the first of its kind
gave; a refusal must have its status. The server's memory is read all along, and its open files. In the end SIGTERM must
stop it.
"""

import argparse
import http.client
import io
import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

from diffuse_cli.cli.run.connection import form
from tools.stress_batches import toy

TOKEN = "a-token-of-the-stress-test"
CLIENTS, WAITING = 6, 5
MOST_BODY = 65536
GOOD: dict[str, dict[str, object]] = {
    "denoise": {"noise": 20},
    "restore": {"noise": 10, "jpeg": None, "blur": None},
    "super-resolve": {"scale": 2, "plain": True},
    "inpaint": {"boxes": [[4, 4, 5, 5]]},
    "enhance": {"exposure": 0.5, "noise": 0},
    "extend": {"pad": [4, 0, 4, 0]},
    "dejpeg": {"jpeg": 50},
}


def picture(side: int = 24, form: str = "png") -> bytes:
    pixels = np.random.default_rng(side).integers(90, 160, (side, side, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, form)
    return file.getvalue()


PICTURE = picture()
BOMB = picture(600)


class Clients:
    """What the requests have given so far."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.counts: Counter[str] = Counter()
        self.first: dict[str, bytes] = {}
        self.wrong: list[str] = []
        self.seconds: list[float] = []
        self.lock = threading.Lock()

    def post(self, path: str, body: bytes, kind: str, token: str = TOKEN) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        try:
            headers = {"Content-Type": kind, "Authorization": f"Bearer {token}"}
            connection.request("POST", path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def raw(self, data: bytes, wait: float = 0.0) -> None:
        """Send bytes, and leave."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=30) as peer:
            peer.sendall(data)
            time.sleep(wait)

    def good(self, rng: random.Random) -> str:
        name = rng.choice(list(GOOD))
        body, kind = form({"picture": ("a.png", PICTURE)}, {"seed": 1, **GOOD[name]})
        begin = time.monotonic()
        status, content = self.post(f"/v1/{name}", body, kind)
        with self.lock:
            if status == 200:
                self.seconds.append(time.monotonic() - begin)
                if self.first.setdefault(name, content) != content:
                    self.wrong.append(f"{name}: other bytes than before")
        return f"good: {status}"

    def bad_option(self, rng: random.Random) -> str:
        wrong: dict[str, object] = rng.choice(
            [{"noise": -1}, {"noize": 1}, {"steps": "x"}, {"seed": 1.5}, {"noise": []}]
        )
        body, kind = form({"picture": ("a.png", PICTURE)}, wrong)
        return f"option: {self.post('/v1/denoise', body, kind)[0]}"

    def no_picture(self, rng: random.Random) -> str:
        content = rng.choice([b"no picture", PICTURE[: rng.randrange(8, 300)], bytes(2000), b"P6 99999 99999 255\n"])
        body, kind = form({"picture": ("../../etc/passwd", content)}, {})
        return f"no picture: {self.post('/v1/denoise', body, kind)[0]}"

    def many_pixels(self, rng: random.Random) -> str:
        body, kind = form({"picture": ("a.png", picture(110, "jpeg"))}, {"scale": 8})
        return f"pixels: {self.post('/v1/super-resolve', body, kind)[0]}"

    def large(self, rng: random.Random) -> str:
        if rng.random() < 0.5:
            body, kind = form({"picture": ("a.png", BOMB)}, {})
            try:
                return f"large: {self.post('/v1/denoise', body, kind)[0]}"
            except (ConnectionError, http.client.HTTPException):
                return "large: closed"
        head = f"POST /v1/denoise HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\nAuthorization: Bearer {TOKEN}\r\n"
        self.raw(f"{head}Content-Type: multipart/form-data; boundary=x\r\nContent-Length: {10**12}\r\n\r\n".encode())
        return "claims to be large"

    def stranger(self, rng: random.Random) -> str:
        body, kind = form({"picture": ("a.png", PICTURE)}, {})
        return f"stranger: {self.post('/v1/denoise', body, kind, rng.choice(['', 'x', TOKEN[:-1], TOKEN + 'x']))[0]}"

    def leaving(self, rng: random.Random) -> str:
        body, kind = form({"picture": ("a.png", PICTURE)}, {"steps": 40})
        head = f"POST /v1/denoise HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\nAuthorization: Bearer {TOKEN}\r\n"
        data = f"{head}Content-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
        self.raw(data[: rng.choice([40, 300, len(data) - 5, len(data)])], wait=rng.choice([0, 0.02]))
        return "left"

    def garbage(self, rng: random.Random) -> str:
        self.raw(
            rng.choice([rng.randbytes(300), b"GET / HTTP/9.9\r\n\r\n", b"POST /v1/denoise HTTP/1.1\r\n" + b"A" * 99999])
        )
        return "garbage"

    def broken_form(self, rng: random.Random) -> str:
        body, kind = form({"picture": ("a.png", PICTURE)}, {})
        broken = rng.choice([body[: len(body) // 2], body.replace(b"name=", b"nome="), body[:-9], b"--x", b""])
        return f"form: {self.post('/v1/denoise', broken, kind)[0]}"

    def one(self, number: int) -> None:
        rng = random.Random(number)
        faults: list[Callable[[random.Random], str]] = [
            self.bad_option, self.no_picture, self.many_pixels, self.large, self.stranger, self.leaving, self.garbage,
            self.broken_form,
        ]  # fmt: skip
        work = self.good if rng.random() < 0.6 else rng.choice(faults)
        try:
            what = work(rng)
        except (OSError, http.client.HTTPException) as error:
            what = f"{work.__name__}: {type(error).__name__}"
        with self.lock:
            self.counts[what] += 1


EXPECTED = {
    "good": {200, 503}, "option": {422, 503}, "no picture": {422, 503}, "pixels": {413, 503}, "large": {413, 503},
    "stranger": {401}, "form": {400, 422, 503},
}  # fmt: skip


def resident(process: int) -> float:
    """Return its memory in MB."""
    text = Path(f"/proc/{process}/status").read_text()
    return int(next(line.split()[1] for line in text.splitlines() if line.startswith("VmRSS"))) / 1024


def files(process: int) -> int:
    return len(os.listdir(f"/proc/{process}/fd"))


def started(folder: Path) -> tuple[subprocess.Popen[str], int]:
    model = toy(folder / "toy.safetensors")
    command = [
        sys.executable, "-m", "diffuse_cli", "serve", "--port", "0", "--model", str(model), "--dtype", "fp32",
        "--threads", "1", "--queue", str(WAITING), "--max-body", str(MOST_BODY), "--max-pixels", "400000",
    ]  # fmt: skip
    environment = {**os.environ, "DIFFUSE_TOKEN": TOKEN}
    server = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment)
    assert server.stderr is not None
    line = server.stderr.readline()
    return server, int(line.split("127.0.0.1:")[1].split(",")[0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        server, port = started(Path(folder))
        clients, begin = Clients(port), time.monotonic()
        memory: list[float] = []
        descriptors: list[int] = []
        every = max(given.requests // 20, 1)
        with ThreadPoolExecutor(CLIENTS) as pool:
            for start in range(0, given.requests, every):
                list(pool.map(clients.one, range(start, min(start + every, given.requests))))
                memory.append(round(resident(server.pid), 1))
                descriptors.append(files(server.pid))
                print(start + every, memory[-1], "MB", descriptors[-1], "files", flush=True)
        seconds = time.monotonic() - begin
        server.send_signal(signal.SIGTERM)
        code = server.wait(60)
    statuses = [(what.partition(": ")[0], what.partition(": ")[2]) for what in clients.counts]
    wrong = [f"{what}: {said}" for what, said in statuses if said.isdigit() and int(said) not in EXPECTED[what]]
    found = {
        "requests": given.requests, "seconds": round(seconds, 1), "memory_mb": memory, "files": descriptors,
        "growth_mb": round(memory[-1] - memory[len(memory) // 4], 1), "exit_code": code,
        "outcomes": dict(sorted(clients.counts.items())), "wrong": [*clients.wrong, *wrong],
        "median_ms": round(1000 * float(np.median(clients.seconds)), 1),
    }  # fmt: skip
    print(json.dumps(found, indent=1))
    if given.json is not None:
        given.json.write_text(json.dumps(found, indent=1) + "\n")
    assert not found["wrong"], found["wrong"]
    assert code == 0
    assert memory[-1] < 1.1 * memory[len(memory) // 4], "the memory grows"


if __name__ == "__main__":
    main()
