"""Disks that fill up, folders that cannot be written, files that change: no torn output, no lost input."""

import multiprocessing
import os
import resource
import threading
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from diffuse_cli.errors import PictureError
from diffuse_cli.images import image_io
from diffuse_cli.images.image_io import Picture, read_picture, to_unit, write_picture

pytestmark = pytest.mark.skipif(os.name != "posix", reason="disks and signals of POSIX")


SUFFIXES = [".png", ".jpg", ".webp", ".tif", ".bmp", ".ppm", ".avif", ".npy"]


def noisy(side: int = 200, seed: int = 0) -> Picture:
    levels = np.random.default_rng(seed).integers(0, 256, (side, side, 3)).astype(np.uint8)
    return Picture(pixels=to_unit(levels, 8))


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_full_disk_leaves_what_was_there(suffix: str, small_disk: Path) -> None:
    path = small_disk / f"a{suffix}"
    write_picture(noisy(20), path)
    before = path.read_bytes()
    with pytest.raises(PictureError, match=rf"a{suffix}: cannot be written: the disk is full"):
        write_picture(noisy(), path)
    assert path.read_bytes() == before
    assert os.listdir(small_disk) == [path.name]


def write_under_a_quota(paths: list[Path]) -> list[str]:
    """What is said of files that may have 4 KiB."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
    said = []
    for path in paths:
        try:
            write_picture(noisy(), path)
        except PictureError as error:
            said.append(str(error))
    return said


def test_a_quota_hit_in_mid_write(tmp_path: Path) -> None:
    """A limit on the size of files stands in for a quota: the write after the last that fits fails."""
    paths = [tmp_path / f"a{suffix}" for suffix in SUFFIXES]
    for path in paths:
        path.write_bytes(b"before")
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        found = pool.submit(write_under_a_quota, paths).result(timeout=120)
    said = [f"{path}: cannot be written: larger than the limit for files here" for path in paths]
    assert [line.split(";")[0] for line in found] == said
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == dict.fromkeys(paths, b"before")


def test_a_file_that_changes_while_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.png"
    write_picture(noisy(20), path)
    decode = image_io._next

    def growing(*arguments: object) -> object:
        with path.open("ab") as file:
            file.write(b"more")
        return decode(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(image_io, "_next", growing)
    with pytest.raises(PictureError, match=r"a\.png: the file changed while it was read"):
        read_picture(path)


def test_a_file_that_vanishes_while_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.png"
    write_picture(noisy(20), path)
    decode = image_io._next

    def vanishing(*arguments: object) -> object:
        path.unlink(missing_ok=True)
        return decode(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(image_io, "_next", vanishing)
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
