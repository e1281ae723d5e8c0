"""How the installed program ends: its exit codes, and one line on stderr, as the shell has them."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.conftest import PROGRAM, Run, pixels

pytestmark = pytest.mark.program


def error_line(result: subprocess.CompletedProcess[bytes], code: int) -> bytes:
    """The one line that a failed run leaves on stderr."""
    assert (result.returncode, result.stdout) == (code, b""), result.stderr
    (line,) = result.stderr.splitlines()
    assert line.startswith(b"diffuse: ")
    return line


def test_codes_and_lines(diffuse: Run, cat: Path) -> None:
    done = diffuse("denoise", cat, "--noise", "20")
    assert (done.returncode, done.stdout) == (0, b"")
    assert pixels(cat.with_name("in.denoise.png")).shape == (64, 96, 3)
    assert b"nosuch.png" in error_line(diffuse("denoise", "nosuch.png"), 2)
    assert b"nosuch" in error_line(diffuse("denoise", cat, "--nosuch"), 2)
    assert b"m.safetensors" in error_line(diffuse("denoise", cat, "--model", "m.safetensors", "-f"), 3)
    cat.write_bytes(b"no picture")
    assert b"in.png" in error_line(diffuse("denoise", cat, "--noise", "20", "-f"), 1)


def test_names_that_are_not_utf_8_fit_one_line(diffuse: Run, cat: Path) -> None:
    name = os.fsdecode(b"not utf-8 \xff.png")
    error_line(diffuse("denoise", name), 2)
    cat.with_name(name).write_text("no picture")
    error_line(diffuse("denoise", name, "--noise", "9"), 1)


@pytest.mark.skipif(os.name != "posix", reason="limits a file's size as POSIX shells do")
def test_a_full_disk_leaves_nothing(cat: Path) -> None:
    """A file size limit stands in for a disk that fills up in mid-write."""
    before = cat.read_bytes()
    command = f"ulimit -f 4; exec '{PROGRAM}' denoise in.png --noise 20"
    result = subprocess.run(["bash", "-c", command], cwd=cat.parent, capture_output=True, check=False)
    error_line(result, 1)
    assert [(path.name, path.read_bytes()) for path in cat.parent.iterdir()] == [("in.png", before)]
