"""What a batch will do, as data: which output each input gets. Knows names, and no pixels."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Final, Literal

from ...errors import UsageError
from ...system.urls import Url
from .inputs import PIPE, Found, check_length
from .job import PICTURE, Job, Product
from .naming import Naming, targets
from .refusals import all_existing, check_collisions, check_folders, refuse, refuse_existing, why_missing, why_not_free
from .same_file import file_key
from .shards import shard

OnExists = Literal["fail", "skip", "overwrite", "rename"]

MADE_BEFORE: Final = "made before by the same recipe from the same input"
"""Why a job is skipped under --resume."""

Problem = Callable[[Path, Path, Product], str]
"""Returns why a product of an input cannot be written to an output; "" = it can."""


def plan(
    found: Sequence[Found],
    naming: Naming,
    *,
    on_exists: OnExists = "fail",
    is_made: Callable[[Job], bool] | None = None,
    problem: Problem = lambda _source, _output, _product: "",
    inputs: Sequence[Path] = (),
    product: Product = PICTURE,
    beside: Mapping[Product, Naming] = MappingProxyType({}),
    part: tuple[int, int] = (1, 1),
) -> list[Job]:
    """Plan what is read and written.

    Args:
        found: the inputs.
        naming: how outputs are called.
        on_exists: what happens if an output exists.
        is_made: tells whether an existing output is what its job would make. Such jobs are skipped. None = ask nothing.
        problem: tells why that product of that input cannot be written to that output. "" = it can.
        inputs: further files that must not be overwritten.
        product: what each input becomes.
        beside: what it becomes besides, and how that is named. It comes after the pictures.
        part: (i, n): the i-th of n parts is planned. Outputs of other parts may appear meanwhile.

    Raises:
        UsageError: an input is missing, two outputs have one name, an output is an input or exists under "fail", or a
            folder cannot be written. All of it is told at once. Problems of files that were found in a folder or a
            list are in their jobs instead.
    """
    names = {product: naming, **beside}
    jobs = _jobs(found, names, problem)
    missing = {one.path: line for one in found if (line := why_missing(one))}
    own = [job for job in jobs if job.source not in missing and not _fails_alone(job, names[job.product])]
    lines = [*missing.values(), *(job.problem for job in own if job.problem)]
    piped, jobs = [job for job in jobs if job.output == PIPE], [job for job in jobs if job.output != PIPE]
    with _noting(lines):
        check_collisions(jobs)
    sources = [*(one.path for one in found if one.path != PIPE), *inputs]
    not_free = dict(why_not_free([job.output for job in jobs if not job.problem], sources))
    lines += not_free.values()
    piped, jobs = shard(piped, *part), shard([job for job in jobs if job.output not in not_free], *part)
    with _noting(lines):
        jobs = _settle(jobs, on_exists, is_made)
    with _noting(lines):
        check_folders(job.output for job in jobs if job.action != "skip" and not job.problem)
    refuse(lines)
    return piped + jobs


@contextmanager
def _noting(lines: list[str]) -> Iterator[None]:
    """Note what a check refuses, so that the other checks are made as well."""
    try:
        yield
    except UsageError as error:
        lines += map(str, error.args)


def _jobs(found: Sequence[Found], names: Mapping[Product, Naming], problem: Problem) -> list[Job]:
    """Return an input's pictures, then what is written beside them, then the next input's."""
    for product, naming in names.items():
        if naming.is_pipe and not product.is_picture:
            raise UsageError(f"--{product.name} -: only pictures go to stdout; name a file")
    outputs = {product: targets(found, naming) for product, naming in names.items()}
    return [
        Job(found=one, output=target, sample=k, product=product, problem=_problem(one.path, target, product, problem))
        for number, one in enumerate(found)
        for product in names
        for k, target in enumerate(outputs[product][number])
    ]


def _problem(source: Path, output: Path, product: Product, problem: Problem) -> str:
    """Return why an output cannot be written. "" = nothing is known against it."""
    try:
        check_length(output)
    except UsageError as error:
        return str(error)
    return problem(source, output, product)


def _fails_alone(job: Job, naming: Naming) -> bool:
    """Return whether a problem is the file's own: a folder or a list led to it, and its output is named after it."""
    own = naming.suffix is None and job.output.suffix == naming.suffix_of(job.source)
    return job.found.listed or (job.found.scanned and own)


def _settle(jobs: Sequence[Job], on_exists: OnExists, is_made: Callable[[Job], bool] | None) -> list[Job]:
    """Decide what is done about outputs that exist."""
    settled: list[Job] = []
    existing: list[Path] = []
    taken = {file_key(job.output) for job in jobs}
    there = all_existing([job.output for job in jobs if not job.problem])
    for job in jobs:
        if job.output not in there:
            settled.append(job)
        elif is_made is not None and is_made(job):
            settled.append(replace(job, action="skip", why=MADE_BEFORE))
        elif on_exists == "fail":
            existing.append(job.output)
        elif on_exists == "skip":
            settled.append(replace(job, action="skip", why="exists"))
        elif on_exists == "overwrite":
            settled.append(replace(job, action="replace"))
        else:
            settled.append(replace(job, output=_free_name(job.output, taken)))
    refuse_existing(existing)
    return settled


def _free_name(path: Path, taken: set[str]) -> Path:
    """Return the first of name.1.png, name.2.png, ... that is free."""
    number = 1
    while True:
        free = path.with_name(f"{path.stem}.{number}{path.suffix}")
        if file_key(free) not in taken and not (free.exists() if isinstance(free, Url) else os.path.lexists(free)):
            taken.add(file_key(free))
            return free
        number += 1
