"""Signals: the first one is noted, the second one raises, and one that is ignored from outside stays ignored."""

import signal
from collections.abc import Iterator

import pytest

from diffuse_cli.cli.run.stopping import Stop, Terminated, on_sigterm


@pytest.fixture(autouse=True)
def _own_handlers() -> Iterator[None]:
    """Python's own at first, since a shell's background jobs ignore Ctrl-C."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, on_sigterm)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def test_the_first_signal_is_noted_and_said(capfd: pytest.CaptureFixture[str]) -> None:
    with Stop("this step") as stop:
        assert not stop.asked
        signal.raise_signal(signal.SIGTERM)
        assert stop.signal == signal.SIGTERM
    assert capfd.readouterr().err == "diffuse: SIGTERM: finishing this step; a second SIGTERM stops at once\n"


@pytest.mark.parametrize(("number", "error"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, Terminated)])
def test_the_second_signal_raises(number: signal.Signals, error: type[BaseException]) -> None:
    def twice() -> None:
        for _ in range(2):
            signal.raise_signal(number)

    with Stop("this step", quiet=True), pytest.raises(error):
        twice()


def test_handlers_are_put_back_and_ignored_signals_stay_ignored() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with Stop("this step") as stop:
        signal.raise_signal(signal.SIGINT)
        assert not stop.asked
    assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    assert signal.getsignal(signal.SIGTERM) == on_sigterm
