"""Parts of a batch, for several machines."""

import hashlib
import os
from collections.abc import Iterable

from ...errors import UsageError
from .inputs import Found
from .job import Job


def shard_of(text: str) -> tuple[int, int]:
    """Return i/n as (i, n).

    Raises:
        UsageError: the text is something else, or i is not in 1 .. n.
    """
    first, _, second = text.partition("/")
    if not (first.isdecimal() and second.isdecimal() and 1 <= int(first) <= int(second)):
        raise UsageError(f"--shard {text}: not a part of a batch; give i/n with i from 1 to n, like 2/8")
    return int(first), int(second)


def shard(jobs: Iterable[Job], i: int, n: int) -> list[Job]:
    """Return the i-th of n parts of a plan, i from 1.

    A job's part depends only on its name below the folder where it was found. So it is the same on every machine,
    whatever is added or finished meanwhile.

    Args:
        jobs: the plan.
        i: the number of the part.
        n: how many parts there are.
    """
    return [job for job in jobs if is_in_part(job.found, i, n)]


def is_in_part(found: Found, i: int, n: int) -> bool:
    """Return whether a picture belongs to the i-th of n parts, i from 1."""
    return int.from_bytes(hashlib.sha256(os.fsencode(found.below)).digest()[:8], "big") % n == i - 1
