"""What journals say together: missing, failed, doubled, not begun; in any order."""

import itertools
from pathlib import Path

import pytest

from diffuse_cli.cli.batch.journal import Journal
from diffuse_cli.cli.batch.status import BatchStatus, read
from diffuse_cli.errors import UsageError


def names(status: BatchStatus, *states: str) -> list[str]:
    return [output for output, _ in status.of(*states)]  # type: ignore[arg-type]


def planned(journal: Journal, part: tuple[int, int], *outputs: str, source: str = "/in") -> None:
    pictures = [(Path(f"{source}/{name}"), Path(f"/out/{name}")) for name in outputs]
    journal.add_plan("denoise", Path("/out"), part, pictures)


@pytest.fixture
def parts(tmp_path: Path) -> list[Path]:
    """Two of three parts: a is done, b failed and was done by the other part's machine, c failed, d is missing."""
    one, two = Journal(tmp_path / "1"), Journal(tmp_path / "2")
    planned(one, (1, 3), "a.png", "b.png", "c.png")
    planned(two, (2, 3), "d.png", "e.png")
    one.add("done", Path("/out/a.png"), recipe={"steps": 1})
    one.add("failed", Path("/out/b.png"), error="broken")
    one.add("failed", Path("/out/c.png"), error="broken")
    two.add("done", Path("/out/b.png"), recipe={"steps": 1})
    for recipe in ({"steps": 1}, {"steps": 1}):
        two.add("done", Path("/out/e.png"), recipe=recipe)
    one.close()
    two.close()
    return [tmp_path / "1", tmp_path / "2"]


def test_what_became_of_each_output(parts: list[Path]) -> None:
    for order in itertools.permutations(parts):
        status = read(order)
        assert names(status, "done") == ["/out/a.png", "/out/b.png", "/out/e.png"]
        assert names(status, "missing") == ["/out/d.png"]
        assert [(output, fate.input, fate.error) for output, fate in status.of("failed")] == [
            ("/out/c.png", "/in/c.png", "broken")
        ]
        assert [(output, fate.times) for output, fate in status.doubled] == [("/out/e.png", 2)]
        assert status.not_begun == [("denoise", "/out", 3, [3])]


def test_joined_journals_say_the_same(parts: list[Path], tmp_path: Path) -> None:
    joined = tmp_path / "joined"
    joined.write_bytes(b'torn\n{"event": 3}\n' + b"".join(part.read_bytes() for part in parts))
    assert read([joined]).fates == read(parts).fates
    assert read([joined]).unread == 2


def test_a_whole_run_makes_up_for_parts(parts: list[Path], tmp_path: Path) -> None:
    journal = Journal(tmp_path / "whole")
    planned(journal, (1, 1), *"fg")
    journal.close()
    status = read([*parts, tmp_path / "whole"])
    assert status.not_begun == []
    assert names(status, "missing") == ["/out/d.png", "/out/f", "/out/g"]


def test_a_changed_result_is_not_doubled_and_a_shared_name_is(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j")
    planned(journal, (1, 1), "a.png")
    for steps in (1, 2):
        journal.add("done", Path("/out/a.png"), recipe={"steps": steps})
    journal.close()
    other = Journal(tmp_path / "k")
    planned(other, (1, 1), "b.png", source="/in")
    other.close()
    third = Journal(tmp_path / "l")
    planned(third, (1, 1), "b.png", source="/elsewhere")
    third.close()
    assert [(output, fate.rivals) for output, fate in read([tmp_path / name for name in "jkl"]).doubled] == [
        ("/out/b.png", ("/elsewhere/b.png",))
    ]


def test_outputs_are_planned_once(tmp_path: Path) -> None:
    for _ in range(2):
        journal = Journal(tmp_path / "j")
        planned(journal, (1, 1), "a.png", "b.png")
        planned(journal, (1, 1), "a.png", "c.png")
        journal.close()
    lines = (tmp_path / "j").read_text().splitlines()
    assert len([line for line in lines if '"planned"' in line]) == 3


def test_what_is_no_journal_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("hello\n")
    with pytest.raises(UsageError, match="no journal of diffuse"):
        read([tmp_path / "x"])
    with pytest.raises(UsageError, match="cannot be read"):
        read([tmp_path / "none"])
