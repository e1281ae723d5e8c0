"""Batches through the installed program: nothing lost, nothing torn, nothing twice, whatever comes in between.

tests/batches.py does the same at real sizes.
"""

import hashlib
import json
import os
import pty
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from PIL import Image

import diffuse_cli
from diffuse_cli.provenance import recipe
from tests.conftest import PROGRAM, Run, pixels

SCHEMA = json.loads((Path(diffuse_cli.__file__).parent / "json_lines.schema.json").read_text())
Batch = Callable[..., subprocess.CompletedProcess[bytes]]


@pytest.fixture
def options(toy_file: Path) -> list[str]:
    return ["--model", str(toy_file), "--dtype", "fp32", "--threads", "1", "--noise", "25"]


@pytest.fixture
def denoise(diffuse: Run, options: list[str]) -> Batch:
    return lambda *arguments, **env: diffuse("denoise", *arguments, *options, **env)


def make(folder: Path, *names: str, side: int = 40) -> list[Path]:
    """Pictures that differ, each with a description of its own."""
    paths = [folder / name for name in names]
    for k, path in enumerate(paths):
        path.parent.mkdir(parents=True, exist_ok=True)
        exif = Image.Exif()
        exif[270] = f"description of {k}"
        levels = np.random.default_rng(k).normal(60 + 10 * k, 25, (side, side, 3)).clip(0, 255).astype(np.uint8)
        image = Image.fromarray(levels)
        image.save(path) if path.suffix == ".bmp" else image.save(path, exif=exif.tobytes())
    return paths


def digests(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def lines(result: subprocess.CompletedProcess[bytes]) -> list[dict[str, object]]:
    """What --json printed, each line as the schema has it."""
    found = [json.loads(line) for line in result.stdout.splitlines()]
    for line in found:
        jsonschema.validate(line, SCHEMA)
    return found


class TestFolders:
    def test_steps_are_chained_and_done_once(self, denoise: Batch, diffuse: Run, tmp_path: Path) -> None:
        make(tmp_path / "scans", "a.png", "deep/b.jpg", "deep/c.tif")
        (tmp_path / "scans" / "notes.txt").write_text("no picture")
        before = digests(tmp_path / "scans")
        first = denoise("-r", "scans")
        assert first.returncode == 0
        assert b"left out: 1 no pictures by their names" in first.stderr
        assert digests(tmp_path / "scans").items() >= before.items()
        again = denoise("-r", "scans", "--resume", "-v", "--json")
        assert again.returncode == 0
        assert b"3 made by this command from others of them" in again.stderr
        assert [line["status"] for line in lines(again)[:-1]] == ["skipped"] * 3
        enlarge = diffuse("super-resolve", "scans", "--scale", "2", "-o", "large/{stem}{ext}", "--dry-run")
        assert b"scans/a.denoise.png -> large/a.denoise.png" in enlarge.stdout
        assert not (tmp_path / "large").exists()

    def test_outputs_among_the_inputs_are_no_inputs(self, denoise: Batch, tmp_path: Path) -> None:
        make(tmp_path, "a.png", "sub/b.bmp")
        assert denoise("-r", ".", "-o", "out/").returncode == 0
        plan = denoise("-r", ".", "-o", "out/", "--resume", "--dry-run").stdout
        assert plan.count(b"skip: out/") == 2
        assert len(plan.splitlines()) == 2

    def test_what_lies_in_the_output_folder_stays(self, denoise: Batch, tmp_path: Path) -> None:
        """DDRM and DDNM empty it; rembg deletes an input whose output was skipped."""
        make(tmp_path, "a.png", "b.png", "out/a.png", "out/other.png")
        before = digests(tmp_path)
        assert denoise("a.png", "b.png", "-o", "out/", "--on-exists", "skip").returncode == 0
        after = digests(tmp_path)
        assert after.items() >= before.items()
        assert after.keys() - before.keys() == {"out/b.png"}

    def test_each_result_has_its_own_inputs_metadata(self, denoise: Batch, tmp_path: Path) -> None:
        """Upscayl's batch copies them from the folder's path."""
        make(tmp_path, "a.png", "b.jpg", "c.tif")
        assert denoise("a.png", "b.jpg", "c.tif", "-o", "out/", "-q").returncode == 0
        for k, name in enumerate(["a.png", "b.jpg", "c.tif"]):
            with Image.open(tmp_path / "out" / name) as image:
                assert image.getexif()[270] == f"description of {k}"

    def test_shards_do_the_whole_together(self, denoise: Batch, tmp_path: Path) -> None:
        make(tmp_path / "in", *(f"{k}.png" for k in range(12)), side=8)
        parts = [denoise("in", "--shard", f"{i}/3", "--dry-run").stdout.splitlines() for i in (1, 2, 3)]
        assert sorted(line for part in parts for line in part) == sorted(denoise("in", "--dry-run").stdout.splitlines())


class TestRecipes:
    def test_tells_how_and_names_nothing(self, denoise: Batch, tmp_path: Path, toy_file: Path) -> None:
        (path,) = make(tmp_path, "secret name.png")
        assert denoise(path, "-o", "out.png", "--metadata", "strip", "--steps", "2", "--seed", "5").returncode == 0
        told = recipe.read(tmp_path / "out.png")
        assert told is not None
        assert told["input"] == hashlib.sha256(path.read_bytes()).hexdigest()
        assert told["checkpoint"] == hashlib.sha256(toy_file.read_bytes()).hexdigest()
        assert (told["noise"], told["steps"], told["seed"], told["tile"], told["dtype"]) == (25, 2, 5, 1024, "fp32")
        data = (tmp_path / "out.png").read_bytes()
        assert b"secret" not in data
        assert b"description" not in data
        assert str(tmp_path).encode() not in data
        assert denoise(path, "-o", "none.png", "--no-provenance").returncode == 0
        assert recipe.read(tmp_path / "none.png") is None

    def test_estimates_are_told(self, diffuse: Run, tmp_path: Path, options: list[str]) -> None:
        make(tmp_path, "a.png", side=80)
        assert diffuse("denoise", "a.png", "-o", "b.png", *options[:-2]).returncode == 0
        told = recipe.read(tmp_path / "b.png")
        assert told is not None
        assert told["estimated"] == {"noise": "auto"}
        assert 20 < told["noise"] < 30
        assert b"skip" in diffuse("denoise", "a.png", "-o", "b.png", "--resume", "--dry-run", *options[:-2]).stdout

    def test_resume_skips_the_same_and_nothing_else(self, denoise: Batch, tmp_path: Path) -> None:
        make(tmp_path, "a.png", "b.png")
        assert denoise("a.png", "b.png", "-o", "out/").returncode == 0
        other = denoise("a.png", "b.png", "-o", "out/", "--resume", "--strength", "0.5")
        assert other.returncode == 2
        assert b"out/a.png: exists, and 1 more" in other.stderr
        make(tmp_path, "b.png", side=30)  # another picture of the same name
        result = denoise("a.png", "b.png", "-o", "out/", "--resume", "-f", "--json")
        assert [line["status"] for line in lines(result)[:-1]] == ["skipped", "done"]
        assert pixels(tmp_path / "out" / "b.png").shape == (30, 30, 3)

    @pytest.mark.parametrize("more", [[], ["--journal", "mine.jsonl"]])
    def test_the_journal_stands_in_where_a_file_cannot_tell(
        self, denoise: Batch, tmp_path: Path, more: list[str]
    ) -> None:
        make(tmp_path, "a.bmp", "b.bmp")
        assert denoise("a.bmp", "b.bmp", "-o", "out/", *more).returncode == 0
        data = bytearray((tmp_path / "out" / "b.bmp").read_bytes())
        data[-1] ^= 1
        (tmp_path / "out" / "b.bmp").write_bytes(data)  # no longer what was made
        result = denoise("a.bmp", "b.bmp", "-o", "out/", "--resume", "--on-exists", "rename", *more)
        assert result.returncode == 0
        assert b"the journal tells which are done" in result.stderr
        assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["a.bmp", "b.1.bmp", "b.bmp"]


class TestFailures:
    def test_are_listed_at_the_end_and_in_json(self, denoise: Batch, tmp_path: Path) -> None:
        make(tmp_path, "a.png", "c.png")
        (tmp_path / "bad.png").write_text("hello")
        (tmp_path / "list").write_text("a.png\nvanished.png\nbad.png\nnotes.txt\nc.png\n")
        result = denoise("--files-from", "list", "-o", "out/", "-q", "--json")
        assert result.returncode == 1
        told = result.stderr.decode().splitlines()
        assert told[0] == "diffuse: 3 of 5 pictures failed:"
        assert sorted(line.split(":")[1] for line in told[1:]) == [" bad.png", " notes.txt", " vanished.png"]
        *images, summary = lines(result)
        assert {line["input"] for line in images if line["status"] == "done"} == {"a.png", "c.png"}
        assert (summary["pictures"], summary["done"], summary["failed"], summary["exit_code"]) == (5, 2, 3, 1)
        assert digests(tmp_path / "out").keys() == {"a.png", "c.png"}

    def test_a_mask_for_each_picture(self, diffuse: Run, tmp_path: Path, options: list[str]) -> None:
        make(tmp_path, "a.png", "b.png", "c.png")
        for name in ("m/a.png", "m/b.jpg", "n/a_mask.png"):
            (tmp_path / name).parent.mkdir(exist_ok=True)
            Image.fromarray(np.uint8(255) * (np.arange(1600).reshape(40, 40) < 80)).save(tmp_path / name, quality=100)
        run = ["inpaint", "-q", *options[:-2], "--json"]
        result = diffuse(*run, "a.png", "b.png", "c.png", "--mask", "m/", "-o", "out/")
        assert result.returncode == 1
        assert b"m/c.png: no such mask" in result.stderr
        for name in ("a.png", "b.png"):
            assert np.array_equal(pixels(tmp_path / name)[2:], pixels(tmp_path / "out" / name)[2:])
            assert not np.array_equal(pixels(tmp_path / name)[:2], pixels(tmp_path / "out" / name)[:2])
        told = recipe.read(tmp_path / "out" / "b.png")
        assert told is not None
        assert told["mask"] == hashlib.sha256((tmp_path / "m" / "b.jpg").read_bytes()).hexdigest()
        assert diffuse(*run, "a.png", "--mask", "n/{stem}_mask.png", "-o", "t.png").returncode == 0
        assert np.array_equal(pixels(tmp_path / "t.png"), pixels(tmp_path / "out" / "a.png"))


class TestPipes:
    def shell(self, line: str, folder: Path) -> subprocess.CompletedProcess[bytes]:
        path = f"{PROGRAM.parent}{os.pathsep}{os.environ['PATH']}"
        return subprocess.run(
            ["bash", "-c", line], cwd=folder, env={**os.environ, "PATH": path}, capture_output=True, check=False
        )

    @pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.tif"])
    def test_give_the_bytes_of_files(self, denoise: Batch, options: list[str], tmp_path: Path, name: str) -> None:
        (path,) = make(tmp_path, name)
        assert denoise(name, "-o", f"file{path.suffix}").returncode == 0
        piped = self.shell(f"cat {name} | diffuse denoise - {' '.join(options)} > piped", tmp_path)
        assert piped.returncode == 0, piped.stderr
        assert (tmp_path / "piped").read_bytes() == (tmp_path / f"file{path.suffix}").read_bytes()

    def test_lists_of_any_names(self, denoise: Batch, options: list[str], tmp_path: Path) -> None:
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
        self, denoise: Batch, options: list[str], tmp_path: Path, number: signal.Signals, code: int
    ) -> None:
        make(tmp_path / "in", *(f"{k:02}.png" for k in range(30)), side=200)
        process = self.start(tmp_path, "in", "-o", "out/", "--json", *options, "--steps", "3")
        self.wait_for(process, tmp_path / "out", 1)
        process.send_signal(number)
        out, err = process.communicate(timeout=120)
        assert process.returncode == code, err
        *images, summary = lines(subprocess.CompletedProcess([], 0, out, err))
        assert summary["done"] == len(images) == len(digests(tmp_path / "out"))
        assert isinstance(summary["left"], int)
        assert summary["left"] > 0
        assert b"--resume goes on" in err
        assert all(recipe.read(path) is not None for path in (tmp_path / "out").iterdir())

    def test_the_second_one_abandons_it(self, options: list[str], tmp_path: Path) -> None:
        make(tmp_path / "in", "a.png")
        make(tmp_path / "in", "large.png", side=900)
        process = self.start(tmp_path, "in", "-o", "out/", "-q", *options, "--steps", "50")
        self.wait_for(process, tmp_path / "out", 1)
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        assert b"Ctrl-C again abandons them" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=120)
        assert process.returncode == 130, err
        assert b"1 done" in err
        assert b"1 left" in err
        assert [path.name for path in (tmp_path / "out").iterdir()] == ["a.png"]

    def test_killed_and_resumed(self, denoise: Batch, options: list[str], tmp_path: Path) -> None:
        make(tmp_path / "in", *(f"{k:02}.{'png' if k % 2 else 'jpg'}" for k in range(14)), side=200)
        before, out = digests(tmp_path / "in"), tmp_path / "out"
        assert denoise("in", "-o", "whole/", "-q", "--steps", "2").returncode == 0
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
        assert denoise("in", "-o", "out/", "-q", "--resume", "--steps", "2").returncode == 0
        assert {p.name: (p.stat().st_ino, p.stat().st_mtime_ns) for p in out.iterdir()}.items() >= made.items()
        assert digests(out) == digests(tmp_path / "whole")
        assert digests(tmp_path / "in") == before

    def test_two_at_once(self, denoise: Batch, options: list[str], tmp_path: Path) -> None:
        make(tmp_path / "in", *(f"{k:02}.png" for k in range(12)), side=200)
        arguments = ["in", "-o", "out/", "-q", "--json", *options, "--steps", "2"]
        both = [self.start(tmp_path, *arguments) for _ in range(2)]
        told = [lines(subprocess.CompletedProcess([], 0, process.communicate(timeout=300)[0])) for process in both]
        assert [process.returncode for process in both] == [0, 0]
        done = [line["output"] for part in told for line in part if line.get("status") == "done"]
        assert len(done) <= 13
        assert set(done) == {f"out/{k:02}.png" for k in range(12)}
        assert digests(tmp_path / "out").keys() == {f"{k:02}.png" for k in range(12)}

    @pytest.mark.skipif(os.geteuid() != 0 or shutil.which("mount") is None, reason="mounts a small disk")
    def test_a_disk_that_is_full(self, denoise: Batch, tmp_path: Path) -> None:
        make(tmp_path / "in", *(f"{k}.png" for k in range(6)), side=150)
        out = tmp_path / "out"
        out.mkdir()
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", out], check=False).returncode:
            pytest.skip("mounting is not permitted")
        try:
            full = denoise("in", "-o", "out/", "-q")
            assert full.returncode == 1
            assert b"the disk is full" in full.stderr
            assert 0 < len(digests(out)) < 6
            subprocess.run(["mount", "-o", "remount,size=4m", out], check=True)
            assert denoise("in", "-o", "out/", "-q", "--resume").returncode == 0
            assert digests(out).keys() == {f"{k}.png" for k in range(6)}
        finally:
            subprocess.run(["umount", out], check=True)
