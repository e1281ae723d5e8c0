"""Batches through the installed program: pipes, terminals, signals, kills, and two at once.

`python -m tools.stress_batches` does the same at real sizes.
"""

import os
import pty
import signal
import subprocess
import time
from pathlib import Path

import pytest

from diffuse_cli.provenance import recipe
from tests.cli.report.test_report import index_of
from tests.conftest import PROGRAM
from tests.helpers.pictures import digests, make, noise
from tests.helpers.program import Program, json_lines

pytestmark = pytest.mark.program


@pytest.fixture
def options(toy_file: Path) -> list[str]:
    return ["--model", str(toy_file), "--dtype", "fp32", "--threads", "1", "--noise", "25"]


@pytest.fixture
def denoise(run: Program, options: list[str]) -> Program:
    """In this process, to have what the installed program is compared with."""
    return lambda *arguments: run("denoise", *arguments, *options)


class TestPipes:
    def shell(self, line: str, folder: Path) -> subprocess.CompletedProcess[bytes]:
        path = f"{PROGRAM.parent}{os.pathsep}{os.environ['PATH']}"
        return subprocess.run(
            ["bash", "-c", line], cwd=folder, env={**os.environ, "PATH": path}, capture_output=True, check=False
        )

    def test_give_the_bytes_of_files(self, denoise: Program, options: list[str], tmp_path: Path) -> None:
        make(tmp_path, "a.png")
        assert denoise("a.png", "-o", "file.png").exit_code == 0
        piped = self.shell(f"cat a.png | diffuse denoise - {' '.join(options)} > piped", tmp_path)
        assert piped.returncode == 0, piped.stderr
        assert (tmp_path / "piped").read_bytes() == (tmp_path / "file.png").read_bytes()

    def test_lists_of_any_names(self, denoise: Program, options: list[str], tmp_path: Path) -> None:
        make(tmp_path, "in/two\nlines.png", "in/d e/ü.png")
        line = f"find in -name '*.png' -print0 | diffuse denoise --files-from - -0 -o out/ -q {' '.join(options)}"
        result = self.shell(line, tmp_path)
        assert result.returncode == 0, result.stderr
        assert digests(tmp_path / "out").keys() == {"in/two\nlines.png", "in/d e/ü.png"}

    def test_a_closed_one_ends_quietly(self, options: list[str], tmp_path: Path) -> None:
        make(tmp_path, "a.png", side=300)
        line = f"diffuse denoise a.png -q -o - {' '.join(options)} | head -c 10 | wc -c; echo ${{PIPESTATUS[0]}}"
        result = self.shell(line, tmp_path)
        assert result.stdout.split() == [b"10", b"0"]
        assert result.stderr == b""

    def test_no_picture_goes_to_a_terminal(self, tmp_path: Path) -> None:
        make(tmp_path, "a.png")
        main, side = pty.openpty()
        command = [str(PROGRAM), "denoise", "a.png", "-o", "-"]
        result = subprocess.run(command, cwd=tmp_path, stdout=side, stderr=subprocess.PIPE, check=False)
        os.close(side)
        os.close(main)
        assert result.returncode == 2
        assert b"terminal" in result.stderr

    def test_progress_on_a_terminal_tells_name_count_and_time_left(self, options: list[str], tmp_path: Path) -> None:
        make(tmp_path, "one.png", "two.png", "three.png", side=200)
        main, side = pty.openpty()
        command = [str(PROGRAM), "denoise", "one.png", "two.png", "three.png", *options]
        env = {**os.environ, "TERM": "xterm", "COLUMNS": "100", "OMP_NUM_THREADS": "1"}
        process = subprocess.Popen(command, cwd=tmp_path, stderr=side, env=env)
        os.close(side)
        shown = b""
        while True:
            try:
                data = os.read(main, 4096)
            except OSError:
                break
            if not data:
                break
            shown += data
        os.close(main)
        assert process.wait() == 0
        assert b"two.png" in shown
        assert b"/3 " in shown
        assert b"three.png -> three.denoise.png" in shown


class TestInterruption:
    def start(self, tmp_path: Path, *arguments: str) -> "subprocess.Popen[bytes]":
        def listening() -> None:  # a script's background jobs ignore Ctrl-C; this one is in the foreground
            signal.signal(signal.SIGINT, signal.default_int_handler)

        command = [str(PROGRAM), "denoise", *arguments]
        return subprocess.Popen(
            command, cwd=tmp_path, stderr=subprocess.PIPE, stdout=subprocess.PIPE, preexec_fn=listening
        )

    def wait_for(self, process: "subprocess.Popen[bytes]", folder: Path, count: int) -> None:
        while process.poll() is None and len([p for p in folder.glob("*") if p.name[0] != "."]) < count:
            time.sleep(0.005)

    @pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
    def test_the_first_signal_finishes_the_picture(
        self, denoise: Program, options: list[str], tmp_path: Path, number: signal.Signals, code: int
    ) -> None:
        make(tmp_path / "in", *(f"{k:02}.png" for k in range(30)), side=200)
        process = self.start(tmp_path, "in", "-o", "out/", "--json", *options, "--steps", "3")
        self.wait_for(process, tmp_path / "out", 1)
        process.send_signal(number)
        out, err = process.communicate(timeout=120)
        assert process.returncode == code, err
        *images, summary = json_lines(out)
        assert summary["done"] == len(images) == len(digests(tmp_path / "out"))
        assert isinstance(summary["left"], int)
        assert summary["left"] > 0
        assert b"add --resume to the same command to go on" in err
        assert all(recipe.read(path) is not None for path in (tmp_path / "out").iterdir())

    def test_the_second_one_abandons_it(self, options: list[str], tmp_path: Path) -> None:
        make(tmp_path / "in", "a.png")
        make(tmp_path / "in", "large.png", side=900)
        process = self.start(tmp_path, "in", "-o", "out/", "-q", *options, "--steps", "50")
        self.wait_for(process, tmp_path / "out", 1)
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        assert b"a second Ctrl-C stops at once" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=120)
        assert process.returncode == 130, err
        assert b"1 done" in err
        assert b"1 left" in err
        assert [path.name for path in (tmp_path / "out").iterdir()] == ["a.png"]

    def test_killed_and_resumed(self, denoise: Program, options: list[str], tmp_path: Path) -> None:
        make(tmp_path / "in", *(f"{k:02}.{'png' if k % 2 else 'jpg'}" for k in range(14)), side=200)
        before, out = digests(tmp_path / "in"), tmp_path / "out"
        assert denoise("in", "-o", "whole/", "-q", "--steps", "2").exit_code == 0
        made: dict[str, tuple[int, int]] = {}
        for _ in range(2):
            process = self.start(tmp_path, "in", "-o", "out/", "-q", "--resume", *options, "--steps", "2")
            self.wait_for(process, out, len(made) + 2)
            process.kill()
            process.communicate()
            now = {p.name: (p.stat().st_ino, p.stat().st_mtime_ns) for p in out.glob("[0-9]*")}
            assert now.items() >= made.items()
            assert len(now) < 14, "it was not killed in mid-work"
            made = now
        assert denoise("in", "-o", "out/", "-q", "--resume", "--steps", "2").exit_code == 0
        assert {p.name: (p.stat().st_ino, p.stat().st_mtime_ns) for p in out.iterdir()}.items() >= made.items()
        assert digests(out) == digests(tmp_path / "whole")
        assert digests(tmp_path / "in") == before

    def test_two_at_once(self, denoise: Program, options: list[str], tmp_path: Path) -> None:
        make(tmp_path / "in", *(f"{k:02}.png" for k in range(12)), side=200)
        arguments = ["in", "-o", "out/", "-q", "--json", "--resume", *options, "--steps", "2"]
        both = [self.start(tmp_path, *arguments) for _ in range(2)]
        told = [json_lines(process.communicate(timeout=300)[0]) for process in both]
        assert [process.returncode for process in both] == [0, 0]
        done = [line["output"] for part in told for line in part if line.get("status") == "done"]
        assert len(done) <= 13
        assert set(done) == {f"out/{k:02}.png" for k in range(12)}
        assert digests(tmp_path / "out").keys() == {f"{k:02}.png" for k in range(12)}


def test_an_interrupted_batch_still_reports(toy_file: Path, tmp_path: Path) -> None:
    for k in range(200):  # far more than are made before the signal comes
        noise(80, 60, k).save(tmp_path / f"{k:03}.png")
    command: list[str | Path] = [
        PROGRAM,
        "denoise",
        tmp_path,
        "-o",
        "out/",
        "--noise",
        "20",
        "--model",
        toy_file,
        "--report",
        "r.html",
    ]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE) as process:
        while not list((tmp_path / "out").glob("*.png")):
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
    assert process.returncode == 143
    index = index_of(tmp_path / "r.html")
    done = [one for one in index["pictures"] if one["status"] == "done"]
    assert index["stopped"] == "SIGTERM"
    assert len(done) == len(list((tmp_path / "out").glob("*.png")))
    assert {one["status"] for one in index["pictures"]} == {"done", "left"}
