"""Batches: nothing lost, nothing twice, each result with its own recipe, failures listed at the end."""

import hashlib
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from diffuse_cli.images.image_io import write_picture
from diffuse_cli.provenance import recipe
from diffuse_cli.system.files import TEMPORARY_SUFFIX
from tests.conftest import mounted, pixels
from tests.helpers.pictures import digests, make
from tests.helpers.program import Program, json_lines
from tests.images.test_faults import noisy


@pytest.fixture
def options(toy_file: Path) -> list[str]:
    return ["--model", str(toy_file), "--dtype", "fp32", "--threads", "1", "--noise", "25"]


@pytest.fixture
def denoise(run: Program, options: list[str]) -> Program:
    return lambda *arguments, **how: run("denoise", *arguments, *options, **how)


class TestFolders:
    def test_steps_are_chained_and_done_once(self, denoise: Program, run: Program, tmp_path: Path) -> None:
        make(tmp_path / "scans", "a.png", "deep/b.jpg", "deep/c.tif")
        (tmp_path / "scans" / "notes.txt").write_text("no picture")
        before = digests(tmp_path / "scans")
        first = denoise("-r", "scans")
        assert first.exit_code == 0
        assert "skipped 1 file that is not a picture" in first.stderr
        assert digests(tmp_path / "scans").items() >= before.items()
        again = denoise("-r", "scans", "--resume", "-v", "--json")
        assert again.exit_code == 0
        assert "3 results of this command" in again.stderr
        assert [line["status"] for line in json_lines(again.stdout)[:-1]] == ["skipped"] * 3
        enlarge = run("super-resolve", "scans", "--scale", "2", "-o", "large/{stem}{ext}", "--dry-run")
        assert "scans/a.denoise.png -> large/a.denoise.png" in enlarge.stdout
        assert not (tmp_path / "large").exists()

    def test_outputs_among_the_inputs_are_no_inputs(self, denoise: Program, tmp_path: Path) -> None:
        make(tmp_path, "a.png", "sub/b.bmp")
        assert denoise("-r", ".", "-o", "out/").exit_code == 0
        plan = denoise("-r", ".", "-o", "out/", "--resume", "--dry-run").stdout
        assert plan.count("skip: out/") == 2
        assert len(plan.splitlines()) == 2

    def test_what_lies_in_the_output_folder_stays(self, denoise: Program, tmp_path: Path) -> None:
        """DDRM and DDNM empty it; rembg deletes an input whose output was skipped."""
        make(tmp_path, "a.png", "b.png", "out/a.png", "out/other.png")
        before = digests(tmp_path)
        assert denoise("a.png", "b.png", "-o", "out/", "--on-exists", "skip").exit_code == 0
        after = digests(tmp_path)
        assert after.items() >= before.items()
        assert after.keys() - before.keys() == {"out/b.png"}

    def test_each_result_has_its_own_inputs_metadata(self, denoise: Program, tmp_path: Path) -> None:
        """Upscayl's batch copies them from the folder's path."""
        make(tmp_path, "a.png", "b.jpg", "c.tif")
        assert denoise("a.png", "b.jpg", "c.tif", "-o", "out/", "-q").exit_code == 0
        for k, name in enumerate(["a.png", "b.jpg", "c.tif"]):
            with Image.open(tmp_path / "out" / name) as image:
                assert image.getexif()[270] == f"description of {k}"

    def test_shards_do_the_whole_together(self, denoise: Program, tmp_path: Path) -> None:
        make(tmp_path / "in", *(f"{k}.png" for k in range(12)), side=8)
        parts = [denoise("in", "--shard", f"{i}/3", "--dry-run").stdout.splitlines() for i in (1, 2, 3)]
        assert sorted(line for part in parts for line in part) == sorted(denoise("in", "--dry-run").stdout.splitlines())


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.tif"])
def test_pipes_give_the_bytes_of_files(denoise: Program, tmp_path: Path, name: str) -> None:
    (path,) = make(tmp_path, name)
    assert denoise(name, "-o", f"file{path.suffix}").exit_code == 0
    piped = denoise("-", stdin=path.read_bytes())
    assert piped.exit_code == 0, piped.stderr
    assert piped.stdout_bytes == (tmp_path / f"file{path.suffix}").read_bytes()


class TestRecipes:
    def test_tells_how_and_names_nothing(self, denoise: Program, tmp_path: Path, toy_file: Path) -> None:
        (path,) = make(tmp_path, "secret name.png")
        assert denoise(path, "-o", "out.png", "--metadata", "strip", "--steps", "2", "--seed", "5").exit_code == 0
        told = recipe.read(tmp_path / "out.png")
        assert told is not None
        assert told["input"] == hashlib.sha256(path.read_bytes()).hexdigest()
        assert told["checkpoint"] == hashlib.sha256(toy_file.read_bytes()).hexdigest()
        assert (told["noise"], told["steps"], told["seed"], told["tile"], told["dtype"]) == (25, 2, 5, 1024, "fp32")
        data = (tmp_path / "out.png").read_bytes()
        assert b"secret" not in data
        assert b"description" not in data
        assert str(tmp_path).encode() not in data
        assert denoise(path, "-o", "none.png", "--no-provenance").exit_code == 0
        assert recipe.read(tmp_path / "none.png") is None

    def test_estimates_are_told(self, run: Program, tmp_path: Path, options: list[str]) -> None:
        make(tmp_path, "a.png", side=80)
        assert run("denoise", "a.png", "-o", "b.png", *options[:-2]).exit_code == 0
        told = recipe.read(tmp_path / "b.png")
        assert told is not None
        assert told["estimated"] == {"noise": "auto"}
        assert 20 < told["noise"] < 30
        assert "skip" in run("denoise", "a.png", "-o", "b.png", "--resume", "--dry-run", *options[:-2]).stdout

    def test_resume_skips_the_same_and_nothing_else(self, denoise: Program, tmp_path: Path) -> None:
        make(tmp_path, "a.png", "b.png")
        assert denoise("a.png", "b.png", "-o", "out/").exit_code == 0
        other = denoise("a.png", "b.png", "-o", "out/", "--resume", "--strength", "0.5")
        assert other.exit_code == 2
        assert "out/a.png: exists, and 1 more" in other.stderr
        make(tmp_path, "b.png", side=30)  # another picture of the same name
        result = denoise("a.png", "b.png", "-o", "out/", "--resume", "-f", "--json")
        assert [line["status"] for line in json_lines(result.stdout)[:-1]] == ["skipped", "done"]
        assert pixels(tmp_path / "out" / "b.png").shape == (30, 30, 3)

    @pytest.mark.parametrize("more", [[], ["--journal", "mine.jsonl"]])
    def test_the_journal_stands_in_where_a_file_cannot_tell(
        self, denoise: Program, tmp_path: Path, more: list[str]
    ) -> None:
        make(tmp_path, "a.bmp", "b.bmp")
        assert denoise("a.bmp", "b.bmp", "-o", "out/", *more).exit_code == 0
        data = bytearray((tmp_path / "out" / "b.bmp").read_bytes())
        data[-1] ^= 1
        (tmp_path / "out" / "b.bmp").write_bytes(data)  # no longer what was made
        result = denoise("a.bmp", "b.bmp", "-o", "out/", "--resume", "--on-exists", "rename", *more)
        assert result.exit_code == 0
        assert "the journal tells which of them are done" in result.stderr
        assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["a.bmp", "b.1.bmp", "b.bmp"]


class TestFailures:
    def test_are_listed_at_the_end_and_in_json(self, denoise: Program, tmp_path: Path) -> None:
        make(tmp_path, "a.png", "c.png")
        (tmp_path / "bad.png").write_text("hello")
        (tmp_path / "list").write_text("a.png\nvanished.png\nbad.png\nnotes.txt\nc.png\n")
        result = denoise("--files-from", "list", "-o", "out/", "-q", "--json")
        assert result.exit_code == 1
        told = result.stderr.splitlines()
        assert told[0] == "diffuse: 3 of 5 pictures failed:"
        assert sorted(line.split(":")[1] for line in told[1:]) == [" bad.png", " notes.txt", " vanished.png"]
        *images, summary = json_lines(result.stdout)
        assert {line["input"] for line in images if line["status"] == "done"} == {"a.png", "c.png"}
        assert (summary["pictures"], summary["done"], summary["failed"], summary["exit_code"]) == (5, 2, 3, 1)
        assert digests(tmp_path / "out").keys() == {"a.png", "c.png"}

    def test_a_mask_for_each_picture(self, run: Program, tmp_path: Path, options: list[str]) -> None:
        make(tmp_path, "a.png", "b.png", "c.png")
        for name in ("m/a.png", "m/b.jpg", "n/a_mask.png"):
            (tmp_path / name).parent.mkdir(exist_ok=True)
            Image.fromarray(np.uint8(255) * (np.arange(1600).reshape(40, 40) < 80)).save(tmp_path / name, quality=100)
        line = ["inpaint", "-q", *options[:-2], "--json"]
        result = run(*line, "a.png", "b.png", "c.png", "--mask", "m/", "-o", "out/")
        assert result.exit_code == 1
        assert "m/c.png: no such mask" in result.stderr
        for name in ("a.png", "b.png"):
            assert np.array_equal(pixels(tmp_path / name)[2:], pixels(tmp_path / "out" / name)[2:])
            assert not np.array_equal(pixels(tmp_path / name)[:2], pixels(tmp_path / "out" / name)[:2])
        told = recipe.read(tmp_path / "out" / "b.png")
        assert told is not None
        assert told["mask"] == hashlib.sha256((tmp_path / "m" / "b.jpg").read_bytes()).hexdigest()
        assert run(*line, "a.png", "--mask", "n/{stem}_mask.png", "-o", "t.png").exit_code == 0
        assert np.array_equal(pixels(tmp_path / "t.png"), pixels(tmp_path / "out" / "a.png"))


def test_the_next_run_clears_away_what_a_dead_one_left(tmp_path: Path, run: Program) -> None:
    write_picture(noisy(20), tmp_path / "in.png")
    (tmp_path / f".99999999-00{TEMPORARY_SUFFIX}").write_bytes(b"half a picture")
    assert run("inpaint", "in.png", "--box", "2,2,2,2").exit_code == 0
    assert sorted(os.listdir(tmp_path)) == ["in.inpaint.png", "in.png"]


def test_a_disk_that_fills_up_in_a_batch(small_disk: Path, tmp_path: Path, run: Program) -> None:
    for number, side in enumerate((16, 120, 16)):
        write_picture(noisy(side), tmp_path / f"{number}.png")
    before = {p.name: p.read_bytes() for p in tmp_path.glob("*.png")}
    result = run("inpaint", "0.png", "1.png", "2.png", "--box", "2,2,2,2", "-q", "-o", f"{small_disk}/")
    assert result.exit_code == 1
    assert result.stderr.splitlines()[0] == "diffuse: 1 of 3 pictures failed:"
    assert "1.png: cannot be written: the disk is full" in result.stderr
    assert sorted(os.listdir(small_disk)) == ["0.png", "2.png"]
    assert {p.name: p.read_bytes() for p in tmp_path.glob("*.png")} == before


def test_max_pixels(tmp_path: Path, run: Program) -> None:
    write_picture(noisy(16), tmp_path / "in.png")
    result = run("inpaint", "in.png", "--box", "2,2,2,2", "--max-pixels", "255")
    assert result.exit_code == 1
    assert "16x16 is more than 0.000255 million pixels, the limit; raise it with --max-pixels" in result.stderr
    assert run("inpaint", "in.png", "--box", "2,2,2,2", "--max-pixels", "256").exit_code == 0


def test_a_disk_that_is_full(denoise: Program, tmp_path: Path) -> None:
    make(tmp_path / "in", *(f"{k}.png" for k in range(6)), side=150)
    with mounted(tmp_path / "out", "size=256k") as out:
        full = denoise("in", "-o", "out/", "-q")
        assert full.exit_code == 1
        assert "the disk is full" in full.stderr
        assert 0 < len(digests(out)) < 6
        subprocess.run(["mount", "-o", "remount,size=4m", out], check=True)
        assert denoise("in", "-o", "out/", "-q", "--resume").exit_code == 0
        assert digests(out).keys() == {f"{k}.png" for k in range(6)}
