"""diffuse bench."""

from pathlib import Path

from tests.helpers.program import Program


def test_usage(run: Program, tmp_path: Path) -> None:
    (tmp_path / "r.json").write_text("mine")
    result = run("bench", "--json", "r.json")
    assert result.exit_code == 2
    assert "use -f to overwrite it" in result.stderr
    assert run("bench", "--model", "nothing").exit_code == 3
