"""diffuse estimate."""

from pathlib import Path

import pytest

from tests.helpers.program import Program, json_lines


def test_estimate_tells_in_words_and_in_json(run: Program, cat: Path) -> None:
    (cat.parent / "broken.png").write_text("no picture")
    words = run("estimate", cat)
    assert words.exit_code == 0
    block = words.stdout.splitlines()
    assert block[0] == f"{cat}: 96x64"
    assert [line.split()[0] for line in block[1:]] == ["noise", "JPEG", "blur", "detail", "restore"]
    assert "would remove noise of 2" in block[-1]
    result = run("estimate", "--json", cat.parent)
    assert result.exit_code == 1
    lines = json_lines(result.stdout)
    assert [line["status"] for line in lines[:-1]] == ["failed", "done"]
    assert lines[1]["estimate"]["noise"]["value"] == pytest.approx(25, abs=3)
    assert lines[1]["restore"]["changes"]
    assert (lines[-1]["done"], lines[-1]["failed"], lines[-1]["exit_code"]) == (1, 1, 1)
