"""Inputs and outputs that are no regular files, as the installed program meets them: pipes, devices, links."""

import json
import os
import signal
import stat
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from PIL import Image

from diffuse_cli.cli.report.report import MARK
from diffuse_cli.provenance import recipe
from tests.conftest import PROGRAM
from tests.helpers.pictures import digests, make

pytestmark = [pytest.mark.program, pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")]

Shell = Callable[[str], subprocess.CompletedProcess[str]]
BESIDE = {
    "--save-mask": "mask.png", "--compare": "compare.png", "--report": "report.html", "--uncertainty": "std.png",
    "--trace": "trace.png", "--journal": "journal.jsonl",
}  # fmt: skip


@pytest.fixture
def options(toy_file: Path) -> str:
    return f"--model {toy_file} --dtype fp32 --threads 1 -q"


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    env = {**os.environ, "PATH": f"{PROGRAM.parent}{os.pathsep}{os.environ['PATH']}", "OMP_NUM_THREADS": "1"}
    return lambda line: subprocess.run(
        ["bash", "-c", line], cwd=tmp_path, env=env, capture_output=True, text=True, check=False, timeout=600
    )


@contextmanager
def readers(*pipes: Path) -> Iterator[dict[Path, bytes]]:
    """Make pipes, and read all of them while it is entered."""
    got: dict[Path, bytes] = {}
    for pipe in pipes:
        os.mkfifo(pipe)
    threads = [
        threading.Thread(target=lambda one=pipe: got.update({one: one.read_bytes()}), daemon=True) for pipe in pipes
    ]
    for thread in threads:
        thread.start()
    yield got
    for thread in threads:
        thread.join(60)


class TestOutputs:
    def line(self, folder: str, options: str) -> str:
        beside = " ".join(f"{option} {folder}/{name}" for option, name in BESIDE.items())
        return f"diffuse inpaint a.png --box 4,4,9,9 --steps 3 -o {folder}/out.png {beside} {options}"

    def test_every_one_goes_into_pipes_and_through_links(self, shell: Shell, options: str, tmp_path: Path) -> None:
        make(tmp_path, "a.png")
        names = ["out.png", *BESIDE.values()]
        pictures = [name for name in names if name.endswith(".png")]
        plain = shell(self.line("plain/new", options))
        assert plain.returncode == 0, plain.stderr
        whole = digests(tmp_path / "plain" / "new")
        assert set(whole) == set(names)

        (tmp_path / "pipes").mkdir()
        with readers(*(tmp_path / "pipes" / name for name in names)) as got:
            piped = shell(self.line("pipes", options))
            assert piped.returncode == 0, piped.stderr
        for name in names:
            assert stat.S_ISFIFO((tmp_path / "pipes" / name).stat().st_mode)
        for name in pictures:
            assert got[tmp_path / "pipes" / name] == (tmp_path / "plain" / "new" / name).read_bytes(), name
        assert MARK.encode() in got[tmp_path / "pipes" / "report.html"]
        told = [json.loads(line) for line in got[tmp_path / "pipes" / "journal.jsonl"].splitlines()]
        assert Counter(line["event"] for line in told) == {"part": 1, "planned": 3, "done": 3}

        (tmp_path / "links").mkdir()
        (tmp_path / "far").mkdir()
        for name in names:
            (tmp_path / "links" / name).symlink_to(f"../far/{name}")
        (tmp_path / "far" / "out.png").write_bytes(b"old")
        linked = shell(self.line("links", f"{options} -f"))
        assert linked.returncode == 0, linked.stderr
        assert all((tmp_path / "links" / name).is_symlink() for name in names)
        found = digests(tmp_path / "far")
        assert set(found) == set(names)
        assert {name: found[name] for name in pictures} == {name: whole[name] for name in pictures}

    def test_a_device_stays_one(self, shell: Shell, options: str, tmp_path: Path) -> None:
        make(tmp_path, "a.png")
        try:
            os.mknod(tmp_path / "null", 0o666 | stat.S_IFCHR, os.makedev(1, 3))
            os.mknod(tmp_path / "disk", 0o666 | stat.S_IFBLK, os.makedev(7, 250))
        except PermissionError:
            pytest.skip("making devices needs root")
        line = f"diffuse denoise a.png --noise 9 {options} --format png"
        assert shell(f"{line} -o null").returncode == 0
        assert shell(f"{line} -o null -f --report null").returncode in (1, 2)
        assert stat.S_ISCHR((tmp_path / "null").stat().st_mode)
        disk = shell(f"{line} -o disk -f")
        assert (disk.returncode, disk.stderr) == (
            2, "diffuse: disk: is a disk or a socket, not a file; choose another output\n",
        )  # fmt: skip

    def test_who_stops_reading_fails_one_picture(self, shell: Shell, options: str, tmp_path: Path) -> None:
        make(tmp_path, "a.png", side=400)
        result = shell(f"diffuse denoise a.png --noise 9 -o >(head -c 10 > /dev/null) --format png {options}")
        assert result.returncode == 1
        assert "whoever read this pipe reads no more" in result.stderr
        assert len(result.stderr.splitlines()) == 1

    def test_dev_stdout_is_stdout_also_where_that_is_a_file(self, shell: Shell, options: str, tmp_path: Path) -> None:
        make(tmp_path, "a.png")
        line = f"diffuse denoise a.png --noise 9 {options} -o"
        result = shell(f"{line} - > one.png; {line} /dev/stdout > two.png")
        assert result.returncode == 0, result.stderr
        assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()


class TestInputs:
    def test_pipes_give_what_files_give(self, shell: Shell, options: str, tmp_path: Path) -> None:
        make(tmp_path, "a.png", side=300)  # more than a pipe holds at once
        line = f"--noise 9 {options}"
        result = shell(
            f"diffuse denoise a.png -o file.png {line} &&"
            f"diffuse denoise <(cat a.png) -o substituted.png {line} &&"
            f"cat a.png | diffuse denoise /dev/stdin -o stdin.png {line} &&"
            f"mkfifo p.png && (cat a.png > p.png & diffuse denoise p.png -o named.png {line})"
        )
        assert result.returncode == 0, result.stderr
        whole = (tmp_path / "file.png").read_bytes()
        for name in ("substituted.png", "stdin.png", "named.png"):
            assert (tmp_path / name).read_bytes() == whole, name

    def test_a_pipe_is_read_once_for_all_that_need_it(self, shell: Shell, options: str, tmp_path: Path) -> None:
        """The mask is read and hashed; the picture read and hashed, for two results; the result read three times."""
        make(tmp_path, "a.png")
        mask = Image.new("L", (40, 40))
        mask.paste(255, (5, 5, 12, 12))
        mask.save(tmp_path / "m.png")
        filled = shell(
            f"diffuse inpaint a.png --mask m.png -o file.png --samples 2 --steps 2 -o 'file.{{k}}.png' {options} &&"
            f"diffuse inpaint <(cat a.png) --mask <(cat m.png) --samples 2 --steps 2 -o 'pipe.{{k}}.png' {options}"
        )
        assert filled.returncode == 0, filled.stderr
        for k in (0, 1):
            assert (tmp_path / f"pipe.{k}.png").read_bytes() == (tmp_path / f"file.{k}.png").read_bytes()
        model = options.split()[1]
        again = shell(
            f"diffuse replay <(cat pipe.0.png) --input <(cat a.png) --mask <(cat m.png) --model {model} "
            "--threads 1 -o again.png && diffuse info <(cat pipe.0.png)"
        )
        assert again.returncode == 0, again.stderr
        assert "the same bytes as" in again.stdout
        assert "recipe:" in again.stdout
        joined = shell(f"diffuse compose a.png --insert <(cat m.png) --blend alpha --band 4 -o joined.png {options}")
        assert joined.returncode == 0, joined.stderr
        assert recipe.read(tmp_path / "joined.png") is not None

    def test_what_is_no_pipe_either_is_refused(self, shell: Shell, options: str) -> None:
        result = shell(f"diffuse denoise /dev/zero -o b.png {options}")
        assert result.returncode == 2
        assert result.stderr.startswith("diffuse: /dev/zero: is a device or a socket, not a picture")


class TestWaiting:
    """A signal ends what waits for the other end of a pipe. The first one is enough."""

    def start(self, tmp_path: Path, options: str, *arguments: str) -> "subprocess.Popen[bytes]":
        command = [str(PROGRAM), *arguments, *options.split()]
        pipe = subprocess.PIPE
        return subprocess.Popen(command, cwd=tmp_path, stdin=pipe, stdout=pipe, stderr=pipe)

    def stopped(self, process: "subprocess.Popen[bytes]") -> bytes:
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 143
        assert process.stderr is not None
        said = process.stderr.read()
        assert b"stopped by SIGTERM: 0 done" in said
        for stream in (process.stdin, process.stdout, process.stderr):
            assert stream is not None
            stream.close()
        return said

    def test_for_a_writer(self, options: str, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "p.png")
        process = self.start(tmp_path, options, "denoise", "p.png", "--noise", "9", "-o", "b.png")
        end, writer = time.monotonic() + 300, -1
        while writer < 0:  # until it is open for reading
            assert process.poll() is None
            assert time.monotonic() < end
            try:
                writer = os.open(tmp_path / "p.png", os.O_WRONLY | os.O_NONBLOCK)
            except OSError:
                time.sleep(0.02)
        os.write(writer, b"\x89PNG\r\n")
        self.stopped(process)
        os.close(writer)
        assert not (tmp_path / "b.png").exists()

    def test_for_the_end_of_stdin(self, options: str, tmp_path: Path) -> None:
        process = self.start(tmp_path, options, "denoise", "-", "--noise", "9", "-o", "b.png")
        assert process.stdin is not None
        process.stdin.write(bytes(1 << 20))  # returns when it reads
        process.stdin.flush()
        self.stopped(process)

    def test_for_a_reader(self, options: str, tmp_path: Path) -> None:
        make(tmp_path, "a.png")
        os.mkfifo(tmp_path / "p.png")
        box = ("inpaint", "a.png", "--box", "4,4,9,9", "--save-mask", "m.png", "-o", "p.png")
        process = self.start(tmp_path, options, *box)
        while not (tmp_path / "m.png").exists():  # which is written before the picture
            assert process.poll() is None
            time.sleep(0.02)
        assert b"p.png: cannot be written: stopped before the other end of this pipe was ready" in self.stopped(process)
        assert stat.S_ISFIFO((tmp_path / "p.png").stat().st_mode)

    def test_for_a_reader_of_stdout(self, options: str, tmp_path: Path) -> None:
        make(tmp_path, "a.png", side=400)
        process = self.start(tmp_path, options, "denoise", "a.png", "--noise", "9", "-o", "-")
        assert process.stdout is not None
        assert process.stdout.read(8) == b"\x89PNG\r\n\x1a\n"  # and no more: much more than a pipe holds is left
        self.stopped(process)
