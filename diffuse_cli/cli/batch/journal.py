"""The journal of a batch: lines of JSON, one for each picture that is planned, made or failed, only ever added.

Journals of several machines are merged by joining their lines, in any order. A process that works on an output locks a
byte of the journal, which depends on the output's name. Other processes leave that output alone.
"""

import hashlib
import json
import os
import threading
import time
import weakref
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from io import BytesIO, FileIO
from itertools import islice
from pathlib import Path
from typing import Any, Final, TypeVar

from ...errors import UsageError
from ...system import locks
from ...system.streams import is_stream, opened_for_writing, write_all
from ...system.urls import Url, absolute, path_of

T = TypeVar("T")
_LINES: Final = 256
"""Lines that are written at once."""


class Journal:
    """An open journal. Its methods may be called from several threads."""

    def __init__(self, path: Path) -> None:
        """Open it, or begin it.

        Args:
            path: its file; missing folders are made. A pipe or a device gets the lines, and tells of none.

        Raises:
            UsageError: it cannot be written.
        """
        if isinstance(path_of(path), Url):
            raise UsageError(f"{path_of(path)}: stores add nothing to a file; name a --journal on a disk")
        self.path = path
        self._done: dict[str, tuple[float, bytes]] = {}
        self._planned: set[str] = set()
        self.news: set[str] = set()
        self._rest = b""
        self._guard = threading.Lock()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._is_stream = is_stream(path)
            self._file = FileIO(opened_for_writing(path), "wb") if self._is_stream else path.open("ab", buffering=0)
            self._reader = BytesIO() if self._is_stream else path.open("rb", buffering=0)
            self._closing = weakref.finalize(self, _close, self._file, self._reader)
            self.refresh()
            if self._rest:  # a line that a killed run, or a full disk, left unfinished
                self._file.write(b"\n")
        except OSError as error:
            raise UsageError(
                f"{path}: the journal cannot be written: {error.strerror}; name another --journal"
            ) from None
        self.news.clear()

    def refresh(self) -> None:
        """Read what this process and others have added since."""
        with self._guard:
            while data := self._reader.read(1 << 20):
                *lines, self._rest = (self._rest + data).split(b"\n")
                for line in lines:
                    self._learn(line)

    def _learn(self, line: bytes) -> None:
        try:
            record = json.loads(line)
            output, event = record["output"], record["event"]
        except (ValueError, KeyError, TypeError):
            return  # torn, or none of ours
        if event == "planned":
            self._planned.add(output)
        elif event in ("done", "found"):
            at = float(record.get("at", 0))
            if output not in self._done or self._done[output][0] <= at:
                self._done[output] = at, line
            self.news.add(output)

    def made(self, output: Path) -> dict[str, Any] | None:
        """Return the newest record of an output that was written."""
        _, line = self._done.get(_name(output), (0.0, b"null"))
        record: dict[str, Any] | None = json.loads(line)
        return record

    def made_meanwhile(self, output: Path) -> dict[str, Any] | None:
        """Return the same if the output was written since this run began."""
        self.refresh()
        return self.made(output) if _name(output) in self.news else None

    def add(self, event: str, output: Path, **facts: object) -> None:
        """Write one line: "done", "failed", or "found": it is there, and no line told who made it.

        Raises: OSError: the disk fails.
        """
        self._write([{"event": event, "at": time.time(), "output": _name(output), **facts}])

    def add_plan(self, op: str, place: Path, part: tuple[int, int], pictures: Iterable[tuple[Path, Path]]) -> None:
        """Write down what is to be made, each output once, and which part of the batch that is.

        Args:
            op: the command's name.
            place: what the batch writes to.
            part: (i, n): the i-th of n parts.
            pictures: inputs and outputs.

        Raises:
            OSError: the disk fails.
        """
        at = time.time()
        self._write([{"event": "part", "at": at, "operation": op, "place": str(place), "part": list(part)}])
        for some in batched((one for one in pictures if _name(one[1]) not in self._planned), _LINES):
            self._write(
                [{"event": "planned", "at": at, "input": str(found), "output": _name(to)} for found, to in some]
            )
            self._planned.update(_name(to) for _, to in some)

    def _write(self, records: Iterable[Mapping[str, object]]) -> None:
        text = "".join(json.dumps(record, sort_keys=True) + "\n" for record in records).encode()
        if self._is_stream:
            with self._guard:
                write_all(self._file.fileno(), text)
        else:
            self._file.write(text)

    def claim(self, output: Path) -> bool:
        """Return whether this process may work on an output now: no other does."""
        try:
            return locks.lock(self._file.fileno(), _byte(output))
        except OSError:  # some network disks have no locks
            return True

    def release(self, output: Path) -> None:
        """End the work on an output."""
        with suppress(OSError):
            locks.unlock(self._file.fileno(), _byte(output))

    def close(self) -> None:
        """Close the journal, which releases all claims. A journal that nobody uses any more is closed by itself."""
        self._closing()


def batched(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Yield items in lists of a size, the last perhaps shorter."""
    left = iter(items)
    while some := list(islice(left, size)):
        yield some


def _close(*files: FileIO | BytesIO) -> None:
    for file in files:
        file.close()


def _name(output: Path) -> str:
    return str(absolute(output))


def _byte(output: Path) -> int:
    digest = hashlib.sha256(os.fsencode(_name(output))).digest()
    return locks.FIRST + int.from_bytes(digest[:8], "big") % locks.COUNT


def usual(op: str, place: Path) -> Path:
    """Where the journal of a command's work on a folder lies, if nothing else is said: among the user's state."""
    from platformdirs import user_state_path

    key = hashlib.sha256(os.fsencode(place)).hexdigest()[:16]
    return user_state_path("diffuse") / "journals" / f"{op}-{key}.jsonl"
