"""Which pictures are copies of one."""

from pathlib import Path

import pytest

from diffuse_cli.cli.batch.groups import GroupBy, group_by, groups, stem_of
from diffuse_cli.cli.batch.inputs import Found
from diffuse_cli.errors import UsageError

TIMES = {"d/a.jpg": 100.0, "d/b.jpg": 101.5, "d/c.jpg": 110.0, "d/d.jpg": 103.4, "e/a.jpg": 100.2}


def found(*names: str, scanned: bool = True) -> list[Found]:
    return [Found(path=Path(n), below=Path(n).relative_to("."), root=Path(), scanned=scanned) for n in names]


def told(made: list[list[Found]]) -> list[list[str]]:
    return [[str(one.path) for one in group] for group in made]


def time_of(path: Path) -> float | None:
    return TIMES.get(str(path))


def test_folders_are_grouped_by_time_and_names_are_one_group() -> None:
    assert told(groups(found(*TIMES), GroupBy(), time_of)) == [
        ["d/a.jpg", "d/b.jpg", "d/d.jpg"], ["d/c.jpg"], ["e/a.jpg"],
    ]  # fmt: skip
    assert told(groups(found(*TIMES, scanned=False), GroupBy(), time_of)) == [[*TIMES]]
    timeless = found("f/1.png", "f/2.png")
    assert told(groups(timeless, GroupBy(), time_of)) == [["f/1.png", "f/2.png"]]


@pytest.mark.parametrize(("text", "made"), [
    ("all", [[*TIMES]]),
    ("folder", [["d/a.jpg", "d/b.jpg", "d/c.jpg", "d/d.jpg"], ["e/a.jpg"]]),
    ("time", [["d/a.jpg", "e/a.jpg", "d/b.jpg", "d/d.jpg"], ["d/c.jpg"]]),
    ("time:7", [["d/a.jpg", "e/a.jpg", "d/b.jpg", "d/d.jpg", "d/c.jpg"]]),
    ("name", [["d/a.jpg"], ["d/b.jpg"], ["d/c.jpg"], ["d/d.jpg"], ["e/a.jpg"]]),
])  # fmt: skip
def test_every_way(text: str, made: list[list[str]]) -> None:
    assert told(groups(found(*TIMES), group_by(text), time_of)) == made


def test_names_differ_in_their_last_number() -> None:
    assert [stem_of(Path(n)) for n in ("burst1_001.png", "a-2.jpg", "17.png", "plain.png")] == [
        "burst1", "a", "17", "plain",
    ]  # fmt: skip
    assert told(groups(found("a_1.png", "b_1.png", "a_2.png"), group_by("name"), time_of)) == [
        ["a_1.png", "a_2.png"], ["b_1.png"],
    ]  # fmt: skip


@pytest.mark.parametrize("text", ["size", "time:", "time:x", "time:-1", "name:2", ""])
def test_other_words_are_refused(text: str) -> None:
    if text == "time:":
        assert group_by(text) == GroupBy(how="time")
        return
    with pytest.raises(UsageError, match="--group-by"):
        group_by(text)
