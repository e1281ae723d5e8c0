"""Options for clips."""

import pytest

from diffuse_cli.cli.options.clips import ClipOptions, seconds
from diffuse_cli.errors import UsageError


@pytest.mark.parametrize(
    ("text", "value"), [("12.5", 12.5), ("1:02", 62.0), ("0:01:30.25", 90.25), ("90", 90.0), ("2:00:00", 7200.0)]
)
def test_times(text: str, value: float) -> None:
    assert seconds("start", text) == value


@pytest.mark.parametrize("text", ["", "x", "1:2:3:4", "-3", "1:75:00", "nan"])
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(UsageError, match=r"--start .*: not a time"):
        seconds("start", text)


def test_options_that_do_nothing_are_refused() -> None:
    ClipOptions(crf=3).check_used(has_clips=True)
    ClipOptions().check_used(has_clips=False)
    with pytest.raises(UsageError, match="--crf is for clips, and no input is one"):
        ClipOptions(crf=3).check_used(has_clips=False)
