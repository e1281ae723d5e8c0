"""Which pictures are copies of one: by the time they were taken, their folders, or their names. Opens no picture."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, cast, get_args

from ...errors import UsageError
from .inputs import Found

How = Literal["auto", "all", "folder", "name", "time"]
TimeOf = Callable[[Path], float | None]
"""Returns when a picture was taken, in seconds; None = it does not say."""

GAP: Final = 2.0
"""Seconds between two pictures of one burst."""


@dataclass(frozen=True, kw_only=True, slots=True)
class GroupBy:
    """How pictures are grouped.

    Attributes:
        how: "auto" = those that are named are one group, those of folders are grouped by time; "all", "folder", "name",
            "time".
        gap: seconds between two pictures of one group, for times.
    """

    how: How = "auto"
    gap: float = GAP


def group_by(text: str) -> GroupBy:
    """Return what --group-by asks for.

    Args:
        text: one of `How`, or time:SECONDS.

    Raises:
        UsageError: it is something else.
    """
    how, _, gap = text.partition(":")
    try:
        if how in get_args(How) and (not gap or (how == "time" and 0 < float(gap) < 1e6)):
            return GroupBy(how=cast("How", how), gap=float(gap) if gap else GAP)
    except ValueError:
        pass
    raise UsageError(f"--group-by {text}: give {', '.join(get_args(How))}, or time:SECONDS like time:5")


def groups(found: Sequence[Found], by: GroupBy, time_of: TimeOf) -> list[list[Found]]:
    """Return the groups, each in the order of its pictures.

    Args:
        found: the pictures.
        by: how they are grouped.
        time_of: tells when a picture was taken.
    """
    if by.how == "all":
        return [list(found)] if found else []
    if by.how == "folder":
        return _by(found, lambda one: str(one.path.parent))
    if by.how == "name":
        return _by(found, lambda one: f"{one.path.parent}/{stem_of(one.path)}")
    if by.how == "time":
        return _by_time(found, by.gap, time_of)
    named = [one for one in found if not one.scanned]
    of_folders = _by([one for one in found if one.scanned], lambda one: str(one.path.parent))
    return [*([named] if named else []), *(group for one in of_folders for group in _by_time(one, by.gap, time_of))]


def stem_of(path: Path) -> str:
    """Return a name without its suffix and the number before that."""
    return re.sub(r"[\W_]*\d*$", "", path.stem) or path.stem


def _by(found: Iterable[Found], key: Callable[[Found], str]) -> list[list[Found]]:
    made: dict[str, list[Found]] = {}
    for one in found:
        made.setdefault(key(one), []).append(one)
    return list(made.values())


def _by_time(found: Sequence[Found], gap: float, time_of: TimeOf) -> list[list[Found]]:
    """Return the groups between which some time passed. Pictures that do not say their time are one group."""
    times = {one.path: time_of(one.path) for one in found}
    timed = sorted((time, str(one.path), one) for one in found if (time := times[one.path]) is not None)
    made: list[list[Found]] = []
    last = 0.0
    for time, _, one in timed:
        if not made or time - last > gap:
            made.append([])
        made[-1].append(one)
        last = time
    timeless = [one for one in found if times[one.path] is None]
    return [*made, *([timeless] if timeless else [])]
