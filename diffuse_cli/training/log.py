"""The log of a run: one JSON object a line in log.jsonl."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..errors import PictureError, UsageError

FILE = "log.jsonl"


class RunLog:
    """The log of a run, to append to. Each record has a kind and a step."""

    def __init__(self, folder: Path, *, from_step: int) -> None:
        """Open the log.

        Args:
            folder: the run's.
            from_step: drop records of later steps; they are of an attempt that was lost.

        Raises:
            PictureError: the disk fails.
        """
        self.path = folder / FILE
        if self.path.exists():
            kept = [record for record in records(self.path) if record.get("step", 0) <= from_step]
            text = "".join(f"{json.dumps(record)}\n" for record in kept)
            temporary = self.path.with_suffix(".part")
            self._guard(lambda: temporary.write_text(text, encoding="utf-8"))
            temporary.replace(self.path)

    def write(self, kind: str, step: int, **values: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
        """Append a record, and return it.

        Args:
            kind: such as "train".
            step: the step it is about.
            values: its other fields.

        Raises:
            PictureError: the disk fails.
        """
        record = {"kind": kind, "step": step, **values}

        def append() -> None:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(f"{json.dumps(record)}\n")

        self._guard(append)
        return record

    def _guard(self, act: Any) -> None:  # noqa: ANN401 - any callable
        try:
            act()
        except OSError as error:
            raise PictureError(f"{self.path}: cannot be written: {error.strerror}") from None


def records(path: Path) -> Iterator[dict[str, Any]]:
    """Read the records of a log; a last line that a kill cut short is left out.

    Raises:
        UsageError: there is no log.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from None
    for line in lines:
        try:
            record = json.loads(line)
        except ValueError:
            continue
        if isinstance(record, dict):
            yield record
