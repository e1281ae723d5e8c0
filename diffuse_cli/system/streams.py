"""Pipes and devices: read once, written into, and not waited for once a signal has come."""

import errno
import io
import os
import select
import stat
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from .urls import Url, content, opened_in_parts

_PATIENCE: Final = 0.2
"""Seconds between looks at whether a signal has come."""

_stopped = False


def stop_waiting(wanted: bool = True) -> None:
    """Have whatever waits for the other end of a pipe give up, or have it wait again.

    A signal's handler may call this. It takes no lock.

    Args:
        wanted: give up.
    """
    global _stopped
    _stopped = wanted


def is_stream(path: Path) -> bool:
    """Return whether there is something that is neither a file nor a folder, such as a pipe. Links are followed."""
    if isinstance(path, Url):
        return False
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def is_pipe(path: Path) -> bool:
    """Return whether there is a pipe, with a name or without one."""
    try:
        return stat.S_ISFIFO(path.stat().st_mode)
    except OSError:
        return False


# Reading -------------------------------------------------------------------------------------------------------------

_guard = threading.Lock()
_kept: dict[str, bytes] | None = None
_locks: dict[str, threading.Lock] = {}


@contextmanager
def reading_once() -> Iterator[None]:
    """Keep what pipes have given while it is entered. Whoever opens one again gets the same."""
    global _kept
    before, _kept = _kept, {}
    try:
        yield
    finally:
        _kept = before
        _locks.clear()


def opened(path: Path) -> io.BufferedReader | io.BytesIO:
    """Open a file for reading. A pipe, and a file that a URL names, is read to its end first.

    Args:
        path: a file, a URL or a pipe.

    Raises:
        OSError: there is no such file; it is a device or a socket; or a signal came before the pipe's end.
    """
    if isinstance(path, Url):
        return io.BytesIO(content(path))
    if not is_stream(path):
        return path.open("rb")
    if not is_pipe(path):
        raise OSError(errno.ENODEV, "a device or a socket, not a file")
    kept = _kept
    if kept is None:
        return io.BytesIO(_content(path))
    with _guard:
        lock = _locks.setdefault(str(path), threading.Lock())
    with lock:
        if str(path) not in kept:
            kept[str(path)] = _content(path)
        return io.BytesIO(kept[str(path)])


def skimmed(path: Path) -> io.BufferedReader | io.BytesIO:
    """Open a file of which little is read. A file that a URL names has no descriptor then.

    Raises:
        OSError: as `opened`.
    """
    return opened_in_parts(path) if isinstance(path, Url) else opened(path)


def _content(path: Path) -> bytes:
    file = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # which does not wait for a writer, as `_read` does
    try:
        return _read(file)
    finally:
        os.close(file)


def read_stdin() -> bytes:
    """Return what stdin holds.

    Raises:
        OSError: it cannot be read, or a signal came before its end.
    """
    return b"".join(stdin_parts())


def stdin_parts() -> Iterator[bytes]:
    """Yield what stdin holds, piece by piece.

    Raises:
        OSError: as `read_stdin`.
    """
    stream = sys.stdin.buffer
    try:
        file = stream.fileno()
    except (OSError, ValueError):  # a stream of Python's own
        file = -1
    if file >= 0 and hasattr(select, "poll"):
        yield from _parts(file)
    else:
        while part := stream.read(1 << 20):
            yield part


def _read(file: int) -> bytes:
    return b"".join(_parts(file))


def _parts(file: int) -> Iterator[bytes]:
    while True:
        _wait(file, select.POLLIN)
        if _stopped:
            raise _given_up()
        try:
            part = os.read(file, 1 << 20)
        except BlockingIOError:
            continue
        if not part:
            return
        yield part


# Writing -------------------------------------------------------------------------------------------------------------


def write_into(path: Path, data: bytes | memoryview) -> None:
    """Write into a pipe, or into a device of characters.

    Args:
        path: the pipe or device. A pipe's reader is waited for.
        data: what is written.

    Raises:
        OSError: it is a disk or a socket; nobody reads any more; or a signal came before somebody read.
    """
    file = opened_for_writing(path)
    try:
        write_all(file, data)
    finally:
        os.close(file)


def is_writable_stream(path: Path) -> bool:
    """Return whether there is a pipe or a device of characters. A disk is none: to write to it would destroy it."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISCHR(mode)


def opened_for_writing(path: Path) -> int:
    """Return a descriptor of a pipe or device, which the caller closes. A pipe's reader is waited for.

    Args:
        path: the pipe or device.

    Raises:
        OSError: it is a disk or a socket, or a signal came before somebody read.
    """
    if not is_writable_stream(path):
        raise OSError(errno.ENODEV, "a disk or a socket, not a file")
    while True:
        try:
            return os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY)
        except OSError as error:
            if error.errno != errno.ENXIO:  # which a pipe says that nobody reads
                raise
        if _stopped:
            raise _given_up()
        time.sleep(_PATIENCE / 4)


def write_stdout(data: bytes) -> None:
    """Write to stdout.

    Args:
        data: what is written.

    Raises:
        OSError: nobody reads any more, or a signal came before somebody read.
    """
    stream = sys.stdout.buffer
    stream.flush()
    try:
        file = stream.fileno()
    except (OSError, ValueError):  # a stream of Python's own
        file = -1
    if file >= 0 and hasattr(select, "poll"):
        write_all(file, data)
    else:
        stream.write(data)
        stream.flush()


class Stdout:
    """Stdout for libraries that write to a stream piece by piece."""

    def write(self, data: bytes) -> int:
        """Write a piece.

        Raises:
            OSError: as `write_stdout`.
        """
        write_stdout(data)
        return len(data)


def write_all(file: int, data: bytes | memoryview) -> None:
    """Write to a descriptor, however slowly the other end reads.

    Args:
        file: the descriptor.
        data: what is written.

    Raises:
        OSError: as `write_into`.
    """
    left = memoryview(data)
    while left:
        _wait(file, select.POLLOUT)
        try:
            left = left[os.write(file, left[: select.PIPE_BUF]) :]  # no more, or it would wait where nobody looks
        except BlockingIOError:
            continue


def _wait(file: int, event: int) -> None:
    poller = select.poll()
    poller.register(file, event)
    while not poller.poll(1000 * _PATIENCE):
        if _stopped:
            raise _given_up()


def _given_up() -> OSError:
    return OSError(errno.EINTR, "stopped before the other end of the pipe was ready")
