"""Frames are composed as Pillow composes them, and damaged ones end an animation."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from diffuse_cli.errors import PictureError
from diffuse_cli.images.containers import gif_boxes, png_chunks, riff_chunks
from diffuse_cli.images.image_io import Picture, read_pages, read_picture
from diffuse_cli.images.picture import levels_of
from tests.helpers import animations


def rgba(picture: Picture) -> np.ndarray:
    levels = levels_of(picture)
    image = Image.fromarray(levels[..., 0] if levels.shape[2] == 1 else levels)
    return np.asarray(image.convert("RGBA"))


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
@pytest.mark.parametrize("suffix", [".gif", ".png", ".webp"])
def test_frames_are_what_pillow_shows(suffix: str, mode: str, tmp_path: Path) -> None:
    disposal = {} if suffix == ".webp" else {"disposal": 2 if suffix == ".gif" else 1}
    path = animations.save(tmp_path / f"a{suffix}", mode, **(disposal if mode == "RGBA" else {}))
    found = list(read_pages(path))
    expected = animations.shown(path)
    assert len(found) == len(expected) == len(animations.DURATIONS) == found[0].source.pages
    for picture, image in zip(found, expected, strict=True):
        there, wanted = rgba(picture), np.asarray(image)
        np.testing.assert_array_equal(there[..., 3], wanted[..., 3])
        np.testing.assert_array_equal(there[wanted[..., 3] > 0], wanted[wanted[..., 3] > 0])
        assert (picture.alpha is not None) == (mode == "RGBA")
    told = [picture.source.frame for picture in found]
    assert [one.duration for one in told if one] == list(animations.DURATIONS)
    assert {one.plays for one in told if one} == {3 if suffix == ".gif" else 2}  # a GIF counts repetitions


@pytest.mark.parametrize(("dispose", "blend"), [(0, 0), (0, 1), (1, 1), (2, 1)])
def test_disposal_and_blending_of_apngs(dispose: int, blend: int, tmp_path: Path) -> None:
    path = animations.save(tmp_path / "a.png", "RGBA", disposal=dispose, blend=blend)
    for picture, image in zip(read_pages(path), animations.shown(path), strict=True):
        np.testing.assert_array_equal(rgba(picture)[..., 3], np.asarray(image)[..., 3])


def test_a_gif_of_grays_is_gray_and_one_that_becomes_coloured_is_not(tmp_path: Path) -> None:
    colour = animations.frames()
    gray = [image.convert("L") for image in colour]
    gray[0].save(tmp_path / "gray.gif", save_all=True, append_images=gray[1:], duration=40)
    gray[0].save(tmp_path / "later.gif", save_all=True, append_images=colour[1:], duration=40)
    assert {picture.pixels.shape[2] for picture in read_pages(tmp_path / "gray.gif")} == {1}
    assert {picture.pixels.shape[2] for picture in read_pages(tmp_path / "later.gif")} == {3}
    assert next(read_pages(tmp_path / "gray.gif")).source.frame is not None


def test_a_default_image_is_no_part_of_the_animation(tmp_path: Path) -> None:
    path = animations.save(tmp_path / "a.png", default_image=True, duration=[100] * 5)
    told = [picture.source.frame for picture in read_pages(path)]
    assert [one.is_still for one in told if one] == [True] + [False] * 5


def test_still_files_are_no_animations(tmp_path: Path) -> None:
    for suffix in (".gif", ".png", ".webp"):
        animations.frames()[0].save(tmp_path / f"a{suffix}")
        assert read_picture(tmp_path / f"a{suffix}").source.frame is None


def cut_in_frame(path: Path, number: int) -> bytes:
    """The file, cut in the middle of a frame's data."""
    data = path.read_bytes()
    with path.open("rb") as file:
        if path.suffix == ".png":
            parts = [part for part in png_chunks(file) if part.name in (b"IDAT", b"fdAT")]
        elif path.suffix == ".webp":
            parts = [part for part in riff_chunks(file) if part.name == b"ANMF"]
        else:
            at = [k for k in range(len(data)) if data[k : k + 4] == b"!\xf9\4\4" or data[k : k + 3] == b"!\xf9\4"]
            return data[: (at[number] + at[number + 1]) // 2]
    return data[: parts[number].at + parts[number].size // 2]


@pytest.mark.parametrize("suffix", [".gif", ".png"])
def test_a_damaged_frame_ends_the_animation(suffix: str, tmp_path: Path) -> None:
    whole = animations.save(tmp_path / f"a{suffix}")
    path = tmp_path / f"cut{suffix}"
    path.write_bytes(cut_in_frame(whole, 3))
    found = list(read_pages(path))
    assert [picture.source.frame is not None and picture.source.frame.is_cut for picture in found] == [True] * 3
    for picture, before in zip(found, read_pages(whole), strict=False):
        np.testing.assert_array_equal(picture.pixels, before.pixels)
    path.write_bytes(cut_in_frame(whole, 0))
    with pytest.raises(PictureError, match="damaged or cut short"):
        list(read_pages(path))


def test_a_damaged_webp_is_refused_or_ends_early(tmp_path: Path) -> None:
    whole = animations.save(tmp_path / "a.webp")
    (tmp_path / "cut.webp").write_bytes(cut_in_frame(whole, 3))
    with pytest.raises(PictureError, match=r"cut\.webp: (damaged|not a picture)"):
        list(read_pages(tmp_path / "cut.webp"))
    data = bytearray(whole.read_bytes())
    with whole.open("rb") as file:
        part = [part for part in riff_chunks(file) if part.name == b"ANMF"][3]
    data[part.at + 30 : part.at + part.size] = bytes(part.size - 30)
    (tmp_path / "broken.webp").write_bytes(data)
    found = list(read_pages(tmp_path / "broken.webp"))
    assert len(found) == 3
    assert found[0].source.frame is not None
    assert found[0].source.frame.is_cut


def test_huge_animations_are_refused_before_they_are_decoded(tmp_path: Path) -> None:
    for suffix in (".gif", ".png", ".webp"):
        path = animations.save(tmp_path / f"a{suffix}")
        most = 48 * 40 * len(animations.DURATIONS)
        assert len(list(read_pages(path, max_pixels=most))) == len(animations.DURATIONS)
        with pytest.raises(PictureError, match=r"frames of 48x40, more than .* raise it with --max-pixels"):
            next(read_pages(path, max_pixels=most - 1))


def test_one_picture_cannot_be_read_from_an_animation(tmp_path: Path) -> None:
    path = animations.save(tmp_path / "a.gif")
    with pytest.raises(PictureError, match=r"a\.gif: an animation of 6 frames; save one of them"):
        read_picture(path)


def test_frames_beyond_the_borders_are_refused_before_they_are_decoded(tmp_path: Path) -> None:
    path = animations.save(tmp_path / "a.gif")
    with path.open("rb") as file:
        boxes = list(gif_boxes(file))
    assert len(boxes) == len(animations.DURATIONS)
    assert boxes[0] == (0, 0, 48, 40)
    data = bytearray(path.read_bytes())
    left, top, right, bottom = boxes[3]
    head = b"," + b"".join(value.to_bytes(2, "little") for value in (left, top, right - left, bottom - top))
    at = data.rindex(head)
    data[at + 5 : at + 9] = b"\xff\xff\xff\x7f"
    path.write_bytes(data)
    with pytest.raises(PictureError, match="frames beyond its borders; save its frames as single pictures"):
        next(read_pages(path, max_pixels=1 << 40))


def test_a_canvas_that_no_frame_can_fill_is_damaged(tmp_path: Path) -> None:
    path = animations.save(tmp_path / "a.webp")
    data = bytearray(path.read_bytes())
    data[24:27] = (20_000).to_bytes(3, "little")
    path.write_bytes(data)
    with pytest.raises(PictureError, match=r"a\.webp: damaged or cut short"):
        next(read_pages(path))


def test_a_gif_of_more_pixels_than_its_bytes_hold_is_damaged(tmp_path: Path) -> None:
    animations.frames()[0].save(tmp_path / "a.gif")
    data = bytearray((tmp_path / "a.gif").read_bytes())
    data[6:10] = b"\xff\x3f\xff\x3f"
    (tmp_path / "a.gif").write_bytes(data)
    with pytest.raises(PictureError, match="too small a file for 16383x16383 pixels"):
        next(read_pages(tmp_path / "a.gif"))
