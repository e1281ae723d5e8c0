"""Files there and back: whole or not at all, refused in one line."""

import base64
import os
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from diffuse_cli.errors import PictureError
from diffuse_cli.images import image_io
from diffuse_cli.images.image_io import (
    Picture,
    is_lossless,
    read_picture,
    to_unit,
    write_picture,
)
from diffuse_cli.system.files import TEMPORARY_SUFFIX
from tests.helpers.image_files import (
    HAS_FORMATS,
    assert_same,
    described,
    noise,
    picture,
    smooth,
)

AVIF_OF_10_BITS = (  # 4x4, by imagecodecs.avif_encode(..., bitspersample=10)
    b"AAAAIGZ0eXBhdmlmAAAAAGF2aWZtaWYxbWlhZk1BMUEAAADrbWV0YQAAAAAAAAAhaGRscgAAAAAAAAAAcGljdAAAAAAAAAAAAAAAAAAAAAAOcGl0"
    b"bQAAAAAAAQAAAB5pbG9jAAAAAEQAAAEAAQAAAAEAAAETAAAAKAAAAChpaW5mAAAAAAABAAAAGmluZmUCAAAAAAEAAGF2MDFDb2xvcgAAAABqaXBy"
    b"cAAAAEtpcGNvAAAAFGlzcGUAAAAAAAAABAAAAAQAAAAQcGl4aQAAAAADCgoKAAAADGF2MUOBIEAAAAAAE2NvbHJuY2x4AAIAAgAGgAAAABdpcG1h"
    b"AAAAAAAAAAEAAQQBAoMEAAAAMG1kYXQSAAoIOAR9rAgIGkAyGhrCYuTnnnnhQCAA/1rLMFpbYsUqyoZbDv4d"
)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_numbers_that_are_not_finite_are_not_written(bad: float, tmp_path: Path) -> None:
    broken = replace(picture(), pixels=np.full((2, 2, 3), bad, np.float32))
    with pytest.raises(PictureError, match=r"a.png: .*not finite"):
        write_picture(broken, tmp_path / "a.png")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("suffix", [".png", ".PNG", ".tif", ".tiff", ".bmp", ".ppm", ".pgm", ".webp"])
def test_lossless_formats_return_the_same_or_refuse(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"a{suffix}"
    png_or_tiff = suffix.lower() in (".png", ".tif", ".tiff")
    for depth, channels, alpha in product((8, 16), (1, 3), (False, True)):
        before = picture(channels, depth, alpha)
        fits = (
            (depth == 8 or png_or_tiff or suffix in (".ppm", ".pgm"))
            and (not alpha or png_or_tiff or suffix == ".webp")
            and (channels == 1 or suffix != ".pgm")
        )
        assert is_lossless(path, before)
        if not fits:
            with pytest.raises(PictureError, match=r"a\.\w+: .*cannot hold.*; use -o out\."):
                write_picture(before, path)
            assert not list(tmp_path.iterdir())
            continue
        write_picture(before, path)
        after = read_picture(path)
        if suffix == ".webp" and channels == 1:  # a WebP has no gray
            assert after.is_gray
            after = replace(after, pixels=after.pixels[..., :1])
        assert_same(before, after)
        path.unlink()


@pytest.mark.parametrize("suffix", [".jpg", ".jpeg", ".avif"])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_lossy_formats_return_nearly_the_same(suffix: str, mode: str, tmp_path: Path) -> None:
    smooth(mode).save(tmp_path / "a.png")
    before, path = read_picture(tmp_path / "a.png"), tmp_path / f"a{suffix}"
    assert not is_lossless(path, before)
    write_picture(before, path)
    after = read_picture(path)
    assert after.is_gray == before.is_gray  # as for shape: until Pillow 13, an AVIF had no gray
    assert np.abs(after.pixels - before.pixels).max() < 0.06
    assert after.source.lossy


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    size=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    channels=st.sampled_from([1, 3]),
    depth=st.sampled_from([8, 16]),
    alpha=st.booleans(),
    suffix=st.sampled_from([".png", ".tif"]),
    seed=st.integers(0, 2**16),
)
def test_any_picture_survives_png_and_tiff(
    size: tuple[int, int], channels: int, depth: int, alpha: bool, suffix: str, seed: int, tmp_path: Path
) -> None:
    levels = noise(*size, channels + alpha, depth, seed)
    before = Picture(
        pixels=to_unit(levels[..., :channels], depth), alpha=levels[..., -1] if alpha else None, depth=depth
    )
    write_picture(before, tmp_path / f"a{suffix}")
    assert_same(before, read_picture(tmp_path / f"a{suffix}"))


def test_large_pictures_are_written_in_several_pieces(tmp_path: Path) -> None:
    levels = noise(500, 500, 3, 16)
    before = Picture(pixels=to_unit(levels, 16), depth=16)
    for suffix in (".png", ".tif"):
        write_picture(before, tmp_path / f"a{suffix}")
        assert_same(before, read_picture(tmp_path / f"a{suffix}"))
    assert (tmp_path / "a.png").read_bytes().count(b"IDAT") > 1


def test_a_named_pipe_is_read(tmp_path: Path) -> None:
    write_picture(picture(depth=16), tmp_path / "a.png")
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=lambda: (tmp_path / "pipe").write_bytes((tmp_path / "a.png").read_bytes()))
    writer.start()
    assert_same(read_picture(tmp_path / "pipe"), picture(depth=16))
    writer.join()


def bad_files(folder: Path) -> Iterator[tuple[str, str]]:
    """Names of files in the folder, and what is said of each."""
    (folder / "zero.png").touch()
    yield "zero.png", "empty"
    (folder / "text.png").write_text("not a picture at all, but long enough to look at")
    yield "text.png", "not a picture"
    (folder / "folder.png").mkdir()
    yield "folder.png", "is a folder"
    yield "gone.png", "no such file"
    yield "text.png/a.png", "not a folder"
    for suffix in ("png", "jpg", "webp", "tif", "bmp", "ppm", "avif"):
        Image.fromarray(noise(64, 64, 3)).save(folder / "whole", {"jpg": "jpeg", "tif": "tiff"}.get(suffix, suffix))
        whole = (folder / "whole").read_bytes()
        (folder / f"cut.{suffix}").write_bytes(whole[: 500 if suffix == "jpg" else len(whole) // 2])
        yield f"cut.{suffix}", "damaged"
    write_picture(picture(depth=16), folder / "deep.png")
    (folder / "cut16.png").write_bytes((folder / "deep.png").read_bytes()[:300])
    yield "cut16.png", "damaged"
    (folder / "cut16.ppm").write_bytes(b"P6 9 9 65535 " + bytes(99))
    yield "cut16.ppm", "damaged"
    for suffix in ("png", "webp", "gif"):
        smooth().save(folder / f"moves.{suffix}", save_all=True, append_images=[smooth("L").convert("RGB")])
        yield f"moves.{suffix}", "an animation"
    smooth().save(folder / "pages.tif", save_all=True, append_images=[smooth()])
    yield "pages.tif", "2 pages"
    smooth("L").convert("I").save(folder / "I.tif")
    Image.merge("LAB", smooth().split()).save(folder / "LAB.tif")
    yield "LAB.tif", "convert it to RGB"
    yield "I.tif", "to 32-bit floating point"
    (folder / "text.ppm").write_text("P3 1 1 65535 1 2 3")
    yield "text.ppm", "16-bit PPM written as text"
    if not HAS_FORMATS:
        (folder / "deep.avif").write_bytes(base64.b64decode(AVIF_OF_10_BITS))
        yield "deep.avif", "10- or 12-bit AVIF needs the extra [formats]"


def test_bad_files_are_refused_in_one_line_that_names_them(tmp_path: Path) -> None:
    for name, reason in bad_files(tmp_path):
        with pytest.raises(PictureError) as caught:
            read_picture(tmp_path / name)
        message = str(caught.value)
        assert message.startswith(str(tmp_path / name)), message
        assert reason in message, message
        assert "\n" not in message


def test_damage_never_shows_as_anything_but_a_picture_error(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for suffix in (".png", ".jpg", ".webp", ".tif", ".bmp", ".ppm"):
        write_picture(picture(source=described()), tmp_path / f"a{suffix}")
        whole = np.frombuffer((tmp_path / f"a{suffix}").read_bytes(), np.uint8)
        for _ in range(25):
            changed = whole.copy()
            changed[rng.integers(0, len(whole), 4)] = rng.integers(0, 256, 4)
            (tmp_path / "b").write_bytes(changed.tobytes())
            with suppress(PictureError):
                read_picture(tmp_path / "b", max_pixels=1_000_000)


def test_names_are_shown_on_one_line(tmp_path: Path) -> None:
    with pytest.raises(PictureError) as caught:
        read_picture(tmp_path / "a\nb\udce9é.png")
    assert "a\\nb\\udce9é.png: " in str(caught.value)


@pytest.mark.parametrize("failure", [OSError(28, "No space left on device"), KeyboardInterrupt(), SystemExit(1)])
@pytest.mark.parametrize("moment", ["encode", "sync", "rename"])
@pytest.mark.parametrize("existed", [False, True])
def test_a_failed_write_leaves_all_as_it_was(
    failure: BaseException, moment: str, existed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if existed:
        (tmp_path / "a.png").write_bytes(b"before")

    def fail(*args: object, **kwargs: object) -> None:
        raise failure

    def fail_halfway(stream: BinaryIO, *args: object) -> None:
        stream.write(b"half a picture")
        raise failure

    if moment == "encode":
        monkeypatch.setattr(image_io, "encode", fail_halfway)
    else:
        monkeypatch.setattr(*((os, "fsync", fail) if moment == "sync" else (Path, "replace", fail)))
    expected = PictureError if isinstance(failure, OSError) else type(failure)
    with pytest.raises(expected, match="cannot be written: the disk is full" if expected is PictureError else None):
        write_picture(picture(), tmp_path / "a.png")
    left = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert left == ({"a.png": b"before"} if existed else {})


def test_a_missing_folder_is_made_and_a_folder_in_the_way_refused(tmp_path: Path) -> None:
    write_picture(picture(), tmp_path / "b" / "b" / "a.png")
    assert_same(read_picture(tmp_path / "b" / "b" / "a.png"), picture())
    (tmp_path / "b" / "b" / "a.png").rename(tmp_path / "file.png")
    with pytest.raises(PictureError, match=r"file.png/a.png: cannot be written: a part of this path is a file"):
        write_picture(picture(), tmp_path / "file.png" / "a.png")
    (tmp_path / "b" / "b").rmdir()
    (tmp_path / "b").rmdir()
    (tmp_path / "file.png").unlink()
    (tmp_path / "c.png").mkdir()
    with pytest.raises(PictureError, match=r"c.png: cannot be written"):
        write_picture(picture(), tmp_path / "c.png")
    assert [path.name for path in tmp_path.iterdir()] == ["c.png"]


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_a_new_file_has_the_permissions_of_any_new_file(umask: int, tmp_path: Path) -> None:
    before = os.umask(umask)
    try:
        write_picture(picture(), tmp_path / "a.png")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a.png").stat().st_mode) == 0o666 & ~umask


def test_a_symbolic_link_stays_and_its_file_is_replaced_whole(tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    old = tmp_path / "far" / "old.png"
    old.write_bytes(b"old")
    old.chmod(0o640)
    (tmp_path / "a.png").symlink_to("far/old.png")
    (tmp_path / "b.png").symlink_to("far/new.png")
    with old.open("rb") as before:
        for name in ("a.png", "b.png"):
            write_picture(picture(), tmp_path / name)
            assert (tmp_path / name).is_symlink()
            assert_same(read_picture(tmp_path / name), picture())
        assert before.read() == b"old", "it was written into, and not replaced"
    assert stat.S_IMODE(old.stat().st_mode) == 0o640
    assert {path.name for path in (tmp_path / "far").iterdir()} == {"old.png", "new.png"}
    (tmp_path / "circle.png").symlink_to("circle.png")
    with pytest.raises(PictureError, match="leads in a circle"):
        write_picture(picture(), tmp_path / "circle.png")


def test_the_temporary_file_is_hidden_recognisable_and_near(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Path] = []
    monkeypatch.setattr(Path, "replace", lambda self, target: seen.append(self))
    write_picture(picture(), tmp_path / ("n" * 251 + ".png"))
    assert seen[0].parent == tmp_path
    assert seen[0].name.startswith(f".{os.getpid()}-")
    assert seen[0].name.endswith(TEMPORARY_SUFFIX)


def test_torch_is_not_imported() -> None:
    code = "import sys, diffuse_cli.images.image_io; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
