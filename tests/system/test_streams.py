"""Pipes and devices: read once, written to, given up."""

import errno
import os
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from diffuse_cli.system import streams

pytestmark = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")


@pytest.fixture
def pipe(tmp_path: Path) -> Path:
    os.mkfifo(tmp_path / "p")
    return tmp_path / "p"


@pytest.fixture(autouse=True)
def _waits_again() -> Iterator[None]:
    yield
    streams.stop_waiting(False)


def feed(pipe: Path, data: bytes) -> threading.Thread:
    thread = threading.Thread(target=pipe.write_bytes, args=(data,), daemon=True)
    thread.start()
    return thread


def test_a_pipe_gives_the_same_again_only_where_it_is_kept(pipe: Path, tmp_path: Path) -> None:
    large = os.urandom(300_000)
    with streams.reading_once():
        feed(pipe, large)
        with ThreadPoolExecutor(3) as pool:
            assert set(pool.map(lambda _: streams.opened(pipe).read(), range(3))) == {large}
    for again in (b"one", b""):
        feed(pipe, again)
        assert streams.opened(pipe).read() == again
    (tmp_path / "file").write_bytes(b"plain")
    with streams.reading_once(), streams.opened(tmp_path / "file") as file:
        assert file.read() == b"plain"


def test_a_slow_reader_gets_all(pipe: Path) -> None:
    large = os.urandom(300_000)

    def read() -> bytes:
        time.sleep(0.3)  # nobody reads yet
        with pipe.open("rb") as file:
            first = file.read(1000)
            time.sleep(0.3)  # and now the pipe is full
            return first + file.read()

    with ThreadPoolExecutor(1) as pool:
        got = pool.submit(read)
        streams.write_into(pipe, large)
        assert got.result(20) == large


def test_waiting_ends_when_it_is_to(pipe: Path) -> None:
    read_end, write_end = os.pipe()
    with ThreadPoolExecutor(2) as pool:
        reading = pool.submit(streams.opened, pipe)
        writing = pool.submit(streams.write_all, write_end, bytes(1 << 20))  # more than it holds, and nobody reads
        time.sleep(0.5)
        assert not reading.done()
        assert not writing.done()
        streams.stop_waiting()
        for waiting in (reading, writing):
            with pytest.raises(InterruptedError):
                waiting.result(20)
    os.close(read_end)
    os.close(write_end)
    with pytest.raises(InterruptedError):
        streams.write_into(pipe, b"nobody reads")


def test_what_can_be_neither_read_nor_written(tmp_path: Path) -> None:
    name = tmp_path / "socket"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(name))
        assert streams.is_stream(name)
        for refused in (lambda: streams.opened(name), lambda: streams.write_into(name, b"")):
            with pytest.raises(OSError, match="socket") as caught:
                refused()
            assert caught.value.errno == errno.ENODEV
    with pytest.raises(OSError, match="device"):
        streams.opened(Path("/dev/zero"))
    assert not streams.is_stream(tmp_path)
    assert not streams.is_stream(tmp_path / "nothing")
