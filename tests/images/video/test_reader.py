"""What is read of clips, and what is refused."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from diffuse_cli.errors import PictureError, UsageError
from diffuse_cli.images.image_io import MAX_PIXELS, read_pages, read_picture
from diffuse_cli.images.picture import Picture
from diffuse_cli.images.units import LEVEL
from diffuse_cli.images.video.clip import ClipPart
from diffuse_cli.images.video.head import is_clip
from tests.helpers import clips


def read(path: Path, part: ClipPart | None = None) -> list[Picture]:
    return list(read_pages(path, part=part or ClipPart()))


def times(pictures: list[Picture]) -> list[float]:
    found = [picture.source.clip for picture in pictures]
    return [round(float(one.pts * one.clip.time_base), 3) for one in found if one is not None]


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.mov", "a.avi"])
def test_frames_and_their_times_are_read(tmp_path: Path, name: str) -> None:
    pictures = read(clips.save(tmp_path / name, sound=name != "a.avi"))
    assert [picture.source.pages for picture in pictures] == [6] * 6
    assert times(pictures) == [0.0, 0.1, 0.2, 0.3, 0.4, 0.5]
    for k, picture in enumerate(pictures):
        difference = np.abs((picture.pixels + 1) * LEVEL - clips.levels(k))
        assert (picture.depth, picture.pixels.shape) == (8, (32, 48, 3))
        assert difference.mean() < 3  # chroma is subsampled


@pytest.mark.parametrize("matrix", [1, 6])
@pytest.mark.parametrize("full", [1, 2])
def test_matrix_and_range_are_undone(tmp_path: Path, matrix: int, full: int) -> None:
    path = clips.save(tmp_path / "a.mkv", pixel_format="yuv444p", tags=(full, 1, 1, matrix), count=1)
    (picture,) = read(path)
    assert np.abs((picture.pixels + 1) * LEVEL - clips.levels(0)).max() < 3
    assert abs(((picture.pixels + 1) * LEVEL - clips.levels(0)).mean()) < 0.6


def test_ten_bits_gray_and_rgb_are_read(tmp_path: Path) -> None:
    (deep,) = read(clips.save(tmp_path / "d.mp4", size=(64, 64), codec="libx265", pixel_format="yuv420p10le", count=1))
    assert (deep.depth, deep.source.bits) == (16, 10)
    (gray,) = read(clips.save(tmp_path / "g.mkv", codec="ffv1", pixel_format="gray", count=1))
    assert gray.pixels.shape == (32, 48, 1)
    (rgb,) = read(clips.save(tmp_path / "r.mkv", codec="ffv1", pixel_format="bgr0", count=1, tags=(2, 1, 1, 0)))
    np.testing.assert_allclose((rgb.pixels + 1) * LEVEL, clips.levels(0), atol=0.05)


def test_a_part_is_read(tmp_path: Path) -> None:
    path = clips.save(tmp_path / "a.mp4", count=8)
    assert times(read(path, ClipPart(start=0.15, end=0.6))) == [0.2, 0.3, 0.4, 0.5]
    assert times(read(path, ClipPart(start=0.3, frames=2))) == [0.3, 0.4]
    assert times(read(path, ClipPart(frames=3))) == [0.0, 0.1, 0.2]
    with pytest.raises(PictureError, match=r"no frame from --start 5 on; it is 0\.80 s long"):
        read(path, ClipPart(start=5))
    with pytest.raises(UsageError, match="--end 1 is not after --start 2"):
        ClipPart(start=2, end=1)


def test_times_that_vary_are_kept(tmp_path: Path) -> None:
    path = clips.save(tmp_path / "a.mkv", times=[0, 40, 200, 210, 500, 900])
    pictures = read(path)
    assert times(pictures) == [0.0, 0.04, 0.2, 0.21, 0.5, 0.9]
    assert pictures[0].source.clip is not None
    assert pictures[0].source.clip.clip.survey.frames == 6
    assert pictures[0].source.clip.clip.survey.start == Fraction(0)


def test_a_tail_is_never_lost_without_a_word(tmp_path: Path) -> None:
    whole = clips.save(tmp_path / "a.mp4", count=20, options={"movflags": "+faststart"}).read_bytes()
    (tmp_path / "cut.mp4").write_bytes(whole[: len(whole) * 2 // 3])
    pictures = read(tmp_path / "cut.mp4")
    assert pictures[0].source.clip is not None
    lost = 20 - len(pictures)
    assert lost > 0
    assert pictures[0].source.clip.clip.survey.damage.startswith(f"{lost} of 20 frames cannot be decoded")
    other = clips.save(tmp_path / "b.mkv", count=20).read_bytes()
    (tmp_path / "cut.mkv").write_bytes(other[: len(other) * 2 // 3])
    pictures = read(tmp_path / "cut.mkv")
    assert pictures[0].source.clip is not None
    assert "but its header says 2.00 s" in pictures[0].source.clip.clip.survey.damage
    whole = clips.save(tmp_path / "c.mp4", count=20).read_bytes()
    (tmp_path / "d.mp4").write_bytes(whole[: len(whole) * 2 // 3])
    with pytest.raises(PictureError, match=r"d\.mp4: the clip cannot be opened .* copy it from its source again"):
        read(tmp_path / "d.mp4")


def test_broken_frames_are_told(tmp_path: Path) -> None:
    whole = bytearray(clips.save(tmp_path / "a.mkv", codec="ffv1", count=6).read_bytes())
    whole[len(whole) // 2 : len(whole) // 2 + 40] = bytes(40)
    (tmp_path / "b.mkv").write_bytes(whole)
    pictures = read(tmp_path / "b.mkv")
    clip = pictures[0].source.clip
    assert clip is not None
    assert clip.clip.survey.damage != "" or len(pictures) == 6


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tags": (1, 9, 16, 9), "codec": "ffv1", "pixel_format": "yuv420p10le"}, "it is HDR .PQ."),
        ({"pixel_format": "yuv420p12le", "codec": "ffv1"}, "it has 12 bits per channel"),
        ({"pixel_format": "yuva420p", "codec": "ffv1"}, "it is transparent"),
        ({"texts": {"alpha_mode": "1"}}, "it is transparent"),
    ],
)
def test_what_cannot_be_kept_is_refused(tmp_path: Path, options: dict[str, object], message: str) -> None:
    path = clips.save(tmp_path / "a.mkv", count=1, **options)  # type: ignore[arg-type]
    with pytest.raises(PictureError, match=message):
        read(path)


def test_commands_that_take_pictures_refuse_clips(tmp_path: Path) -> None:
    path = clips.save(tmp_path / "a.mp4", count=1)
    with pytest.raises(PictureError, match=r"a\.mp4: a clip, which is not read here; denoise, super-resolve"):
        read_picture(path)
    with pytest.raises(PictureError, match="more than"):
        next(read_pages(path, part=ClipPart(), max_pixels=100))
    assert MAX_PIXELS > 48 * 32


def test_pictures_in_like_containers_are_no_clips() -> None:
    for brand in (b"avif", b"heic", b"mif1", b"crx "):
        assert not is_clip(b"\0\0\0\x1cftyp" + brand)
    assert is_clip(b"\0\0\0\x1cftypisom")
    assert is_clip(b"\x1a\x45\xdf\xa3" + bytes(12))
    assert is_clip(b"RIFF\0\0\0\0AVI LIST")
    assert not is_clip(b"RIFF\0\0\0\0WEBPVP8 ")
    assert is_clip(b"YUV4MPEG2 W4 H4")
