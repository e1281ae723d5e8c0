"""`diffuse serve` as a process: its token, its address, its end."""

import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.conftest import PROGRAM
from tests.helpers.program import Program

pytest.importorskip("starlette", reason="needs the extra [serve]")
pytest.importorskip("uvicorn", reason="needs the extra [serve]")

from diffuse_cli.cli.run.connection import form

pytestmark = [pytest.mark.program, pytest.mark.slow]
SECRET = "0123456789abcdef-secret"


@contextmanager
def running(model: Path, *options: str, **env: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """The server, and its port."""
    command = [str(PROGRAM), "serve", "--port", "0", "--model", str(model), "--dtype", "fp32", *options]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", **env}
    server = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment)
    assert server.stderr is not None
    try:
        line = server.stderr.readline()
        assert line.startswith("serving "), line
        yield server, int(line.split("127.0.0.1:")[1].split(",")[0].split(";")[0])
    finally:
        server.kill()
        server.wait()
        server.stderr.close()


def test_sigterm_finishes_what_is_in_hand(toy_file: Path, cat: Path) -> None:
    with running(toy_file, DIFFUSE_TOKEN=SECRET) as (server, port):
        assert SECRET not in Path(f"/proc/{server.pid}/cmdline").read_text()
        body, kind = form({"picture": ("a.png", cat.read_bytes())}, {"steps": 60, "noise": 20})
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        connection.request("GET", "/healthz")
        assert connection.getresponse().read() == b'{"status":"ok"}'
        connection.request("POST", "/v1/denoise", body, {"Content-Type": kind, "Authorization": f"Bearer {SECRET}"})
        timer = threading.Timer(0.3, server.send_signal, [signal.SIGTERM])
        timer.start()
        answer = connection.getresponse()
        assert (answer.status, answer.read()[:4]) == (200, b"\x89PNG")
        timer.join()
        connection.close()
        assert server.wait(40) == 0
        assert server.stderr is not None
        assert server.stderr.read() == "stopped\n"
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), timeout=5)


def test_what_is_wrong_is_one_line(run: Program, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("short\n")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        for options, said in (
            (["--host", "0.0.0.0"], "other machines reach it, so it needs a token; give --token-file FILE"),
            (["--token-file", "token"], "token: a token has at least 16 characters"),
            (["--token-file", "none"], "none: the token cannot be read"),
            (["--token", SECRET, "--token-file", "token"], "give one of them"),
            (["--port", port], "Address already in use; give another, or --port 0"),
            (["--max-body", "1K"], "no picture fits"),
        ):
            ended = run("serve", *options)
            assert (ended.exit_code, ended.stderr.count("\n")) == (2, 1), ended.stderr
            assert said in ended.stderr


def test_without_the_extra_a_line_names_it(tmp_path: Path) -> None:
    hide = "import sys; sys.modules['uvicorn'] = None; sys.argv = ['diffuse', 'serve']; "
    hide += "from diffuse_cli.cli.app import main; main()"
    ended = subprocess.run([sys.executable, "-c", hide], capture_output=True, text=True, cwd=tmp_path)
    assert (ended.returncode, "pip install 'diffuse-cli[serve]'" in ended.stderr) == (2, True), ended.stderr
