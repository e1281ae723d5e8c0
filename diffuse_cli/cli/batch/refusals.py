"""What a batch refuses before it begins: lost inputs, overwritten files, folders that cannot be written."""

import os
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from ...errors import UsageError
from ...system.files import all_in_the_way, disk_trouble, landing
from ...system.streams import is_pipe, is_stream, is_writable_stream
from ...system.urls import Url
from .inputs import PIPE, Found, check_length
from .job import Job
from .same_file import file_identity, file_key

_MOST_LINES: Final = 20
"""Problems of a plan that are told. The others are counted."""


def refuse(lines: Iterable[str]) -> None:
    """Refuse to go on, if there are problems.

    Args:
        lines: what is wrong. What is said twice is told once.

    Raises:
        UsageError: there are any.
    """
    told = list(dict.fromkeys(lines))
    more = [f"and {len(told) - _MOST_LINES} more problems"] if len(told) > _MOST_LINES else []
    if told:
        raise UsageError(*told[:_MOST_LINES], *more)


def check_inputs(found: Iterable[Found]) -> None:
    """Refuse inputs that do not exist, except for files of folders and lists, which fail one by one.

    Raises:
        UsageError: there is no such file, or it is a folder or a device.
    """
    refuse(filter(None, map(why_missing, found)))


def why_missing(found: Found) -> str:
    """Return why an input that was named cannot be read. "" = it may well be."""
    path = found.path
    if path == PIPE or found.listed or found.scanned:
        return ""
    try:
        check_length(path)
    except UsageError as error:
        return str(error)
    if path.is_dir():
        return f"{path}: is a folder; name the pictures in it"
    if not path.exists():
        return f"{path}: no such file; check the name"
    if is_stream(path) and not is_pipe(path):
        return f"{path}: is a device or a socket, not a picture; name a file or a pipe, or - for stdin"
    return ""


def check_collisions(jobs: Iterable[Job]) -> None:
    """Refuse two outputs of one name, or of names that differ only in case: on some file systems one would be lost.

    Raises:
        UsageError: there are two.
    """
    seen: dict[str, Path] = {}
    lines = []
    for job in jobs:
        key = file_key(job.output)
        if key not in seen:
            seen[key] = job.source
        elif seen[key] == job.source:
            lines.append(f"{job.output}: would be written twice from {job.source}; give each result its own name")
        else:
            lines.append(
                f"{job.output}: would be written from both {seen[key]} and {job.source}; "
                f"{_apart(seen[key], job.source)}"
            )
    refuse(lines)


def _apart(one: Path, other: Path) -> str:
    """Return how the outputs of two inputs are kept apart."""
    if one.stem == other.stem and one.suffix != other.suffix:
        return "give a folder, like -o out/, where they are kept apart"
    return "use -r to keep folders apart, or a template like -o 'out/{dir}/{stem}{ext}'"


def check_free(outputs: Sequence[Path], inputs: Sequence[Path]) -> None:
    """Refuse outputs that are folders or inputs.

    Args:
        outputs: the files to write.
        inputs: the files that are read.

    Raises:
        UsageError: one is a folder, an input, a disk, or a link that leads in a circle.
    """
    refuse(line for _, line in why_not_free(outputs, inputs))


_OVERWRITTEN: Final = "{}: is an input, which is never overwritten; choose another output"


def why_not_free(outputs: Sequence[Path], inputs: Sequence[Path]) -> Iterator[tuple[Path, str]]:
    """Yield the outputs that `check_free` refuses, and why."""
    sources = {identity for path in inputs if (identity := file_identity(path)) is not None}
    names = {file_key(path) for path in inputs}
    for path in outputs:
        if isinstance(path, Url):  # a store has no links, and may hold a file and a folder of one name
            if file_key(path) in names:
                yield path, _OVERWRITTEN.format(path)
            continue
        try:
            check_length(path)
            landing(path)
        except UsageError as error:
            yield path, str(error)
            continue
        except OSError as error:
            yield path, f"{path}: {disk_trouble(error)}"
            continue
        if path.is_dir():
            yield path, f"{path}: is a folder; give a file name, or {path}/ for files in it"
        elif is_stream(path) and not is_writable_stream(path):
            yield path, f"{path}: is a disk or a socket, not a file; choose another output"
        # The same name in another case is the same file where the picture may be copied to, if not here.
        elif file_key(path) in names or ((identity := file_identity(path)) is not None and identity in sources):
            yield path, _OVERWRITTEN.format(path)


def check_outputs(outputs: Sequence[Path], *, force: bool, inputs: Sequence[Path] = ()) -> None:
    """Refuse outputs that would overwrite something, or that cannot be written.

    Args:
        outputs: the files to write.
        force: files that exist may be overwritten.
        inputs: files that may not.

    Raises:
        UsageError: there is such an output.
    """
    check_free(outputs, inputs)
    refuse_existing(all_existing(outputs) if not force else [], "use -f to overwrite it")
    check_folders(outputs)


def refuse_existing(
    paths: Collection[Path], choices: str = "use -f to overwrite, --on-exists skip to keep it, or --resume to go on"
) -> None:
    """Refuse to overwrite these.

    Args:
        paths: files that exist.
        choices: what the command offers instead.

    Raises:
        UsageError: there are any.
    """
    if paths:
        more = f", and {len(paths) - 1} more outputs exist" if len(paths) > 1 else ""
        raise UsageError(f"{min(paths)}: exists{more}; {choices}")


def all_existing(outputs: Sequence[Path]) -> set[Path]:
    """Return the outputs that exist.

    Raises:
        UsageError: a store cannot be asked.
    """
    try:
        return all_in_the_way(outputs)
    except OSError as error:
        raise UsageError(f"{error.filename}: {disk_trouble(error)}") from None


def check_folders(outputs: Iterable[Path]) -> None:
    """Refuse folders, pipes and devices that cannot be written to. Missing folders are made when a file is written.

    Args:
        outputs: the files to write. Links in a circle are left to `check_free`.

    Raises:
        UsageError: there is one.
    """
    refuse(filter(None, map(_unwritable, sorted(one for one in places(outputs) if not isinstance(one, Url)))))


def places(outputs: Iterable[Path]) -> set[Path]:
    """Return what is written to: the folders of files, of links where they lead, and pipes and devices themselves.

    Args:
        outputs: the files to write. A link that leads in a circle has no place.
    """
    found = set()
    for path in outputs:
        with suppress(OSError):
            found.add(path if is_stream(path) else landing(path).parent)
    return found


def _unwritable(place: Path) -> str:
    there = place
    while not os.path.lexists(there):
        there = there.parent
    if not there.is_dir() and not is_stream(there):
        return f"{there}: is a file, not a folder; choose another output"
    if not os.access(there, os.W_OK | (os.X_OK if there.is_dir() else 0)):
        return f"{there}: cannot be written to; choose another output"
    return ""
