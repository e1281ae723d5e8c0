"""What Pillow's modes and files become."""

import threading
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFile, UnidentifiedImageError

from diffuse_cli.errors import PictureError
from diffuse_cli.images import exif
from diffuse_cli.images.image_io import (
    read_picture,
    write_picture,
)
from diffuse_cli.images.pillow_reader import PillowReader, decoding, quick_size, quiet_pillow
from tests.helpers.image_files import described, levels_of, noise, picture, smooth


@pytest.mark.parametrize("mode", ["1", "L", "LA", "RGB", "RGBA", "I;16"])
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_reads_what_pillow_writes(mode: str, suffix: str, tmp_path: Path) -> None:
    if mode == "I;16":
        image = Image.fromarray(noise(5, 7, 1, 16)[..., 0])
    else:
        image = Image.fromarray(noise(5, 7, 4)).convert(mode)
    image.save(tmp_path / f"a{suffix}")
    read = read_picture(tmp_path / f"a{suffix}")
    assert read.depth == (16 if mode == "I;16" else 8)
    assert (read.alpha is not None) == mode.endswith("A")
    expected = np.asarray(image.convert("L") if mode == "1" else image).reshape(5, 7, -1)
    np.testing.assert_array_equal(levels_of(read), expected)


def test_palettes(tmp_path: Path) -> None:
    indices = Image.frombytes("P", (4, 3), bytes([0, 1, 2] * 4))
    indices.putpalette([255, 0, 0, 0, 255, 0, 9, 9, 9])
    indices.save(tmp_path / "colour.png")
    indices.save(tmp_path / "clear.png", transparency=b"\xff\x80\x00")
    indices.save(tmp_path / "still.gif")
    for name, mode in (("colour.png", "RGB"), ("clear.png", "RGBA"), ("still.gif", "RGB")):
        with Image.open(tmp_path / name) as image:
            expected = np.asarray(image.convert(mode))
        np.testing.assert_array_equal(levels_of(read_picture(tmp_path / name)), expected)
    indices.putpalette([0, 0, 0, 70, 70, 70, 9, 9, 9])
    indices.save(tmp_path / "gray.png")
    assert read_picture(tmp_path / "gray.png").pixels.shape == (3, 4, 1)


@pytest.mark.parametrize(("magic", "channels"), [("P5", 1), ("P6", 3)])
@pytest.mark.parametrize("maxval", [100, 1023, 65535])
def test_pnm_of_any_white(magic: str, channels: int, maxval: int, tmp_path: Path) -> None:
    levels = np.random.default_rng(0).integers(0, maxval + 1, (5, 7, channels))
    data = levels.astype(">u2" if maxval > 255 else "u1").tobytes()
    (tmp_path / "a.pnm").write_bytes(f"{magic}\n# a comment\n7 5\n{maxval}\n".encode() + data)
    read = read_picture(tmp_path / "a.pnm")
    assert read.depth == (16 if maxval > 255 else 8)
    np.testing.assert_array_equal(levels_of(read), np.rint(levels * (2**read.depth - 1) / maxval))


def test_a_phone_jpeg_with_a_preview_is_its_first_picture(tmp_path: Path) -> None:
    smooth().save(tmp_path / "a.mpo", save_all=True, append_images=[smooth("RGB", (8, 8))])
    read = read_picture(tmp_path / "a.mpo")
    assert read.source.format == "JPEG"
    assert read.source.jpeg is not None
    assert read.pixels.shape == (16, 24, 3)


def test_threads_share_pillow_and_leave_its_settings_alone(tmp_path: Path) -> None:
    limit, block = Image.MAX_IMAGE_PIXELS, ImageFile.MAXBLOCK
    write_picture(picture(source=described()), tmp_path / "a.jpg")
    threads = [threading.Thread(target=lambda: [read_picture(tmp_path / "a.jpg") for _ in range(5)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (limit, block) == (Image.MAX_IMAGE_PIXELS, ImageFile.MAXBLOCK)


def test_the_limit_is_max_pixels_and_not_pillows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    smooth().save(tmp_path / "a.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    assert read_picture(tmp_path / "a.png", max_pixels=24 * 16).pixels.shape == (16, 24, 3)
    with pytest.raises(PictureError, match="24x16 is more than"):
        read_picture(tmp_path / "a.png", max_pixels=24 * 16 - 1)
    assert Image.MAX_IMAGE_PIXELS == 10


def test_the_size_is_told_by_the_header_alone(tmp_path: Path) -> None:
    smooth().save(tmp_path / "a.png")
    (tmp_path / "a.png").write_bytes((tmp_path / "a.png").read_bytes()[:60])
    (tmp_path / "b.png").write_text("no picture")
    assert [quick_size(tmp_path / name) for name in ("a.png", "b.png", "c.png")] == [(24, 16), None, None]


def test_decoders_errors_become_one_and_the_disks_do_not() -> None:
    for error, says in ((SyntaxError("broken"), "damaged or cut short"), (UnidentifiedImageError(), "not a picture")):
        with pytest.raises(PictureError, match=says), decoding():
            raise error
    for other in (MemoryError(), OSError(5, "Input/output error"), PictureError("too large")):
        with pytest.raises(type(other)), decoding():
            raise other


def test_a_mistake_in_the_program_is_not_told_as_a_broken_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made_with = Image.Exif()
    made_with[271] = "Maker"
    smooth().save(tmp_path / "a.png", exif=made_with)

    def mistaken(*_: object) -> int:
        raise AttributeError("'str' object has no attribute 'frame'")

    for owner, name in ((PillowReader, "_levels"), (exif, "upright")):
        with monkeypatch.context() as patch:
            patch.setattr(owner, name, mistaken)
            with pytest.raises(AttributeError):
                read_picture(tmp_path / "a.png")


def test_warnings_of_pillow_are_silent_while_anyone_reads() -> None:
    limit = Image.MAX_IMAGE_PIXELS
    with quiet_pillow():
        with quiet_pillow():
            assert Image.MAX_IMAGE_PIXELS is None
        assert Image.MAX_IMAGE_PIXELS is None, "the outer one still reads"
        warnings.warn_explicit("odd", UserWarning, "image.py", 1, module="PIL.Image")
    assert limit == Image.MAX_IMAGE_PIXELS
    with pytest.warns(UserWarning, match="odd"):
        warnings.warn_explicit("odd", UserWarning, "image.py", 1, module="PIL.Image")
