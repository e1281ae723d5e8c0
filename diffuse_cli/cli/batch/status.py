"""What journals say of a batch: of one run or of many, on one machine or on several, in any order."""

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from ...errors import UsageError
from ...system.files import disk_trouble, shown
from ...system.streams import opened

State = Literal["missing", "done", "failed"]
_STATES: Final[dict[str, State]] = {"done": "done", "found": "done", "failed": "failed"}


@dataclass(slots=True)
class Fate:
    """What became of one output.

    Attributes:
        input: the picture that it is made from. "" = no journal tells.
        state: after the newest line about it.
        error: why it failed.
        at: when that was.
        rivals: other pictures that it is made from, too.
        recipe: hash of the recipe that made it last.
        times: how often that recipe made it.
    """

    input: str = ""
    state: State = "missing"
    error: str = ""
    at: float = 0.0
    rivals: tuple[str, ...] = ()
    recipe: bytes = b""
    times: int = 0

    @property
    def is_doubled(self) -> bool:
        """Whether the same was made twice, or it is made from two pictures."""
        return self.times > 1 or bool(self.rivals)


@dataclass(kw_only=True, slots=True)
class BatchStatus:
    """What journals say.

    Attributes:
        fates: what became of each output.
        parts: the parts that were begun, as (operation, place) -> number of parts -> their numbers.
        unread: lines that are torn, or none of a journal's.
    """

    fates: dict[str, Fate] = field(default_factory=dict)
    parts: dict[tuple[str, str], dict[int, set[int]]] = field(default_factory=dict)
    unread: int = 0

    def of(self, *states: State) -> list[tuple[str, Fate]]:
        """Return the outputs in these states, in the order of their names."""
        return sorted((output, fate) for output, fate in self.fates.items() if fate.state in states)

    @property
    def doubled(self) -> list[tuple[str, Fate]]:
        """The outputs that were made twice, or that are made from two pictures."""
        return sorted((output, fate) for output, fate in self.fates.items() if fate.is_doubled)

    @property
    def not_begun(self) -> list[tuple[str, str, int, list[int]]]:
        """The operation, the place, the number of parts, and those that no journal tells of.

        If every part of another division was begun, all pictures are known, and nothing is not begun.
        """
        return [
            (operation, place, count, sorted(set(range(1, count + 1)) - begun))
            for (operation, place), divisions in sorted(self.parts.items())
            if not any(len(begun) == count for count, begun in divisions.items())
            for count, begun in sorted(divisions.items())
        ]

    def learn(self, record: dict[str, Any]) -> None:
        """Take in one line.

        Raises:
            KeyError, TypeError, ValueError: it is none of a journal's.
        """
        event = record["event"]
        if event == "part":
            number, count = record["part"]
            divisions = self.parts.setdefault((str(record["operation"]), str(record["place"])), {})
            divisions.setdefault(int(count), set()).add(int(number))
            return
        fate = self.fates.setdefault(str(record["output"]), Fate())
        if event == "planned":
            _plan(fate, str(record["input"]))
        else:
            _end(fate, _STATES[event], record)


def _plan(fate: Fate, source: str) -> None:
    if not fate.input:
        fate.input = source
    elif source != fate.input and source not in fate.rivals:
        fate.rivals += (source,)


def _end(fate: Fate, state: State, record: dict[str, Any]) -> None:
    at = float(record["at"])
    if record["event"] == "done":
        made = hashlib.sha256(json.dumps(record.get("recipe"), sort_keys=True).encode()).digest()[:8]
        fate.times = fate.times + 1 if made == fate.recipe else max(fate.times, 1)
        fate.recipe = made
    if at >= fate.at:
        fate.at, fate.state = at, state
        fate.error = str(record.get("error", "")) if state == "failed" else ""


def read(journals: Iterable[Path]) -> BatchStatus:
    """Return what journals say together.

    Args:
        journals: their files. Joined ones are as good as single ones.

    Raises:
        UsageError: one cannot be read, or holds no line of a journal.
    """
    status = BatchStatus()
    for path in journals:
        known = len(status.fates), len(status.parts)
        unread = status.unread
        for line in _lines(path):
            try:
                status.learn(json.loads(line))
            except (ValueError, KeyError, TypeError):
                status.unread += 1
        if status.unread > unread and known == (len(status.fates), len(status.parts)) == (0, 0):
            raise UsageError(f"{shown(path)}: no journal of diffuse; name the file of --journal")
    return status


def _lines(path: Path) -> Iterator[bytes]:
    try:
        with opened(path) as file:
            yield from file
    except OSError as error:
        raise UsageError(f"{shown(path)}: the journal cannot be read: {disk_trouble(error)}") from None
