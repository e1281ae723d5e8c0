"""Clips that tests make, with PyAV: a square that moves over a ramp, beside sound, subtitles and chapters."""

import io
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from diffuse_cli.images.video.library import AvFrame, Container, Packet, Stream

SIZE = (48, 32)
SUBTITLES = b"1\n00:00:00,100 --> 00:00:00,500\nHello\n"


def av() -> ModuleType:
    """PyAV; the test is skipped without it."""
    found: ModuleType = pytest.importorskip("av")
    return found


def levels(k: int, size: tuple[int, int] = SIZE, noise: float = 0.0) -> NDArray[np.uint8]:
    """The k-th frame."""
    width, height = size
    frame = np.linspace(40, 200, width)[None, :, None] * np.array([1, 0.8, 0.6]) + np.zeros((height, 1, 1))
    frame[8:20, 3 + 2 * k : 15 + 2 * k] = (200, 60, 90)
    frame += np.random.default_rng(k).normal(0, noise, frame.shape)
    return np.asarray(frame.clip(0, 255), np.uint8)


def save(
    path: Path,
    *,
    count: int = 6,
    size: tuple[int, int] = SIZE,
    codec: str = "libx264",
    pixel_format: str = "yuv420p",
    times: Sequence[int] | None = None,
    sound: bool = False,
    subtitles: bool = False,
    rotation: int = 0,
    tags: tuple[int, int, int, int] = (1, 1, 1, 1),
    noise: float = 0.0,
    options: dict[str, str] | None = None,
    texts: dict[str, str] | None = None,
    cover: bytes = b"",
) -> Path:
    """Write a clip of 10 frames a second, or one with frames at given milliseconds."""
    lossless = {"qp": "0"} if codec == "libx264" and not pixel_format.endswith("10le") else {}
    with av().open(str(path), "w", options=options or {}) as target:
        video = target.add_stream(codec, rate=10, options=lossless)
        video.width, video.height, video.pix_fmt = *size, pixel_format
        base = Fraction(1, 10 if path.suffix == ".avi" else 1000)  # AVI has frames, and no times
        video.time_base = video.codec_context.time_base = base
        video.codec_context.color_range, video.codec_context.color_primaries = tags[:2]
        video.codec_context.color_trc, video.codec_context.colorspace = tags[2:]
        video.metadata.update(texts or {})
        if rotation:
            video.set_display_rotation(rotation)
        coding = "pcm_s16le" if path.suffix in (".mkv", ".avi") else "aac"
        sounding = target.add_stream(coding, rate=8000, layout="mono") if sound else None
        words = _subtitles(target) if subtitles else []
        words += [_cover(target, cover)] if cover else []
        if path.suffix in (".mkv", ".mp4"):
            target.metadata["title"] = "My film"
        if sound:
            halves = [(0, 300, "One"), (300, 600, "Two")]
            target.set_chapters([_chapter(k, *half) for k, half in enumerate(halves)])
        for packet in words:
            target.mux_one(packet)
        for k in range(count):
            frame = av().VideoFrame.from_ndarray(levels(k, size, noise), format="rgb24")
            frame = frame.reformat(format=pixel_format, dst_colorspace=tags[3], dst_color_range=tags[0])
            frame.color_range, frame.color_primaries, frame.color_trc, frame.colorspace = tags
            frame.time_base, frame.pts = base, k * Fraction(1, 10) // base if times is None else times[k]
            target.mux(video.encode(frame))
            if sounding is not None:
                target.mux(sounding.encode(tone(k, sounding)))
        target.mux(video.encode(None))
        if sounding is not None:
            target.mux(sounding.encode(None))
    return path


def _chapter(number: int, start: int, end: int, title: str) -> dict[str, Any]:
    return {
        "id": number, "start": start, "end": end, "time_base": Fraction(1, 1000), "metadata": {"title": title},
    }  # fmt: skip


def tone(k: int, stream: Stream) -> AvFrame:
    samples = (8000 * np.sin(np.arange(800 * k, 800 * k + 800) * 0.3)).astype(np.int16)
    packed = stream.codec_context.format.name == "s16"
    numbers = samples[None] if packed else (samples[None] / 32768).astype(np.float32)
    frame = av().AudioFrame.from_ndarray(numbers, format="s16" if packed else "fltp", layout="mono")
    frame.sample_rate, frame.pts = 8000, 800 * k
    return frame


def _subtitles(target: Container) -> list[Packet]:
    source = av().open(io.BytesIO(SUBTITLES), "r", format="srt")
    stream = target.add_stream_from_template(source.streams.subtitles[0])
    stream.metadata["language"] = "deu"
    packets = [packet for packet in source.demux() if packet.size]
    for packet in packets:
        packet.stream = stream
    return packets


def _cover(target: Container, png: bytes) -> Packet:
    stream = target.add_mux_stream("png", width=4, height=3)
    stream.disposition = av().stream.Disposition.attached_pic
    packet = av().Packet(png)
    packet.stream, packet.pts, packet.dts = stream, 0, 0
    return packet


def told(path: Path) -> dict[str, Any]:
    """What a clip holds: each stream's kind, coding, language and packets, chapters, title, and the frames' times."""
    with av().open(str(path)) as source:
        video = source.streams.video[0]
        found: dict[str, Any] = {"title": source.metadata.get("title"), "chapters": [
            (float(one["start"] * one["time_base"]), float(one["end"] * one["time_base"])) for one in source.chapters()
        ]}  # fmt: skip
        found["times"] = [round(float(frame.time), 3) for frame in source.decode(video)]
        context = video.codec_context
        found["video"] = context.codec.canonical_name, video.width, video.height, context.pix_fmt
        found["tags"] = tuple(
            int(x) for x in (context.color_range, context.color_primaries, context.color_trc, context.colorspace)
        )
    with av().open(str(path)) as source:
        found["rotation"] = next(source.decode(video=0)).rotation
        found["seconds"] = float(source.duration / 1_000_000)
    with av().open(str(path)) as source:
        others = [one for one in source.streams if one.type in ("audio", "subtitle")]
        found["others"] = {
            (one.type, one.codec_context.codec.canonical_name, one.metadata.get("language")): b"" for one in others
        }
        for packet in source.demux(others) if others else ():
            one = packet.stream
            key = one.type, one.codec_context.codec.canonical_name, one.metadata.get("language")
            found["others"][key] += bytes(packet)
    return found
