"""Files that appear whole or not at all."""

import subprocess
import sys
from pathlib import Path

import pytest

from diffuse_cli.system.files import TEMPORARY_SUFFIX, in_the_way, landing, remove_stale, replaced_whole
from diffuse_cli.system.locks import lock
from tests.conftest import ROOT


@pytest.mark.slow
def test_killed_writers_tear_nothing(tmp_path: Path) -> None:
    """40 kills here; `python -m tools.kill_writers FOLDER 200` does 200."""
    command = [sys.executable, "-m", "tools.kill_writers", str(tmp_path), "40"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert "all whole" in result.stdout


def test_a_running_writers_temporary_is_left_alone(tmp_path: Path) -> None:
    stale = tmp_path / f".99999999-00{TEMPORARY_SUFFIX}"
    stale.write_bytes(b"half a picture")
    foreign = tmp_path / f".99999998-00{TEMPORARY_SUFFIX}"  # of a writer that cannot be seen from here
    foreign.write_bytes(b"half a picture")
    (tmp_path / f".notours{TEMPORARY_SUFFIX}").touch()
    with foreign.open("r+b") as held:
        assert lock(held.fileno())
        with replaced_whole(tmp_path / "a.png") as stream:
            stream.write(b"whole")
            assert remove_stale([tmp_path]) == [stale]
    assert (tmp_path / "a.png").read_bytes() == b"whole"
    assert foreign.exists()


def test_links_lead_to_what_is_written(tmp_path: Path) -> None:
    (tmp_path / "there").write_bytes(b"")
    for name, target in (("a", "there"), ("b", "a"), ("new", "far/nothing"), ("circle", "circle")):
        (tmp_path / name).symlink_to(target)
    assert landing(tmp_path / "there") == landing(tmp_path / "b") == tmp_path / "there"
    assert landing(tmp_path / "new") == tmp_path / "far" / "nothing"
    with pytest.raises(OSError, match="symbolic links"):
        landing(tmp_path / "circle")
    assert [in_the_way(tmp_path / name) for name in ("there", "b", "new", "nothing")] == [True, True, False, False]
    with replaced_whole(tmp_path / "new") as stream:
        stream.write(b"whole")
    assert (tmp_path / "far" / "nothing").read_bytes() == b"whole"
    assert (tmp_path / "new").is_symlink()
