"""Which files, in what order, and what became of each. Knows names and outcomes, no pixels."""

import errno
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from .errors import DiffuseError, OutOfMemoryError, PictureError, UsageError


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """One picture to read and one to write."""

    source: Path
    output: Path


@dataclass(kw_only=True, slots=True)
class Outcome:
    """What became of a batch.

    Attributes:
        done: jobs whose output is complete, with the seconds each took.
        failed: the others that were tried, with the reason.
    """

    done: list[tuple[Job, float]] = field(default_factory=list)
    failed: list[tuple[Job, DiffuseError]] = field(default_factory=list)

    @property
    def exit_code(self) -> int:
        """0, or the gravest failure's."""
        return max((error.exit_code for _, error in self.failed), default=0)


def plan(inputs: Sequence[Path], output: str | None, op: str, *, force: bool, suffix: str | None = None) -> list[Job]:
    """Say what will be read and written, before anything is.

    Args:
        inputs: picture files.
        output: None = `{stem}.{op}{ext}` beside each input; an existing folder, or `X/`, = the inputs' names in there;
            otherwise a file, for one input.
        op: the command's name.
        force: existing outputs may be replaced.
        suffix: of outputs that are not named one by one, instead of the inputs'.
    Raises: UsageError: a missing input, a folder where a file is due, a collision, an output that exists or is an
        input, a folder that cannot be written.
    """
    for path in inputs:
        _check_input(path)
    targets = _targets(inputs, output, op, suffix)
    jobs = [Job(source=path, output=target) for path, target in zip(inputs, targets, strict=True)]
    _check_collisions(jobs)
    check_outputs([job.output for job in jobs], force=force, inputs=inputs)
    return jobs


def check_outputs(outputs: Sequence[Path], *, force: bool, inputs: Sequence[Path] = ()) -> None:
    """Refuse outputs that would overwrite something, or that cannot be written."""
    sources = {_identity(path) for path in inputs}
    names = {str(_absolute(path)).casefold() for path in inputs}
    for path in outputs:
        _check_length(path)
        if path.is_dir():
            raise UsageError(f"{path}: is a folder; -o takes a file name, or a folder as {path}/")
        # The same name in another case is the same file where the picture may be copied to, if not here.
        if str(_absolute(path)).casefold() in names or (path.exists() and _identity(path) in sources):
            raise UsageError(f"{path}: is an input; an input is never overwritten, choose another -o")
        if os.path.lexists(path) and not force:
            raise UsageError(f"{path}: exists; -f replaces it")
    for folder in {path.parent for path in outputs}:
        if not folder.is_dir():
            raise UsageError(f"{folder}: no such folder; create it, or end -o with a slash")
        if not os.access(folder, os.W_OK):
            raise UsageError(f"{folder}: cannot be written to")


def _check_length(path: Path) -> None:
    try:
        path.lstat()
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            raise UsageError(f"{path}: the name is too long; choose a shorter one with -o") from None


def _check_input(path: Path) -> None:
    _check_length(path)
    if path.is_dir():
        raise UsageError(f"{path}: is a folder; name the pictures in it")
    if not path.exists():
        raise UsageError(f"{path}: no such file")


def _targets(inputs: Sequence[Path], output: str | None, op: str, suffix: str | None) -> list[Path]:
    suffixes = [path.suffix if suffix is None else suffix for path in inputs]
    if output is None:
        return [path.with_name(f"{path.stem}.{op}{end}") for path, end in zip(inputs, suffixes, strict=True)]
    if is_folder(output):
        make_folder(Path(output))
        return [Path(output) / f"{path.stem}{end}" for path, end in zip(inputs, suffixes, strict=True)]
    if len(inputs) > 1:
        raise UsageError(f"{output}: one output file for {len(inputs)} inputs; give a folder ({output}/)")
    return [Path(output)]


def is_folder(output: str) -> bool:
    """Whether -o means a folder: it is one, or it ends with a slash."""
    separators = ("/", os.sep, os.altsep or os.sep)
    return output.endswith(separators) or Path(output).is_dir()


def make_folder(folder: Path) -> None:
    """Create the output folder, parents included.

    Raises: UsageError: it cannot be created.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{folder}: cannot be created: {error.strerror}") from None


def _check_collisions(jobs: Sequence[Job]) -> None:
    """Two outputs of one name, or of names that differ in case only, would lose a picture on some file systems."""
    seen: dict[str, Path] = {}
    for job in jobs:
        key = str(_absolute(job.output)).casefold()
        if key in seen:
            raise UsageError(f"{job.output}: would be written from both {seen[key]} and {job.source}")
        seen[key] = job.source


def _absolute(path: Path) -> Path:
    return path.parent.resolve() / path.name


def _identity(path: Path) -> tuple[int, int]:
    info = path.stat()
    return info.st_dev, info.st_ino


def run(jobs: Sequence[Job], work: Callable[[Job], None]) -> Outcome:
    """Do every job; one that fails never stops the others.

    Args: work: reads, restores and writes one picture; raises DiffuseError.
    """
    outcome = Outcome()
    for job in jobs:
        begin = time.monotonic()
        try:
            work(job)
        except DiffuseError as error:
            outcome.failed.append((job, error))
        except MemoryError:
            outcome.failed.append((job, OutOfMemoryError("out of memory")))
        except Exception as error:  # a defect of ours must not lose the rest of the batch
            outcome.failed.append((job, PictureError(f"{type(error).__name__}: {error}")))
        else:
            outcome.done.append((job, time.monotonic() - begin))
    return outcome
