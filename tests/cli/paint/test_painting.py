"""--paint: what it does not go with."""

from pathlib import Path

import pytest

from tests.helpers.program import Program


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--save-mask", "m.png"], "needs --mask"),
        (["--paint", "--resume"], "leave it out"),
        (["--paint", "--invert-mask"], "leave it out"),
        (["--paint", "--save-mask", "in.png"], "is an input"),
        (["--paint", "in2.png"], "takes one picture"),
        (["--paint", "-o", "{stem}.{seed}.png"], "chosen on the page"),
    ],
)
@pytest.mark.parametrize("command", ["inpaint", "restore"])
def test_what_makes_no_sense_is_refused(
    run: Program, cat: Path, tmp_path: Path, command: str, options: list[str], says: str
) -> None:
    (tmp_path / "in2.png").write_bytes(cat.read_bytes())
    result = run(command, cat, *options)
    assert result.exit_code == 2
    assert says in result.stderr
