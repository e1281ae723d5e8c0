"""Ctrl-C and SIGTERM: the first one lets the work in hand be finished, the second one does not."""

import os
import signal
import sys
from types import FrameType, TracebackType
from typing import Any, Self

from ...system.streams import stop_waiting

CODES = {signal.SIGINT: 130, signal.SIGTERM: 143}
NAMES = {signal.SIGINT: "Ctrl-C", signal.SIGTERM: "SIGTERM"}


class Terminated(BaseException):
    """Raised when SIGTERM comes. It unwinds like Ctrl-C does, so that half-written files are removed."""


def on_sigterm(number: int, frame: FrameType | None) -> None:
    """Handle SIGTERM outside of `Stop`."""
    raise Terminated


def _stderr() -> int:
    try:
        return sys.stderr.fileno()
    except (OSError, ValueError):  # a stream of Python's own
        return 2


class Stop:
    """Notes the first signal while it is entered, and raises on the second one.

    Attributes:
        signal: the first one, or None.
    """

    def __init__(self, finishing: str, *, quiet: bool = False) -> None:
        """Prepare to listen. Nothing is installed before it is entered.

        Args:
            finishing: what is finished after the first signal, such as "the pictures in hand".
            quiet: do not say so.
        """
        self.signal: signal.Signals | None = None
        self._finishing, self._quiet = finishing, quiet
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        """Listen, unless the signal was ignored from outside, as Ctrl-C is in a script's background jobs."""
        stop_waiting(False)
        for number in CODES:
            if signal.getsignal(number) != signal.SIG_IGN:
                self._before[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Listen no more."""
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        name = NAMES[signal.Signals(number)]
        if self.signal is not None:
            raise KeyboardInterrupt if number == signal.SIGINT else Terminated
        self.signal = signal.Signals(number)
        stop_waiting()
        if self._quiet or sys.stderr is None:
            return
        # Not by way of Python's streams: the signal may have come in the middle of one of them.
        line = f"diffuse: {name}: finishing {self._finishing}; a second {name} stops at once\n"
        os.write(_stderr(), (("\r\x1b[K" if sys.stderr.isatty() else "") + line).encode())

    @property
    def asked(self) -> bool:
        """Whether a signal came."""
        return self.signal is not None
