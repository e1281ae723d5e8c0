"""Restore pictures from an S3 server to it, over a server that fails now and then, and kill the run on the way.

    python -m tools.stress_store FOLDER [PICTURES] [--errors SHARE]

FOLDER is made. moto's server runs on loopback; the share of requests that --errors says get 500 or 503, or end before
their answer does. The first run is killed with SIGKILL when 40 % of the results are there; --resume does the rest.
Prints one line of JSON.
"""

import argparse
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import boto3
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

from tools.stress_cluster import pictures

BUCKET = "scans"
ENV = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}
Start = Callable[..., Any]


class Flaky:
    """A server of S3 that fails now and then, once it is switched on."""

    def __init__(self, share: float) -> None:
        self.server = DomainDispatcherApplication(create_backend_app)
        self.share, self.on = share, False
        self.random, self.guard = random.Random(0), threading.Lock()
        self.seen: Counter[str] = Counter()

    def __call__(self, request: dict[str, Any], start: Start) -> Iterable[bytes]:
        with self.guard:
            fate = self.random.random() / self.share if self.on and self.share else 1.0
        self.seen["requests"] += self.on
        if fate >= 1:
            return list(self.server(request, start))
        kind = ("500", "503", "cut")[int(3 * fate)]
        self.seen[kind] += 1
        if kind == "cut":
            start("200 OK", [("Content-Length", "100000")])
            return [b"<"]
        start("500 Internal Server Error" if kind == "500" else "503 Slow Down", [("Content-Type", "application/xml")])
        code = "InternalError" if kind == "500" else "SlowDown"
        return [f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>try again</Message></Error>".encode()]


def diffuse(*arguments: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, "-m", "diffuse_cli", *arguments], stderr=subprocess.PIPE)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("pictures", type=int, nargs="?", default=200)
    parser.add_argument("--errors", type=float, default=0.05)
    asked = parser.parse_args()
    app = Flaky(asked.errors)
    server = make_server("127.0.0.1", 0, app, threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    os.environ.update(ENV, AWS_ENDPOINT_URL=f"http://127.0.0.1:{server.server_port}", OMP_NUM_THREADS="1")
    source, local, journal = (asked.folder / name for name in ("in", "local", "j.jsonl"))
    pictures(source, asked.pictures)
    bucket = boto3.resource("s3").create_bucket(Bucket=BUCKET)
    for path in sorted(source.iterdir()):
        bucket.put_object(Key=f"in/{path.name}", Body=path.read_bytes())
    common = ("--noise", "20", "-q", "--threads", "1")
    diffuse("denoise", str(source), "-o", f"{local}/", *common).communicate()
    line = ("denoise", f"s3://{BUCKET}/in", "-o", f"s3://{BUCKET}/out/", "--journal", str(journal), *common)

    def made() -> dict[str, str]:
        return {
            one.key.removeprefix("out/"): hashlib.sha256(one.get()["Body"].read()).hexdigest()
            for one in bucket.objects.filter(Prefix="out/")
        }

    app.on = True
    run = diffuse(*line)
    while run.poll() is None:
        time.sleep(1)
        app.on = False
        count = len(list(bucket.objects.filter(Prefix="out/")))
        app.on = True
        if count > 0.4 * asked.pictures:
            run.send_signal(signal.SIGKILL)
            run.wait()
    app.on = False
    told: dict[str, Any] = {"pictures": asked.pictures, "errors": asked.errors, "there_at_the_kill": len(made())}
    app.on = True
    runs = 0
    while runs < 4:
        runs += 1
        again = diffuse(*line, "--resume")
        _, said = again.communicate()
        failed = [one for one in said.decode().splitlines() if "not a picture" not in one]
        told[f"resume_{runs}"] = {"exit_code": again.returncode, "other_failures": failed[1:6]}
        if not failed[1:]:
            break
    app.on = False
    expected = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in local.iterdir()}
    found = made()
    told |= {"server": dict(app.seen), "outputs": len(found), "same_as_local": found == expected}
    status = subprocess.run(
        [sys.executable, "-m", "diffuse_cli", "batch", "status", str(journal)],
        capture_output=True,
        text=True,
        check=False,
    )
    told["status"] = status.stdout.splitlines()[0]
    server.shutdown()
    sys.stdout.write(json.dumps(told) + "\n")


if __name__ == "__main__":
    main()
