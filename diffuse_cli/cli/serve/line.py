"""The line of requests before the one worker: bounded, and left by those who are gone."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Final, TypeVar

T = TypeVar("T")

_FORGETTING: Final = 0.2
"""Weight of the last request in the mean of how long one takes."""


class AbandonedError(Exception):
    """Nobody waits for the result any more, or it took too long."""


class FullError(Exception):
    """There is no place in the line.

    Attributes:
        seconds: after which there probably is one.
    """

    def __init__(self, seconds: int) -> None:
        """Keep the seconds."""
        super().__init__(seconds)
        self.seconds = seconds


class Ticket:
    """A request in the line. Its worker asks whether it is still wanted."""

    def __init__(self) -> None:
        """It is wanted."""
        self._gone = threading.Event()

    def leave(self) -> None:
        """Want it no more."""
        self._gone.set()

    def check(self) -> None:
        """Go on only if it is wanted.

        Raises:
            AbandonedError: it is not.
        """
        if self._gone.is_set():
            raise AbandonedError


class Line:
    """One worker, and those who wait for it. All but the work itself happens in the thread of the event loop."""

    def __init__(self, room: int) -> None:
        """Open it.

        Args:
            room: how many requests may wait beside the one that is worked on.
        """
        self.room = room
        self.inside = 0
        self._worker = ThreadPoolExecutor(1, "restore")
        self._seconds = 1.0
        self._tickets: set[Ticket] = set()

    @contextmanager
    def place(self) -> Iterator[Ticket]:
        """Take a place in the line while it is entered.

        Raises:
            FullError: there is none.
        """
        if self.inside > self.room:
            raise FullError(max(1, round(self._seconds * self.inside)))
        ticket = Ticket()
        self.inside += 1
        self._tickets.add(ticket)
        try:
            yield ticket
        finally:
            ticket.leave()
            self._tickets.discard(ticket)
            self.inside -= 1

    def submit(self, work: Callable[[], T]) -> "Future[T]":
        """Have something done when it is its turn.

        Args:
            work: what is done, in the worker's thread.
        """
        return self._worker.submit(self._timed, work)

    def _timed(self, work: Callable[[], T]) -> T:
        begin = time.monotonic()
        try:
            return work()
        finally:
            self._seconds += _FORGETTING * (time.monotonic() - begin - self._seconds)

    def close(self) -> None:
        """End the work in hand, and begin no other."""
        for ticket in self._tickets:
            ticket.leave()
        self._worker.shutdown(wait=True, cancel_futures=True)
