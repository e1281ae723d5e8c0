"""Disks that fill up, folders that cannot be written, killed runs, links, odd names: no torn output, no lost input."""

import fcntl
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from diffuse_cli.errors import PictureError
from diffuse_cli.images import image_io
from diffuse_cli.images.image_io import Picture, read_picture, to_unit, write_picture
from diffuse_cli.system.files import TEMPORARY_SUFFIX, remove_stale, replaced_whole
from tests.conftest import PROGRAM, ROOT, Run

pytestmark = pytest.mark.skipif(os.name != "posix", reason="disks and signals of POSIX")
SUFFIXES = [".png", ".jpg", ".webp", ".tif", ".bmp", ".ppm", ".avif", ".npy"]


def noisy(side: int = 200, seed: int = 0) -> Picture:
    levels = np.random.default_rng(seed).integers(0, 256, (side, side, 3)).astype(np.uint8)
    return Picture(pixels=to_unit(levels, 8))


def mounted(folder: Path, options: str) -> Iterator[Path]:
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting needs root")
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 32 KiB."""
    yield from mounted(tmp_path / "small", "size=32k")


@pytest.fixture
def read_only_disk(tmp_path: Path) -> Iterator[Path]:
    yield from mounted(tmp_path / "ro", "ro")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_full_disk_leaves_what_was_there(suffix: str, small_disk: Path) -> None:
    path = small_disk / f"a{suffix}"
    write_picture(noisy(20), path)
    before = path.read_bytes()
    with pytest.raises(PictureError, match=rf"a{suffix}: cannot be written: the disk is full"):
        write_picture(noisy(), path)
    assert path.read_bytes() == before
    assert os.listdir(small_disk) == [path.name]


def test_a_disk_that_fills_up_in_a_batch(small_disk: Path, tmp_path: Path, diffuse: Run) -> None:
    for number, side in enumerate((16, 120, 16)):
        write_picture(noisy(side), tmp_path / f"{number}.png")
    before = {p.name: p.read_bytes() for p in tmp_path.glob("*.png")}
    result = diffuse("inpaint", "0.png", "1.png", "2.png", "--box", "2,2,2,2", "-q", "-o", f"{small_disk}/")
    assert result.returncode == 1
    assert result.stderr.decode().splitlines()[0] == "diffuse: 1 of 3 pictures failed:"
    assert b"1.png: cannot be written: the disk is full" in result.stderr
    assert sorted(os.listdir(small_disk)) == ["0.png", "2.png"]
    assert {p.name: p.read_bytes() for p in tmp_path.glob("*.png")} == before


def test_a_read_only_folder(read_only_disk: Path, tmp_path: Path, diffuse: Run) -> None:
    with pytest.raises(PictureError, match="the disk is read-only; choose another place"):
        write_picture(noisy(), read_only_disk / "a.png")
    write_picture(noisy(20), tmp_path / "in.png")
    result = diffuse("inpaint", "in.png", "--box", "2,2,2,2", "-o", f"{read_only_disk}/")
    assert result.returncode == 2
    assert b"cannot be written to" in result.stderr


QUOTA = """
import resource, sys
from pathlib import Path
import numpy as np
from diffuse_cli.errors import PictureError
from diffuse_cli.image_file.image_io import Picture, to_unit, write_picture
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
picture = Picture(pixels=to_unit(np.random.default_rng(0).integers(0, 256, (200, 200, 3)).astype(np.uint8), 8))
for path in sys.argv[1:]:
    try:
        write_picture(picture, Path(path))
    except PictureError as error:
        print(error)
"""


def test_a_quota_hit_in_mid_write(tmp_path: Path) -> None:
    """A limit on the size of files stands in for a quota: the write after the last that fits fails."""
    paths = [tmp_path / f"a{suffix}" for suffix in SUFFIXES]
    for path in paths:
        path.write_bytes(b"before")
    result = subprocess.run([sys.executable, "-c", QUOTA, *paths], cwd=ROOT, capture_output=True, text=True, check=True)
    said = [f"{path}: cannot be written: larger than the limit for files here" for path in paths]
    assert [line.split(";")[0] for line in result.stdout.splitlines()] == said
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == dict.fromkeys(paths, b"before")


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
    with foreign.open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with replaced_whole(tmp_path / "a.png") as stream:
            stream.write(b"whole")
            assert remove_stale([tmp_path]) == [stale]
    assert (tmp_path / "a.png").read_bytes() == b"whole"
    assert foreign.exists()


def test_the_next_run_clears_away_what_a_dead_one_left(tmp_path: Path, diffuse: Run) -> None:
    write_picture(noisy(20), tmp_path / "in.png")
    (tmp_path / f".99999999-00{TEMPORARY_SUFFIX}").write_bytes(b"half a picture")
    assert diffuse("inpaint", "in.png", "--box", "2,2,2,2").returncode == 0
    assert sorted(os.listdir(tmp_path)) == ["in.inpaint.png", "in.png"]


def test_a_file_that_changes_while_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.png"
    write_picture(noisy(20), path)
    decode = image_io._page

    def growing(*arguments: object) -> object:
        with path.open("ab") as file:
            file.write(b"more")
        return decode(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(image_io, "_page", growing)
    with pytest.raises(PictureError, match=r"a\.png: the file changed while it was read"):
        read_picture(path)


def test_a_file_that_vanishes_while_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.png"
    write_picture(noisy(20), path)
    decode = image_io._page

    def vanishing(*arguments: object) -> object:
        path.unlink(missing_ok=True)
        return decode(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(image_io, "_page", vanishing)
    assert read_picture(path).pixels.shape == (20, 20, 3)  # an open file stays
    with pytest.raises(PictureError, match=r"a\.png: there is no such file"):
        read_picture(path)


def test_a_pipe_of_several_pages(tmp_path: Path) -> None:
    pages = [noisy(20, seed) for seed in range(3)]
    image_io.write_pages(pages, tmp_path / "a.tif")
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=lambda: (tmp_path / "pipe").write_bytes((tmp_path / "a.tif").read_bytes()))
    writer.start()
    read = list(image_io.read_pages(tmp_path / "pipe"))
    writer.join()
    assert [p.source.pages for p in read] == [3, 3, 3]
    for before, after in zip(pages, read, strict=True):
        np.testing.assert_array_equal(before.pixels, after.pixels)


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


def test_names_that_are_too_long_are_known_before_the_work(tmp_path: Path, diffuse: Run) -> None:
    name = "x" * 250 + ".png"
    write_picture(noisy(16), tmp_path / name)
    for arguments in ([name], ["y" * 300 + ".png"]):
        result = diffuse("inpaint", *arguments, "--box", "2,2,2,2")
        assert result.returncode == 2
        assert b"the name is too long" in result.stderr


@pytest.mark.parametrize("name", ["in.png", "IN.PNG", "In.png", "soft.png", "hard.png", "folder/in.png"])
def test_an_input_is_never_the_output(name: str, tmp_path: Path, diffuse: Run) -> None:
    write_picture(noisy(16), tmp_path / "in.png")
    before = (tmp_path / "in.png").read_bytes()
    (tmp_path / "soft.png").symlink_to("in.png")
    (tmp_path / "hard.png").hardlink_to(tmp_path / "in.png")
    (tmp_path / "folder").symlink_to(".")
    result = diffuse("inpaint", "in.png", "--box", "2,2,2,2", "-f", "-o", name)
    assert result.returncode == 2
    assert b"an input is never overwritten" in result.stderr
    assert (tmp_path / "in.png").read_bytes() == before


def test_max_pixels(tmp_path: Path, diffuse: Run) -> None:
    write_picture(noisy(16), tmp_path / "in.png")
    result = diffuse("inpaint", "in.png", "--box", "2,2,2,2", "--max-pixels", "255")
    assert result.returncode == 1
    assert b"16x16 is more than 0.000255 million pixels, the limit; raise it with --max-pixels" in result.stderr
    assert diffuse("inpaint", "in.png", "--box", "2,2,2,2", "--max-pixels", "256").returncode == 0


def test_the_colour_under_transparent_pixels_makes_no_fringe(tmp_path: Path, diffuse: Run) -> None:
    """A white disc on transparent black: enlarged, every pixel that is seen is white."""
    y, x = np.mgrid[0:40, 0:40] - 19.5
    disc = np.hypot(x, y) < 15
    rgba = np.dstack([disc * np.uint8(255)] * 4).astype(np.uint8)
    Image.fromarray(rgba).save(tmp_path / "in.png")
    assert diffuse("super-resolve", "in.png", "--scale", "2", "-o", "large.png").returncode == 0
    with Image.open(tmp_path / "large.png") as image:
        large = np.array(image)
    seen = large[..., 3] > 0
    assert 0.3 < seen.mean() < 0.6
    assert large[seen][:, :3].min() > 245
    assert diffuse("denoise", "in.png", "--noise", "20", "-o", "calm.png").returncode == 0
    with Image.open(tmp_path / "calm.png") as image:
        calm = np.array(image)
    assert np.array_equal(calm[~disc], rgba[~disc])
    assert calm[disc][:, :3].min() > 245
