"""diffuse info."""

from pathlib import Path

from tests.helpers.program import Program, json_lines


def test_info_tells_about_each_file_in_order_and_lists_failures(run: Program, cat: Path) -> None:
    (cat.parent / "broken.png").write_text("no picture")
    result = run("info", cat, "broken.png", cat)
    assert result.exit_code == 1
    assert [line for line in result.stdout.splitlines() if not line.startswith(" ")] == [str(cat), str(cat)]
    told = result.stderr.splitlines()
    assert told[0] == "diffuse: 1 of 3 pictures failed:"
    assert told[1].startswith("diffuse: broken.png: ")


def test_info_in_json(run: Program, cat: Path) -> None:
    (told,) = json_lines(run("info", "--json", cat).stdout)
    assert (told["type"], told["input"], told["width"], told["height"]) == ("info", str(cat), 96, 64)
