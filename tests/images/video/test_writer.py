"""What a written clip keeps."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from diffuse_cli.errors import PictureError, UsageError
from diffuse_cli.images.encoding import Encoding
from diffuse_cli.images.image_io import read_pages, write_pages
from diffuse_cli.images.video.clip import ClipCoding, ClipPart
from diffuse_cli.images.video.other_streams import left_out
from tests.helpers import clips


def rewritten(path: Path, to: Path, part: ClipPart | None = None, **how: object) -> list[str]:
    said: list[str] = []
    encoding = Encoding(clip=ClipCoding(**how))  # type: ignore[arg-type]
    write_pages(read_pages(path, part=part or ClipPart()), to, encoding=encoding, tell=said.append)
    return said


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_sound_subtitles_chapters_rotation_and_tags_are_kept(tmp_path: Path, suffix: str) -> None:
    path = clips.save(
        tmp_path / f"a{suffix}", sound=True, subtitles=suffix == ".mkv", rotation=90, times=[0, 40, 200, 210, 400, 590]
    )
    rewritten(path, tmp_path / f"b{suffix}")
    before, after = clips.told(path), clips.told(tmp_path / f"b{suffix}")
    assert after == before
    assert before["rotation"] in (90, -90)
    assert before["chapters"] == [(0.0, 0.3), (0.3, 0.6)]
    assert len(before["others"]) == 1 + (suffix == ".mkv")
    assert all(len(data) >= 5 for data in before["others"].values())
    assert before["times"] == [0.0, 0.04, 0.2, 0.21, 0.4, 0.59]


def test_a_subtitle_that_is_seen_when_a_part_begins_stays(tmp_path: Path) -> None:
    path = clips.save(tmp_path / "a.mkv", subtitles=True)  # seen from 0.1 to 0.5 s
    rewritten(path, tmp_path / "b.mkv", ClipPart(start=0.2, end=0.4))
    with clips.av().open(str(tmp_path / "b.mkv")) as source:
        (packet,) = (packet for packet in source.demux(subtitles=0) if packet.size)
        assert (packet.pts, packet.duration, bytes(packet)) == (0, 200, b"Hello")


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_cover_picture_is_kept(tmp_path: Path, suffix: str) -> None:
    with io.BytesIO() as stream:
        Image.new("RGB", (4, 3), "red").save(stream, "PNG")
        cover = stream.getvalue()
    path = clips.save(tmp_path / "a.mp4", cover=cover, count=2, sound=True)
    rewritten(path, tmp_path / f"b{suffix}", ClipPart(start=0.1))
    assert not left_out(next(read_pages(path, part=ClipPart())).source.clip.clip, suffix[1:].upper())  # type: ignore[union-attr]
    with clips.av().open(str(tmp_path / f"b{suffix}")) as source:
        shown = [one for one in source.streams.video if one.disposition & clips.av().stream.Disposition.attached_pic]
        assert [bytes(packet) for packet in source.demux(shown) if packet.size] == [cover]


def test_a_part_keeps_its_sound_and_chapters(tmp_path: Path) -> None:
    path = clips.save(tmp_path / "a.mkv", sound=True)
    rewritten(path, tmp_path / "b.mkv", ClipPart(start=0.2, frames=3))
    told = clips.told(tmp_path / "b.mkv")
    assert told["times"] == [0.0, 0.1, 0.2]
    assert told["chapters"] == [(0.0, 0.1), (0.1, 0.4)]
    (sound,), (whole,) = told["others"].values(), clips.told(path)["others"].values()
    assert sound == whole[2 * 1600 : 5 * 1600]


@pytest.mark.parametrize(
    ("pixel_format", "codec"), [("yuv420p", "ffv1"), ("yuv422p10le", "ffv1"), ("gray", "ffv1"), ("bgr0", "ffv1")]
)
def test_ffv1_gives_luma_back_bit_for_bit(tmp_path: Path, pixel_format: str, codec: str) -> None:
    path = clips.save(tmp_path / "a.mkv", codec=codec, pixel_format=pixel_format, tags=(1, 1, 1, 1), count=3)
    rewritten(path, tmp_path / "b.mkv", codec="ffv1")
    for before, after in zip(
        read_pages(path, part=ClipPart()), read_pages(tmp_path / "b.mkv", part=ClipPart()), strict=True
    ):
        weights = np.array([1] if before.pixels.shape[2] == 1 else [0.2126, 0.7152, 0.0722], np.float32)
        np.testing.assert_allclose(before.pixels @ weights, after.pixels @ weights, atol=1e-5)


def test_h264_and_hevc_stay_near(tmp_path: Path) -> None:
    path = clips.save(tmp_path / "a.mp4", size=(96, 64))
    for codec, said in (("h264", "h264"), ("hevc", "hevc")):
        rewritten(path, tmp_path / f"{codec}.mp4", codec=codec, crf=8)
        assert clips.told(tmp_path / f"{codec}.mp4")["video"][0] == said
        pages = read_pages(tmp_path / f"{codec}.mp4", part=ClipPart())
        for one, other in zip(read_pages(path, part=ClipPart()), pages, strict=True):
            assert np.abs(one.pixels - other.pixels).mean() < 0.02
    rewritten(path, tmp_path / "small.mp4", crf=45)
    assert (tmp_path / "small.mp4").stat().st_size < (tmp_path / "h264.mp4").stat().st_size


def test_an_odd_size_is_kept(tmp_path: Path) -> None:
    path = clips.save(tmp_path / "a.mkv", codec="ffv1", size=(47, 31))
    assert rewritten(path, tmp_path / "b.mp4") == [
        "written as 4:4:4, since its size is odd; some players cannot play that"
    ]
    assert clips.told(tmp_path / "b.mp4")["video"] == ("h264", 47, 31, "yuv444p")


def test_one_frame_is_a_clip(tmp_path: Path) -> None:
    rewritten(clips.save(tmp_path / "a.mp4", count=1), tmp_path / "b.mkv")
    assert clips.told(tmp_path / "b.mkv")["times"] == [0.0]


def test_the_comment_of_the_input_stays(tmp_path: Path) -> None:
    path = clips.save(tmp_path / "a.mp4")
    with clips.av().open(str(path)) as source:
        assert source.metadata["title"] == "My film"
    rewritten(path, tmp_path / "b.mp4")
    write_pages(read_pages(path, part=ClipPart()), tmp_path / "c.mp4", encoding=Encoding(metadata="strip"))
    assert clips.told(tmp_path / "b.mp4")["title"] == "My film"
    assert clips.told(tmp_path / "c.mp4")["title"] is None


def test_what_a_format_cannot_hold_is_refused(tmp_path: Path) -> None:
    path = clips.save(tmp_path / "a.mp4", count=2)
    for name, codec, message in (
        ("b.png", None, "PNG cannot hold a clip"),
        ("b.mp4", "ffv1", "FFV1 is written into Matroska"),
        ("c.mp4", "hevc", "HEVC takes frames of 64 pixels a side or more"),
    ):
        with pytest.raises(PictureError, match=message):
            rewritten(path, tmp_path / name, codec=codec)
        assert not (tmp_path / name).exists()
    for bad in ({"crf": 60.0}, {"preset": "lazy"}, {"codec": "ffv1", "crf": 3.0}):
        with pytest.raises(UsageError):
            ClipCoding(**bad)


def test_nothing_is_left_of_a_clip_that_fails(tmp_path: Path) -> None:
    path = clips.save(tmp_path / "a.mp4")

    def failing() -> object:
        pages = read_pages(path, part=ClipPart())
        yield next(pages)
        raise PictureError("stop")

    with pytest.raises(PictureError, match="stop"):
        write_pages(failing(), tmp_path / "b.mp4")  # type: ignore[arg-type]
    assert [one.name for one in tmp_path.iterdir()] == ["a.mp4"]
