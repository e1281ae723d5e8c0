"""Ctrl-C and SIGTERM: the first one lets the picture in hand be finished, the second one does not."""

import os
import signal
import sys
from types import FrameType, TracebackType
from typing import Any, Self

CODES = {signal.SIGINT: 130, signal.SIGTERM: 143}
NAMES = {signal.SIGINT: "Ctrl-C", signal.SIGTERM: "SIGTERM"}


class Terminated(BaseException):
    """SIGTERM came; unwinds like Ctrl-C does, so that half-written files are removed."""


def on_sigterm(number: int, frame: FrameType | None) -> None:
    """Outside of batches."""
    raise Terminated


class Stop:
    """While it is entered, the first signal is only noted.

    Attributes:
        signal: the first one; None = none came.
    """

    def __init__(self) -> None:
        """Nothing is installed before it is entered."""
        self.signal: signal.Signals | None = None
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        """Listen, unless the signal was ignored from outside, as Ctrl-C is in a script's background jobs."""
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
        # Not by way of Python's streams: the signal may have come in the middle of one of them.
        line = f"diffuse: {name}: the pictures in hand are finished first; {name} again abandons them\n"
        os.write(2, (("\r\x1b[K" if sys.stderr.isatty() else "") + line).encode())

    @property
    def asked(self) -> bool:
        """Whether a signal came."""
        return self.signal is not None
