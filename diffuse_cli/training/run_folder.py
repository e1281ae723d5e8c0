"""The folder of a run: run.json, and a lock for one process at a time."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..errors import UsageError
from ..system.files import TEMPORARY_SUFFIX, write_bytes
from ..system.locks import lock
from ..version import __version__
from .config import Length, TrainConfig, difference

FILE = "run.json"


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Make the folder, and keep other runs out of it.

    Raises:
        UsageError: it cannot be made, or another run is at work there.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "lock").open("w") as file:
            if not lock(file.fileno()):
                raise UsageError(f"{folder}: another run is at work there")
            for left_behind in folder.glob(f".*{TEMPORARY_SUFFIX}"):  # by a kill while a state was written
                left_behind.unlink()
            yield
    except OSError as error:
        raise UsageError(f"{folder}: cannot be used: {error.strerror}") from None


def check_same(
    folder: Path, config: TrainConfig, length: Length, data: str, labels: tuple[str, ...], teacher: str | None = None
) -> None:
    """Refuse to go on with a run of another config or other pictures; a longer run may go on.

    Args:
        folder: the run's.
        config: of this run.
        length: of this run; it is noted, and may differ.
        data: the hash of the pictures.
        labels: names of the labels.
        teacher: the hash of its weights; None = there is none.

    Raises:
        UsageError: the run in the folder differs; the message says where.
    """
    new: dict[str, Any] = {"config": config.to_json(), "data": data, "labels": labels, "teacher": teacher}
    new = json.loads(json.dumps(new))
    old = read(folder)
    if old:
        changed = difference(old["config"], new["config"])
        if old["data"] != data:
            changed.append("the pictures")
        if old["labels"] != list(labels):
            changed.append(f"labels ({len(old['labels'])} -> {len(labels)})")
        if old.get("teacher") != teacher:
            changed.append("--teacher")
        if changed:
            raise UsageError(f"{folder}: holds another run: {', '.join(changed)} differ; take a new --out")
    record = {"version": __version__, **new, "length": asdict(length)}
    write_bytes((json.dumps(record, indent=1) + "\n").encode(), folder / FILE)


def read(folder: Path) -> dict[str, Any]:
    """Read run.json; empty if there is none.

    Raises:
        UsageError: it cannot be read.
    """
    path = folder / FILE
    if not path.exists():
        return {}
    try:
        values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return {"config": values["config"], "data": values["data"], "labels": values["labels"], **values}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{path}: cannot be read ({error}); take a new --out") from None
