"""Segments are joined without a seam, and equal runs make equal bytes."""

from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from diffuse_cli.images.encoding import Encoding
from diffuse_cli.images.image_io import read_pages, write_pages
from diffuse_cli.images.video.clip import ClipCoding, ClipPart
from diffuse_cli.images.video.segments import packets_of
from diffuse_cli.images.video.writer import segment_writer
from tests.helpers import clips

UNEVEN = [0, 40, 200, 210, 400, 590, 600, 700, 710, 1000, 1400]


def joined(path: Path, to: Path, coding: ClipCoding) -> tuple[Path, ...]:
    pages, segments = read_pages(path, part=ClipPart()), []
    first = None
    for k in range(3):
        segments.append(to.with_name(f"{to.stem}{k}.nut"))
        with segment_writer(segments[-1], coding, "keep") as add:
            for picture in islice(pages, 4):
                first = first or picture
                add(picture)
    assert first is not None
    assert first.source.clip is not None
    at = replace(first.source.clip, segments=tuple(segments))
    whole = replace(first, source=replace(first.source, clip=at))
    write_pages([whole], to, encoding=Encoding(clip=coding))
    times = [packet.dts for packet in packets_of(segments, at.clip)]
    assert times == sorted(set(times))
    return tuple(segments)


@pytest.mark.parametrize(
    ("codec", "suffix", "size", "times"),
    [("h264", ".mp4", (48, 32), UNEVEN), ("hevc", ".mp4", (64, 64), None), ("ffv1", ".mkv", (48, 32), UNEVEN)],
)
def test_a_joined_clip_has_every_frame_at_its_time(
    tmp_path: Path, codec: str, suffix: str, size: tuple[int, int], times: list[int] | None
) -> None:
    path = clips.save(tmp_path / f"a{suffix}", count=11, sound=True, size=size, times=times, noise=8)
    coding = ClipCoding(codec=codec, crf=None if codec == "ffv1" else 8)  # type: ignore[arg-type]
    for name in ("x", "y"):
        joined(path, tmp_path / f"{name}{suffix}", coding)
    if codec != "hevc":  # equal runs of x265 differ
        assert (tmp_path / f"x{suffix}").read_bytes() == (tmp_path / f"y{suffix}").read_bytes()
    before, after = clips.told(path), clips.told(tmp_path / f"x{suffix}")
    for key in ("times", "others", "chapters", "title", "tags"):
        assert after[key] == before[key]
    assert after["seconds"] == pytest.approx(before["seconds"], abs=0.002)
    pairs = zip(read_pages(path, part=ClipPart()), read_pages(tmp_path / f"x{suffix}", part=ClipPart()), strict=True)
    assert max(float(np.abs(one.pixels - other.pixels).mean()) for one, other in pairs) < 0.05


@pytest.mark.parametrize(("pixel_format", "tags"), [("gray", (2, 1, 1, 1)), ("bgr0", (2, 1, 13, 0))])
def test_gray_and_rgb_are_joined_as_they_were_coded(
    tmp_path: Path, pixel_format: str, tags: tuple[int, int, int, int]
) -> None:
    path = clips.save(tmp_path / "a.mkv", codec="ffv1", count=9, pixel_format=pixel_format, tags=tags)
    joined(path, tmp_path / "b.mp4", ClipCoding(crf=2))
    pairs = zip(read_pages(path, part=ClipPart()), read_pages(tmp_path / "b.mp4", part=ClipPart()), strict=True)
    assert max(float(np.abs(one.pixels - other.pixels).mean()) for one, other in pairs) < 0.02
    if pixel_format == "bgr0":
        assert clips.told(tmp_path / "b.mp4")["tags"] == (1, 1, 13, 1)


def test_nothing_is_left_of_a_segment_that_fails(tmp_path: Path) -> None:
    path = clips.save(tmp_path / "a.mp4")

    def failing() -> None:
        with segment_writer(tmp_path / "s.nut", ClipCoding(), "keep") as add:
            add(next(read_pages(path, part=ClipPart())))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        failing()
    assert [one.name for one in tmp_path.iterdir()] == ["a.mp4"]
