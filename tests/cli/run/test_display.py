"""Names of any kind on one line, and what the bar says."""

import io
import re
import sys
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diffuse_cli.cli.run.display import Display, one_line


@given(st.text(st.characters(), max_size=60))
def test_any_text_becomes_one_line_that_can_be_printed(text: str) -> None:
    shown = one_line(text)
    assert shown.isprintable()
    assert shown == text or not text.isprintable()


def test_what_cannot_be_shown_is_escaped() -> None:
    assert one_line("two\nlines \udcff\x1b[31m é 写真") == "two\\nlines \\udcff\\x1b[31m é 写真"


@pytest.fixture
def display(monkeypatch: pytest.MonkeyPatch) -> Iterator[Display]:
    """A display on a terminal."""
    monkeypatch.setattr(sys, "stderr", Terminal())
    with Display(quiet=False, total=2) as shown:
        yield shown


class Terminal(io.StringIO):
    """Where a bar is shown."""

    def isatty(self) -> bool:
        return True


def test_what_has_no_count_pulses_and_has_a_name(display: Display) -> None:
    assert display.bar is not None
    (task,) = display.bar.tasks
    display.prepare("loading the model")
    assert (task.description, task.started) == ("loading the model", False)
    display.show("a.png", "reading and measuring", counted=False)
    assert (task.description, task.started) == ("a.png: reading and measuring", False)
    display.show("a.png", "denoising")
    assert (task.description, task.started, task.total) == ("a.png: denoising", True, 2000)
    display.progress(1, 4)
    assert task.completed == 250
    display.count()
    display.show("b.png", "reading and measuring", counted=False)
    assert (task.fields["count"], task.completed) == ("1/2", 1000)


def test_what_is_written_counts_while_the_next_one_is_made(display: Display) -> None:
    assert display.bar is not None
    (task,) = display.bar.tasks
    display.show("a.png", "denoising")
    display.progress(1, 1)
    display.show("b.png", "denoising")
    display.progress(1, 4)
    display.count(name="a.png")
    assert (task.description, task.fields["count"], task.completed) == ("b.png: denoising", "1/2", 1250)
    display.count(name="b.png")
    assert task.completed == 2000


def test_long_lines_wrap_between_words(display: Display) -> None:
    assert display.bar is not None
    with display.bar.console.capture() as shown:
        display.say("some sentence of several words, " * 8)
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.get()).replace("\r", "")
    said = [line.strip() for line in text.splitlines() if "sentence" in line or "words" in line]
    assert len(said) > 2
    assert {word for line in said for word in line.split()} == {"some", "sentence", "of", "several", "words,"}
