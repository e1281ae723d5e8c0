"""Locks on bytes of open files, and what is left of the program on a system without POSIX's."""

import os
import subprocess
import sys
import types
from pathlib import Path

import pytest

from diffuse_cli.system import files, locks

HOLD = """
import sys, time
from diffuse_cli.system.locks import lock
file = open(sys.argv[1], "ab")
print(lock(file.fileno()), flush=True)
time.sleep(60)
"""


def test_a_byte_has_one_holder_until_its_file_is_closed(tmp_path: Path) -> None:
    with (tmp_path / "a").open("ab") as one, (tmp_path / "a").open("ab") as other:
        assert locks.lock(one.fileno())
        assert not locks.lock(other.fileno())
        assert locks.lock(other.fileno(), locks.FIRST + locks.COUNT - 1)
        locks.unlock(one.fileno())
        assert locks.lock(other.fileno())
        assert not locks.lock(one.fileno())
        other.close()
        assert locks.lock(one.fileno())


def test_a_kill_releases(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", HOLD, tmp_path / "a"], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "True\n"
    with (tmp_path / "a").open("ab") as file:
        assert not locks.lock(file.fileno())
        process.kill()
        process.communicate()
        assert locks.lock(file.fileno())


def test_windows_counts_from_the_position_of_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    held: set[int] = set()

    def locking(file: int, mode: int, count: int) -> None:
        at = os.lseek(file, 0, os.SEEK_CUR)
        assert count == 1
        if mode == 1 and at in held:
            raise PermissionError
        held.symmetric_difference_update({at})

    module = types.ModuleType("msvcrt")
    module.__dict__.update(locking=locking, LK_NBLCK=1, LK_UNLCK=0)
    monkeypatch.setitem(sys.modules, "msvcrt", module)
    monkeypatch.setattr(locks, "fcntl", None)
    with (tmp_path / "a").open("wb") as file:
        file.write(b"abc")
        file.flush()
        assert locks.lock(file.fileno(), locks.FIRST + 7)
        assert not locks.lock(file.fileno(), locks.FIRST + 7)
        assert held == {locks.FIRST + 7}
        locks.unlock(file.fileno(), locks.FIRST + 7)
        assert not held
        file.write(b"def")
    assert (tmp_path / "a").read_bytes() == b"abcdef"


def test_on_windows_a_file_is_closed_before_it_gets_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "_ON_WINDOWS", True)
    monkeypatch.setattr(os, "kill", lambda *_: pytest.fail("a signal of number 0 is Ctrl-C there"))
    replace, closed = Path.replace, []

    def replacing(self: Path, target: Path) -> Path:
        closed.append(stream.closed)
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", replacing)
    stale = tmp_path / f".99999999-00{files.TEMPORARY_SUFFIX}"
    stale.touch()
    os.utime(stale, (0, 0))
    with files.replaced_whole(tmp_path / "a") as stream:
        stream.write(b"whole")
        assert files.remove_stale([tmp_path]) == [stale]
    assert closed == [True]
    assert (tmp_path / "a").read_bytes() == b"whole"


WITHOUT_POSIX = """
import os, pkgutil, sys
sys.modules["fcntl"] = None
for name in ("pread", "posix_fallocate", "sched_getaffinity", "sysconf", "fork", "getuid"):
    delattr(os, name)
from pathlib import Path
import diffuse_cli
for module in pkgutil.walk_packages(diffuse_cli.__path__, "diffuse_cli."):
    if not module.name.endswith("__main__"):
        __import__(module.name)
from diffuse_cli.cli.batch.journal import Journal
from diffuse_cli.system.arrays import MAPPED_FROM, empty_array
from diffuse_cli.system.files import TEMPORARY_SUFFIX, remove_stale, write_bytes
import numpy as np
folder = Path(sys.argv[1])
young, old = (folder / f".99999999-{n}{TEMPORARY_SUFFIX}" for n in "01")
young.touch(), old.touch(), os.utime(old, (0, 0))
write_bytes(b"whole", folder / "a.png")
assert remove_stale([folder]) == [old]
journal = Journal(folder / "journal")
assert journal.claim(folder / "a.png")
journal.add("done", folder / "a.png")
journal.release(folder / "a.png")
assert journal.made_meanwhile(folder / "a.png")
assert empty_array((MAPPED_FROM,), np.uint8).nbytes == MAPPED_FROM
"""


@pytest.mark.slow
def test_without_posix_every_module_is_imported_and_files_are_written(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-W", "error::RuntimeWarning", "-c", WITHOUT_POSIX, tmp_path], check=True)
    assert (tmp_path / "a.png").read_bytes() == b"whole"
