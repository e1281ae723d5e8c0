"""What became of each picture, written down as it happens: lines of JSON that are only ever added.

Journals of several machines are merged by joining their lines, in any order. While a process works on an output it
holds a lock on the journal, at a byte that the output's name decides, so that another one leaves it alone; the system
releases the locks of a process that dies.
"""

import hashlib
import json
import os
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from ...errors import UsageError

try:
    import fcntl
except ImportError:  # not POSIX: there processes do not know of one another
    fcntl = None  # type: ignore[assignment]


class Journal:
    """An open journal. Its methods may be called from several threads.

    The locks belong to the process and end when any of its descriptors of the file is closed, so there is only one.
    """

    def __init__(self, path: Path) -> None:
        """Open it, or begin it.

        Raises: UsageError: it cannot be written.
        """
        self.path = path
        self._done: dict[str, tuple[float, bytes]] = {}
        self.news: set[str] = set()
        self._rest = b""
        self._guard = threading.Lock()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
            self._at = 0
            self.refresh()
            if self._rest:  # a line that a killed run, or a full disk, left unfinished
                os.write(self._file, b"\n")
        except OSError as error:
            raise UsageError(
                f"{path}: the journal cannot be written: {error.strerror}; name another --journal"
            ) from None
        self.news.clear()

    def refresh(self) -> None:
        """Read what was added since, by this process and others."""
        with self._guard:
            while data := os.pread(self._file, 1 << 20, self._at):
                self._at += len(data)
                *lines, self._rest = (self._rest + data).split(b"\n")
                for line in lines:
                    self._learn(line)

    def _learn(self, line: bytes) -> None:
        try:
            record = json.loads(line)
            output, event = record["output"], record["event"]
        except (ValueError, KeyError, TypeError):
            return  # torn, or none of ours
        if event == "done":
            at = float(record.get("at", 0))
            if output not in self._done or self._done[output][0] <= at:
                self._done[output] = at, line
            self.news.add(output)

    def made(self, output: Path) -> dict[str, Any] | None:
        """The newest record of an output that was written."""
        _, line = self._done.get(_name(output), (0.0, b"null"))
        record: dict[str, Any] | None = json.loads(line)
        return record

    def made_meanwhile(self, output: Path) -> dict[str, Any] | None:
        """The same, of one that was written since this run began."""
        self.refresh()
        return self.made(output) if _name(output) in self.news else None

    def add(self, event: str, output: Path, **facts: object) -> None:
        """Write one line: "done" or "failed".

        Raises: OSError: the disk fails.
        """
        record: Mapping[str, object] = {"event": event, "at": time.time(), "output": _name(output), **facts}
        os.write(self._file, (json.dumps(record, sort_keys=True) + "\n").encode())

    def claim(self, output: Path) -> bool:
        """Whether this process may work on an output now: no other does."""
        if fcntl is None:
            return True
        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, _byte(output))
        except BlockingIOError:
            return False
        except OSError:  # some network disks have no locks
            return True
        return True

    def release(self, output: Path) -> None:
        """This process is done with an output."""
        if fcntl is not None:
            with suppress(OSError):
                fcntl.lockf(self._file, fcntl.LOCK_UN, 1, _byte(output))

    def close(self) -> None:
        """Close it, which releases all claims."""
        os.close(self._file)


def _name(output: Path) -> str:
    return os.path.abspath(output)


def _byte(output: Path) -> int:
    """Far beyond the journal's text, where locks need no bytes to be."""
    digest = hashlib.sha256(os.fsencode(_name(output))).digest()
    return (1 << 40) + int.from_bytes(digest[:7], "big") // 16


def usual(op: str, place: Path) -> Path:
    """Where the journal of a command's work on a folder lies, if nothing else is said: among the user's state."""
    from platformdirs import user_state_path

    key = hashlib.sha256(os.fsencode(place)).hexdigest()[:16]
    return user_state_path("diffuse") / "journals" / f"{op}-{key}.jsonl"
