"""Folders of all kinds of files, and the names of results, as the installed program meets them."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.conftest import PROGRAM, pixels
from tests.helpers.pictures import make
from tests.helpers.profiles import cmyk_profile
from tests.helpers.program import json_lines

pytestmark = pytest.mark.program

Denoise = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def denoise(toy_file: Path, tmp_path: Path) -> Denoise:
    fixed = ["--model", str(toy_file), "--noise", "9", "--dtype", "fp32", "--threads", "1"]
    env = {**os.environ, "OMP_NUM_THREADS": "1"}

    def call(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [str(PROGRAM), "denoise", *arguments, *fixed]
        return subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False, timeout=600)

    return call


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_no_unusual_file_stops_a_folder(denoise: Denoise, tmp_path: Path) -> None:
    source = tmp_path / "in"
    make(source, "a.png", "b.jpg", "moves.png")
    still = Image.open(source / "a.png").convert("P")
    still.save(source / "c.gif")
    still.convert("1").save(source / "d.pbm")
    for name in ("e.jfif", "f.jpe", "g.mpo"):
        (source / name).write_bytes((source / "b.jpg").read_bytes())
    still.convert("RGB").save(source / "h.tga")
    (source / "notes.txt").write_text("none")
    (source / "broken.png").write_bytes((source / "a.png").read_bytes()[:200])
    (source / "dead.png").symlink_to("nowhere")
    os.mkfifo(source / "pipe.png")
    deep = source / ("n" * 246 + ".png")  # with .denoise, longer than a name may be
    deep.write_bytes((source / "a.png").read_bytes())
    result = denoise("in", "-o", "out")
    said = result.stderr.splitlines()
    assert result.returncode == 1
    assert names(tmp_path / "out") == [
        "a.png", "b.jpg", "c.png", "d.png", "e.jpg", "f.jpg", "g.jpg", "moves.png", deep.name,
    ]  # fmt: skip
    assert "c.gif: GIF is read but not written, so the result is a PNG" in said
    assert "d.pbm: PBM is read but not written, so the result is a PNG" in said
    assert said[0] == (
        "skipped 2 pipes, devices or dead links (dead.png, pipe.png); "
        "2 files that are not pictures (h.tga, notes.txt)"
    )  # fmt: skip
    assert said[-1].startswith("diffuse: in/broken.png: ")
    env = {**os.environ, "PATH": f"{PROGRAM.parent}{os.pathsep}{os.environ['PATH']}"}
    through = subprocess.run(
        ["bash", "-c", "cat in/c.gif | diffuse denoise - --noise 9 > c"], cwd=tmp_path, env=env, capture_output=True,
        check=False, text=True,
    )  # fmt: skip
    assert through.stderr.splitlines()[0] == "stdin: GIF is read but not written, so the result is a PNG"
    assert (tmp_path / "c").read_bytes().startswith(b"\x89PNG")
    beside = denoise("in", "-q", "--on-exists", "skip")
    assert beside.returncode == 1
    assert "the name is too long" in beside.stderr
    assert (source / "a.denoise.png").exists()
    assert len(beside.stderr.splitlines()) == 3, "two failures, and a line above them"


def test_all_problems_of_a_plan_are_told_at_once(denoise: Denoise, tmp_path: Path) -> None:
    make(tmp_path, "a.png", "b.png", "c.png")
    (tmp_path / "d.xyz").write_bytes(b"")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a.png").write_bytes(b"")
    (tmp_path / "out" / "b.png").symlink_to("../c.png")
    (tmp_path / "out" / "c.png").mkdir()
    result = denoise("nosuch.png", "nor this.png", "a.png", "b.png", "c.png", "d.xyz", "-o", "out/")
    assert result.returncode == 2
    said = [line.removeprefix("diffuse: ") for line in result.stderr.splitlines()]
    assert [line.split(";")[0].split(" no picture")[0] for line in said] == [
        "nosuch.png: no such file", "nor this.png: no such file", "out/d.xyz: the suffix '.xyz' is",
        "out/b.png: is an input, which is never overwritten", "out/c.png: is a folder", "out/a.png: exists",
    ]  # fmt: skip
    assert names(tmp_path / "out") == ["a.png", "b.png"]


def test_cmyk_is_converted_through_its_profile(denoise: Denoise, tmp_path: Path) -> None:
    inks = np.zeros((40, 40, 4), np.uint8)
    inks[:, :20, 0] = 255  # cyan, and bare paper
    image = Image.fromarray(inks, "CMYK")
    (tmp_path / "in").mkdir()
    image.save(tmp_path / "in" / "a.tif", icc_profile=cmyk_profile())
    image.save(tmp_path / "in" / "b.jpg", icc_profile=cmyk_profile(), quality=100, subsampling=0)
    image.save(tmp_path / "in" / "c.tif")
    result = denoise("in", "-o", "out/", "--noise", "0", "--format", "png")
    assert result.returncode == 0, result.stderr
    assert "in/a.tif: converted from CMYK to sRGB through its profile (Test inks)" in result.stderr
    assert "in/b.jpg: converted from CMYK to sRGB through its profile (Test inks)" in result.stderr
    assert "in/c.tif: converted from CMYK to sRGB without a profile of its own" in result.stderr
    printed, naive = [0, 151, 218], [0, 255, 255]
    for name, colour in (("a.png", printed), ("b.png", printed), ("c.png", naive)):
        found = pixels(tmp_path / "out" / name)
        assert np.abs(found[5, 5].astype(int) - colour).max() <= 4, (name, found[5, 5])
        assert found[5, 35].min() >= 250
        with Image.open(tmp_path / "out" / name) as written:
            assert "icc_profile" not in written.info
            assert written.info["srgb"] == 1


class TestNames:
    def test_a_folder_for_several_needs_no_slash(self, denoise: Denoise, tmp_path: Path) -> None:
        make(tmp_path, "in/a.png", "in/b.png")
        assert denoise("in/a.png", "in/b.png", "-o", "new/out", "--compare", "pairs", "-q").returncode == 0
        assert names(tmp_path / "new") == ["out/a.png", "out/b.png"]
        assert names(tmp_path / "pairs") == ["a.png", "b.png"]
        one = denoise("in/a.png", "-o", "single")
        assert one.returncode == 2
        assert "a name without a suffix is no picture format" in one.stderr
        (tmp_path / "file").write_bytes(b"mine")
        both = denoise("in/a.png", "in/b.png", "-o", "file", "-f")
        assert both.returncode == 2
        assert "one output file for 2 inputs" in both.stderr
        assert (tmp_path / "file").read_bytes() == b"mine"

    def test_equal_stems_are_kept_apart(self, denoise: Denoise, tmp_path: Path) -> None:
        make(tmp_path / "in", "a.png", "a.jpg", "a.webp", "b.png")
        result = denoise("in", "-o", "out/", "--format", "webp", "-q")
        assert result.returncode == 0, result.stderr
        assert names(tmp_path / "out") == ["a.jpg.webp", "a.png.webp", "a.webp", "b.webp"]
        template = denoise("in", "-o", "t/{stem}{ext}", "--format", "webp", "-q")
        assert template.returncode == 2
        assert "give a folder, like -o out/, where they are kept apart" in template.stderr

    @pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
    def test_marks_of_a_list_belong_to_no_name(self, denoise: Denoise, tmp_path: Path, encoding: str) -> None:
        make(tmp_path, "ä.png", "b.png")
        (tmp_path / "list.txt").write_text("ä.png\r\nb.png\r\n", encoding=encoding)
        result = denoise("--files-from", "list.txt", "-o", "{stem}.x.{ext}", "-q")
        assert result.returncode == 0, result.stderr
        assert {"ä.x.png", "b.x.png"} < set(names(tmp_path))


def test_libraries_say_nothing_of_their_own(denoise: Denoise, tmp_path: Path) -> None:
    """libtiff writes to the descriptor, tifffile to Python's log, Pillow warns."""
    black = Image.new("RGB", (64, 64))
    for name, compression in (("a.tif", "tiff_lzw"), ("b.tif", "tiff_adobe_deflate"), ("c.tif", "jpeg")):
        black.save(tmp_path / name, compression=compression)
        data = bytearray((tmp_path / name).read_bytes())
        data[8:40] = b"\xff" * 32
        (tmp_path / name).write_bytes(data)
    result = denoise("a.tif", "b.tif", "c.tif", "-o", "out/", "-q")
    assert result.returncode == 1
    lines = result.stderr.splitlines()
    assert lines[0] == "diffuse: 3 of 3 pictures failed:"
    assert [line.split(": ")[1] for line in lines[1:]] == ["a.tif", "b.tif", "c.tif"]


def test_estimate_goes_on_after_every_picture_that_fails(tmp_path: Path) -> None:
    make(tmp_path / "in", "a.png", "m.jpg", "z.png")
    whole = (tmp_path / "in" / "a.png").read_bytes()
    (tmp_path / "in" / "b.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "in" / "c.png").write_bytes(b"")
    (tmp_path / "in" / "d.tif").write_bytes(b"II*\0\xff\xff\xff\xff")
    Image.new("1", (1, 1)).save(tmp_path / "in" / "e.png")
    Image.new("RGBA", (9, 9)).save(tmp_path / "in" / "f.png")
    result = subprocess.run(
        [str(PROGRAM), "estimate", "in", "--json"], cwd=tmp_path, capture_output=True, check=False, timeout=600
    )
    *lines, summary = json_lines(result.stdout)
    told = {line["input"]: line["status"] for line in lines}
    assert {name for name, status in told.items() if status == "failed"} == {"in/b.png", "in/c.png", "in/d.tif"}
    assert {name for name, status in told.items() if status == "done"} == {
        "in/a.png", "in/e.png", "in/f.png", "in/m.jpg", "in/z.png",
    }  # fmt: skip
    assert (summary["failed"], result.returncode) == (3, 1)
    assert [line.split(b": ")[1] for line in result.stderr.splitlines()[1:]] == [
        b"in/b.png", b"in/c.png", b"in/d.tif",
    ]  # fmt: skip
