"""How a plan's pictures are worked through. Knows names and outcomes, and no pixels.

Reading, restoring and writing overlap. Pictures are restored in the caller's thread, one at a time and in order. Other
threads read the next pictures and write the last ones.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, Literal, Protocol, TypeVar

from ...errors import DiffuseError, OutOfMemoryError, PictureError
from ...system.files import disk_trouble, reason
from .job import Job

Read = TypeVar("Read")
Restored = TypeVar("Restored")
Status = Literal["done", "skipped", "failed"]

AHEAD: Final = 3
"""Pictures that may be read before their turn."""
BEHIND: Final = 3
"""Pictures that may wait to be written."""
THREADS: Final = 2
"""Threads that read, and threads that write."""
MOST_WEIGHT: Final = 40_000_000
"""Pixels in hand at once, from reading to writing. A larger picture is worked on alone."""
_PATIENCE: Final = 0.2
"""Seconds between looks at pictures that another process has in hand."""


class SkippedError(Exception):
    """Raised if a picture needs no work after all. The message says why."""


class BusyError(Exception):
    """Raised if another process has this picture in hand."""


class StoppedError(BusyError):
    """Raised if a signal came while a picture was worked on, and another run can go on with it."""


class Steps(Protocol[Read, Restored]):
    """The work on one picture. `read` and `write` are called by threads.

    If a method raises DiffuseError, the picture fails. `read` may also raise SkippedError and BusyError.
    """

    def weight(self, job: Job) -> int:
        """Return about how many pixels the picture has."""

    def read(self, job: Job) -> Read:
        """Return what is restored."""

    def wait(self, job: Job) -> None:
        """Tell that a picture's turn has come. Perhaps it is still being read."""

    def restore(self, job: Job, read: Read) -> Restored:
        """Return what is written."""

    def write(self, job: Job, restored: Restored) -> dict[str, Any]:
        """Write it, whole or not at all. Return facts about it."""

    def let_go(self, job: Job) -> None:
        """Release the picture. Work on it has ended, one way or another."""


@dataclass(frozen=True, kw_only=True, slots=True)
class End:
    """What became of one picture.

    Attributes:
        job: the picture.
        status: what became of it.
        seconds: of work: reading, restoring and writing, without waiting for its turn.
        why: why it was skipped.
        error: why it failed.
        facts: what `write` returned.
    """

    job: Job
    status: Status
    seconds: float = 0.0
    why: str = ""
    error: DiffuseError | None = None
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(kw_only=True, slots=True)
class Outcome:
    """What has become of a batch so far."""

    done: int = 0
    skipped: int = 0
    failed: list[tuple[Job, DiffuseError]] = field(default_factory=list)

    @property
    def exit_code(self) -> int:
        """0, or the code of the gravest failure."""
        return max((error.exit_code for _, error in self.failed), default=0)

    def add(self, end: End) -> None:
        """Count a picture."""
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
    """Work through a plan. A picture that fails never stops the others.

    If `on_end` or a signal's handler raises, the pictures in hand are written or dropped. None is half done.

    Args:
        jobs: the plan.
        steps: the work on each picture.
        on_end: gets what became of each picture, as soon as it is known. Any thread may call it, but one at a time.
        is_stopped: once it returns True, restored pictures are written, and no other is begun.
    """
    todo = list(jobs)
    while todo and not is_stopped():
        with _Line(steps, on_end, is_stopped) as line:
            for job in line.coming(todo):
                with line.turn() as turn:
                    steps.wait(job)
                    turn.restored = steps.restore(job, turn.read())
        if len(line.busy) == len(todo):
            time.sleep(_PATIENCE)
        todo = line.busy


class _Turn:
    """A picture's turn to be restored.

    Attributes:
        restored: what the steps made of it.
    """

    def __init__(self, reading: "Future[tuple[float, Any]]") -> None:
        self._began, self._of_reading = time.monotonic(), 0.0
        self.restored: Any = None
        self._reading: Future[tuple[float, Any]] | None = reading

    def read(self) -> Any:  # noqa: ANN401 - what the steps' own `read` returned
        """Return what was read. It is not kept here while it is restored."""
        assert self._reading is not None
        self._of_reading, read = self._reading.result()
        self._began, self._reading = time.monotonic(), None
        return read

    @property
    def seconds(self) -> float:
        """Of work so far."""
        return self._of_reading + time.monotonic() - self._began


class _Line:
    """One pass over a plan: pictures are read, restored and written."""

    def __init__(self, steps: Steps[Any, Any], on_end: Callable[[End], None], is_stopped: Callable[[], bool]) -> None:
        self.steps, self.on_end, self.is_stopped = steps, on_end, is_stopped
        self.readers = ThreadPoolExecutor(THREADS, "read")
        self.writers = ThreadPoolExecutor(THREADS, "write")
        self.reading: deque[tuple[Job, int, Future[tuple[float, Any]]]] = deque()
        self.writing: dict[Future[None], int] = {}
        self.telling = threading.Lock()
        self.busy: list[Job] = []
        self.weight = 0

    def __enter__(self) -> "_Line":
        return self

    def __exit__(self, *_: object) -> None:
        """Finish what is being written, and drop what was only read, whatever happened."""
        self.readers.shutdown(wait=True, cancel_futures=True)
        for job, _weight, future in self.reading:
            if not future.cancelled():
                self.steps.let_go(job)
        self.writers.shutdown(wait=True)
        self.collect(0)

    def coming(self, jobs: list[Job]) -> Iterator[Job]:
        """Yield the jobs in order, each at its turn. The next ones are read meanwhile."""
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
        """Begin to read a picture, unless too much is in hand. Return whether it was begun."""
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
        """Restore the next picture while it is entered. Hand the result to a writer, or tell how it failed."""
        job, weight, reading = self.reading.popleft()
        turn = _Turn(reading)
        del reading
        try:
            with _as_error():
                yield turn
        except BusyError as error:
            if isinstance(error, StoppedError):
                self.steps.let_go(job)
            self.busy.append(job)
        except SkippedError as skip:
            self.tell(End(job=job, status="skipped", why=str(skip)))
        except DiffuseError as error:
            self.steps.let_go(job)
            self.tell(End(job=job, status="failed", seconds=turn.seconds, error=error))
        except BaseException:
            self.steps.let_go(job)
            raise
        else:
            self.writing[self.writers.submit(self.write, job, turn.restored, turn.seconds)] = weight
            turn.restored = None  # the writer has it
            return
        self.weight -= weight

    def write(self, job: Job, restored: object, spent: float) -> None:
        """Write a picture, and tell so at once, however long the next one takes to be restored."""
        self.tell(_write(self.steps, job, restored, spent))

    def tell(self, end: End) -> None:
        """Tell what became of a picture."""
        with self.telling:
            self.on_end(end)

    def collect(self, most: int) -> None:
        """Wait until at most `most` pictures are being written."""
        while self.writing:
            finished = [future for future in self.writing if future.done()]
            if not finished and len(self.writing) <= most:
                return
            if not finished:
                wait_for(self.writing, return_when="FIRST_COMPLETED")
            for future in finished:
                self.weight -= self.writing.pop(future)
                future.result()


def _settled(job: Job) -> "Future[tuple[float, Any]]":
    """Return the outcome that the plan knows already."""
    future: Future[tuple[float, Any]] = Future()
    future.set_exception(PictureError(job.problem) if job.problem else SkippedError(job.why))
    return future


def _read(steps: Steps[Any, Any], job: Job) -> tuple[float, Any]:
    """Return the seconds that it took, and what was read."""
    begin = time.monotonic()
    read = steps.read(job)
    return time.monotonic() - begin, read


def _write(steps: Steps[Any, Any], job: Job, restored: object, spent: float) -> End:
    begin = time.monotonic() - spent
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
    """Turn every defect into a picture's error, so that the rest of the batch goes on."""
    try:
        yield
    except (DiffuseError, SkippedError, BusyError):
        raise
    except MemoryError:
        raise OutOfMemoryError("out of memory") from None
    except OSError as error:
        if isinstance(error, BrokenPipeError):
            raise
        raise PictureError(disk_trouble(error)) from error
    except Exception as error:  # a defect of ours, which is told as one
        raise PictureError(f"unexpected {type(error).__name__}: {reason(error)}; please report this bug") from error
