"""Names of every kind, as the shell hands them over."""

import os
import subprocess
from pathlib import Path

import pytest

from diffuse_cli.images.image_io import write_picture
from tests.conftest import PROGRAM
from tests.images.test_faults import noisy

pytestmark = pytest.mark.program

NAMES = ["-rf.png", "two\nlines.png", "prix élevé 写真.png", "UPPER.PNG", "a b  c.png", "x" * 230 + ".png", "%s{a}.png"]


def test_names_of_every_kind(tmp_path: Path) -> None:
    for seed, name in enumerate(NAMES):
        write_picture(noisy(16, seed), tmp_path / name)
    (tmp_path / "link.png").symlink_to("UPPER.PNG")
    options = ["--box", "2,2,2,2", "-q", "-o", "out/", "--"]
    command = [str(PROGRAM), "inpaint", *options, *NAMES, "link.png"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False)
    assert result.returncode == 0, result.stderr
    assert sorted(os.listdir(tmp_path / "out")) == sorted([*NAMES, "link.png"])
    assert not (tmp_path / "out/link.png").is_symlink()
    assert (tmp_path / "out/link.png").read_bytes() == (tmp_path / "out/UPPER.PNG").read_bytes()
