"""What becomes of each picture of a plan. Knows names and outcomes, no pixels.

Reading, restoring and writing overlap: restoring happens in the caller's thread, one picture at a time and in order,
while threads read the next pictures and write the last ones.
"""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, Literal, Protocol, TypeVar

from ...errors import DiffuseError, OutOfMemoryError, PictureError
from .plan import Job

Read = TypeVar("Read")
Restored = TypeVar("Restored")
Status = Literal["done", "skipped", "failed"]

AHEAD: Final = 3
"""Pictures that may be read before it is their turn."""
BEHIND: Final = 3
"""Pictures that may wait for being written."""
THREADS: Final = 2
"""That read, and that write."""
MOST_WEIGHT: Final = 40_000_000
"""Pixels in hand at once, from reading to writing; a picture that is larger is worked on alone."""
_PATIENCE: Final = 0.2
"""Seconds between looks at pictures that another process has in hand."""


class SkippedError(Exception):
    """A picture needs no work after all; its message says why."""


class BusyError(Exception):
    """Another process has this picture in hand."""


class Steps(Protocol[Read, Restored]):
    """The work on one picture. `read` and `write` are called by threads.

    Each raises DiffuseError: the picture fails; and `read` SkippedError or BusyError.
    """

    def weight(self, job: Job) -> int:
        """About how many pixels it has."""

    def read(self, job: Job) -> Read:
        """What is restored."""

    def restore(self, job: Job, read: Read) -> Restored:
        """What is written."""

    def write(self, job: Job, restored: Restored) -> dict[str, Any]:
        """Write it, whole or not at all; what is worth telling of it."""

    def let_go(self, job: Job) -> None:
        """Work on it has ended, one way or another."""


@dataclass(frozen=True, kw_only=True, slots=True)
class End:
    """What became of one picture.

    Attributes:
        seconds: from the beginning of reading to the end of writing.
        why: of skipping.
        error: of failing.
        facts: what `write` told.
    """

    job: Job
    status: Status
    seconds: float = 0.0
    why: str = ""
    error: DiffuseError | None = None
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(kw_only=True, slots=True)
class Outcome:
    """What has become of a batch so far: how many pictures, and which have failed."""

    done: int = 0
    skipped: int = 0
    failed: list[tuple[Job, DiffuseError]] = field(default_factory=list)

    @property
    def exit_code(self) -> int:
        """0, or the gravest failure's."""
        return max((error.exit_code for _, error in self.failed), default=0)

    def add(self, end: End) -> None:
        """Count it."""
        self.done += end.status == "done"
        self.skipped += end.status == "skipped"
        if end.error is not None:
            self.failed.append((end.job, end.error))


def run(
    jobs: Iterable[Job],
    steps: Steps[Read, Restored],
    on_end: Callable[[End], None],
    is_stopped: Callable[[], bool] = lambda: False,
) -> None:
    """Work through a plan; one picture that fails never stops the others.

    Args:
        on_end: told what became of each picture, from the caller's thread.
        is_stopped: once it says so, the pictures that are restored are written, and no other is begun.
    Raises: what `on_end`, a signal's handler or a defect raises; then the pictures in hand are written or dropped, and
        nothing of them is half done.
    """
    todo = list(jobs)
    while todo and not is_stopped():
        with _Line(steps, on_end, is_stopped) as line:
            for job in line.coming(todo):
                with line.turn() as turn:
                    turn.restored = steps.restore(job, turn.read())
        if len(line.busy) == len(todo):
            time.sleep(_PATIENCE)
        todo = line.busy


class _Turn:
    """A picture's turn to be restored.

    Attributes:
        began: when it was begun to be read.
        restored: what came of it.
    """

    def __init__(self, reading: "Future[tuple[float, Any]]") -> None:
        self.began = time.monotonic()
        self.restored: Any = None
        self._reading: Future[tuple[float, Any]] | None = reading

    def read(self) -> Any:  # noqa: ANN401 - what the steps' own `read` returned
        """What was read, once: it is not kept here while it is restored."""
        assert self._reading is not None
        self.began, read = self._reading.result()
        self._reading = None
        return read


class _Line:
    """One pass over a plan: pictures that are read, restored, written."""

    def __init__(self, steps: Steps[Any, Any], on_end: Callable[[End], None], is_stopped: Callable[[], bool]) -> None:
        self.steps, self.on_end, self.is_stopped = steps, on_end, is_stopped
        self.readers = ThreadPoolExecutor(THREADS, "read")
        self.writers = ThreadPoolExecutor(THREADS, "write")
        self.reading: deque[tuple[Job, int, Future[tuple[float, Any]]]] = deque()
        self.writing: dict[Future[End], int] = {}
        self.busy: list[Job] = []
        self.weight = 0

    def __enter__(self) -> "_Line":
        return self

    def __exit__(self, *_: object) -> None:
        """Whatever happened: what is being written is finished, what was only read is dropped."""
        self.readers.shutdown(wait=True, cancel_futures=True)
        for job, _weight, future in self.reading:
            if not future.cancelled():
                self.steps.let_go(job)
        self.writers.shutdown(wait=True)
        self.collect(0)

    def coming(self, jobs: list[Job]) -> Iterator[Job]:
        """The jobs in order, each when it is read, or is to be waited for; those after it are read meanwhile."""
        coming = iter(jobs)
        waiting: Job | None = next(coming, None)
        while not self.is_stopped():
            while waiting is not None and len(self.reading) < AHEAD and self.begin(waiting):
                waiting = next(coming, None)
            if not self.reading:
                break
            yield self.reading[0][0]
            self.collect(BEHIND)
        self.collect(0)

    def begin(self, job: Job) -> bool:
        """Begin to read a picture, unless too much is in hand; whether it was begun."""
        if job.action == "skip" or job.problem:
            self.reading.append((job, 0, _settled(job)))
            return True
        weight = self.steps.weight(job)
        if self.weight > 0 and self.weight + weight > MOST_WEIGHT:
            if self.reading:
                return False
            self.collect(0)  # or a picture that waits for room would wait for ever
        self.weight += weight
        self.reading.append((job, weight, self.readers.submit(_read, self.steps, job)))
        return True

    @contextmanager
    def turn(self) -> Iterator[_Turn]:
        """Where the next picture is restored; what comes of it is handed on, and how it fails is told."""
        job, weight, reading = self.reading.popleft()
        turn = _Turn(reading)
        del reading
        try:
            with _as_error():
                yield turn
        except BusyError:
            self.busy.append(job)
        except SkippedError as skip:
            self.on_end(End(job=job, status="skipped", why=str(skip)))
        except DiffuseError as error:
            self.steps.let_go(job)
            self.on_end(End(job=job, status="failed", seconds=time.monotonic() - turn.began, error=error))
        except BaseException:
            self.steps.let_go(job)
            raise
        else:
            self.writing[self.writers.submit(_write, self.steps, job, turn.restored, turn.began)] = weight
            turn.restored = None  # the writer has it
            return
        self.weight -= weight

    def collect(self, most: int) -> None:
        """Tell what was written, and wait until at most so many pictures are in hand there."""
        while self.writing:
            finished = [future for future in self.writing if future.done()]
            if not finished and len(self.writing) <= most:
                return
            if not finished:
                wait_for(self.writing, return_when="FIRST_COMPLETED")
            for future in finished:
                self.weight -= self.writing.pop(future)
                self.on_end(future.result())


def _settled(job: Job) -> "Future[tuple[float, Any]]":
    """What the plan knows already."""
    future: Future[tuple[float, Any]] = Future()
    future.set_exception(PictureError(job.problem) if job.problem else SkippedError(job.why))
    return future


def _read(steps: Steps[Any, Any], job: Job) -> tuple[float, Any]:
    return time.monotonic(), steps.read(job)


def _write(steps: Steps[Any, Any], job: Job, restored: object, begin: float) -> End:
    try:
        with _as_error():
            facts = steps.write(job, restored)
    except DiffuseError as error:
        return End(job=job, status="failed", seconds=time.monotonic() - begin, error=error)
    finally:
        steps.let_go(job)
    return End(job=job, status="done", seconds=time.monotonic() - begin, facts=facts)


@contextmanager
def _as_error() -> Iterator[None]:
    """A defect of ours must not lose the rest of the batch."""
    try:
        yield
    except (DiffuseError, SkippedError, BusyError):
        raise
    except MemoryError:
        raise OutOfMemoryError("out of memory") from None
    except OSError as error:
        if isinstance(error, BrokenPipeError):
            raise
        raise PictureError(f"{type(error).__name__}: {error}") from error
    except Exception as error:
        raise PictureError(f"{type(error).__name__}: {error}") from error
