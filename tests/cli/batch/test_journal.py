"""The journal: only added to, whole after any kill, merged by joining, and who works on what."""

import multiprocessing
import sys
import time
from multiprocessing.queues import Queue
from pathlib import Path

import pytest

from diffuse_cli.cli.batch.journal import Journal
from diffuse_cli.errors import UsageError


def hold(path: Path, said: "Queue[bool]") -> None:
    """Claim a picture, for as long as the process lives."""
    journal = Journal(path)
    said.put(journal.claim(Path("/out/a.png")))
    time.sleep(60)
    journal.close()


def test_what_was_done_is_known_again(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "journal.jsonl"
    journal = Journal(path)
    journal.add("done", Path("/out/a.png"), recipe={"steps": 1})
    journal.add("done", Path("/out/a.png"), recipe={"steps": 2})
    journal.add("failed", Path("/out/b.png"), error="broken")
    assert journal.made_meanwhile(Path("/out/a.png")) is not None
    journal.close()
    again = Journal(path)
    record = again.made(Path("/out/a.png"))
    assert record is not None
    assert record["recipe"] == {"steps": 2}
    assert again.made(Path("/out/b.png")) is None
    assert again.made_meanwhile(Path("/out/a.png")) is None
    again.close()


def test_torn_and_foreign_lines_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "j"
    journal = Journal(path)
    journal.add("done", Path("/out/a.png"))
    journal.close()
    whole = path.read_bytes()
    path.write_bytes(b'[1]\nhello\n"x"\n{"event": 3}\n' + whole + whole[:-20])
    journal = Journal(path)
    journal.add("done", Path("/out/b.png"))
    journal.close()
    journal = Journal(path)
    assert journal.made(Path("/out/a.png"))
    assert journal.made(Path("/out/b.png"))
    journal.close()


def test_journals_of_machines_are_merged_by_joining_them(tmp_path: Path) -> None:
    for name in ("a", "b"):
        journal = Journal(tmp_path / name)
        journal.add("done", Path(f"/out/{name}.png"), recipe={})
        journal.add("done", Path("/out/both.png"), recipe={"by": name})
        journal.close()
    for order in ("ab", "ba"):
        (tmp_path / order).write_bytes(b"".join((tmp_path / name).read_bytes() for name in order))
        journal = Journal(tmp_path / order)
        record = journal.made(Path("/out/both.png"))
        assert journal.made(Path("/out/a.png"))
        assert journal.made(Path("/out/b.png"))
        assert record is not None
        assert record["recipe"] == {"by": "b"}
        journal.close()


@pytest.mark.skipif(sys.platform == "win32", reason="locks as POSIX has them")
def test_a_claim_holds_until_its_process_dies(tmp_path: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    said = spawn.Queue()
    process = spawn.Process(target=hold, args=(tmp_path / "j", said))
    process.start()
    assert said.get(timeout=60)
    journal = Journal(tmp_path / "j")
    try:
        assert not journal.claim(Path("/out/a.png"))
        assert journal.claim(Path("/out/b.png"))
        journal.refresh()
        assert not journal.claim(Path("/out/a.png"))
    finally:
        process.kill()
        process.join()
    assert journal.claim(Path("/out/a.png"))
    journal.close()


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    for path in (tmp_path, tmp_path / "file" / "j"):
        with pytest.raises(UsageError, match="--journal"):
            Journal(path)
