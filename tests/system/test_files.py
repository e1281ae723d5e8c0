"""Files that appear whole or not at all."""

import subprocess
import sys
from pathlib import Path

import pytest

from diffuse_cli.system.files import TEMPORARY_SUFFIX, remove_stale, replaced_whole
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
