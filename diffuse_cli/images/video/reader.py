"""A video file becomes pictures, frame by frame. A clip of any length takes the memory of a few frames."""

import io
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO, Final

from ...errors import PictureError
from ...system.files import reason
from ..picture import Frame, Picture, Source, check_size
from .clip import Clip, ClipFrame, ClipPart, Survey
from .colour import pixels_of
from .library import AvFrame, Container, Stream, first_video, opened_clip, pyav

HDR: Final = {16: "PQ", 18: "HLG"}
"""Transfer characteristics of ITU-T H.273 that are not those of a screen."""
_TAIL: Final = Fraction(1, 2)
"""Seconds that a container's header may say too much."""


def read_clip(file: BinaryIO, path: Path, part: ClipPart, max_pixels: int) -> Iterator[Picture]:
    """Yield the frames of a part of a clip.

    Args:
        file: its content.
        path: its name.
        part: what is read of it.
        max_pixels: refuse larger frames before decoding.

    Raises:
        PictureError: it holds no video, is cut off at its beginning, is HDR or interlaced, has alpha or more than 10
            bits, changes its size, or nothing of it lies in the part.
    """
    data = file.getvalue() if isinstance(file, io.BytesIO) else None
    path = path if data is not None else Path(file.name)  # where what came from stdin lies
    survey = part.survey or _survey(file, part, max_pixels)
    with opened_for_reading(file) as container:
        stream = video_of(container, max_pixels)
        clip = None
        for number, frame in enumerate(_in_part(container, stream, part), start=1):
            clip = clip or _clip(frame, stream, path, data, replace(part, survey=survey))
            _check_alike(frame, clip, number)
            yield _picture(frame, clip, container)
            if number == survey.frames:
                break


def _picture(frame: AvFrame, clip: Clip, container: Container) -> Picture:
    """Return a decoded frame as a picture."""
    duration = int(frame.duration or 0)
    at = ClipFrame(clip=clip, pts=int(frame.pts), duration=duration)
    shown = Frame(duration=float(1000 * (duration * clip.time_base if duration else 1 / clip.rate)))
    name = container.format.name
    source = Source(
        format="MKV" if "matroska" in name else "MP4" if "mp4" in name else name.upper(), lossy=True,
        bits=clip.bits if clip.bits > 8 else 0, pages=clip.survey.frames, frame=shown, clip=at,
    )  # fmt: skip
    return Picture(pixels=pixels_of(frame, clip), depth=8 if clip.bits == 8 else 16, source=source)


# What is decoded -----------------------------------------------------------------------------------------------------


def opened_for_reading(file: BinaryIO) -> Container:
    """Open a clip.

    Raises:
        PictureError: it cannot be opened.
    """
    file.seek(0)
    try:
        return opened_clip(file)
    except (pyav().FFmpegError, ValueError, EOFError) as error:
        raise PictureError(
            f"the clip cannot be opened ({reason(error)}); if it was cut off, copy it from its source again"
        ) from error


def video_of(container: Container, max_pixels: int) -> Stream:
    """Return the video stream that is restored: the first that is no cover picture.

    Raises:
        PictureError: there is none, its coding is unknown, or its frames are too large.
    """
    stream = first_video(container)
    if stream is None:
        raise PictureError("there is no video in it")
    if stream.codec_context is None or not stream.codec_context.width:
        raise PictureError("its video cannot be decoded: the coding is unknown, or the beginning is missing")
    check_size(stream.codec_context.width, stream.codec_context.height, max_pixels)
    return stream


def _in_part(container: Container, stream: Stream, part: ClipPart) -> Iterator[AvFrame]:
    """Yield the frames of a part, each with its time."""
    origin = origin_of(container)
    start, end = origin + part.first, None if part.last is None else origin + part.last
    _seek(container, part)
    count = 0
    for frame in _timed(_decoded(container, stream, []), stream):
        time = frame.pts * stream.time_base
        if time < start:
            continue
        if (end is not None and time >= end) or count == part.frames:
            return
        count += 1
        yield frame


def _timed(frames: Iterator[AvFrame], stream: Stream) -> Iterator[AvFrame]:
    """Yield frames with times that rise. A frame without one follows the one before at the usual rate."""
    step = max(1, round(1 / (rate_of(stream) * stream.time_base)))
    late = 0 if _is_timed(stream.container) else None
    last: int | None = None
    for frame in frames:
        if late is None:
            late = (frame.pts or 0) - (stream.start_time or 0)
        frame.pts = None if frame.pts is None else frame.pts - late
        if frame.pts is None or (last is not None and frame.pts <= last):
            frame.pts = 0 if last is None else last + step
        frame.time_base = stream.time_base
        last = frame.pts
        yield frame


def _is_timed(container: Container) -> bool:
    """Return whether packets tell when they are shown. In an AVI they are counted, so it is read from its beginning."""
    return str(container.format.name) != "avi"


def _seek(container: Container, part: ClipPart) -> None:
    """Go to the last key frame before a part."""
    if part.start and _is_timed(container):
        container.seek(int((origin_of(container) + part.first) * 1_000_000), backward=True)


def _decoded(container: Container, stream: Stream, lost: list[object]) -> Iterator[AvFrame]:
    """Yield what can be decoded.

    Args:
        container: the clip.
        stream: its video.
        lost: gets an entry for each packet that cannot be.
    """
    errors = (pyav().FFmpegError, EOFError)
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
        except errors as error:  # the file ends in the middle of a packet
            lost.append(error)
            packet = None
        try:
            yield from stream.decode(packet if packet is not None and packet.size else None)
        except errors as error:
            if packet is not None:
                lost.append(error)
        if packet is None or not packet.size:
            return


def origin_of(container: Container) -> Fraction:
    """Return the second at which a clip begins."""
    return Fraction(container.start_time or 0, 1_000_000)


def rate_of(stream: Stream) -> Fraction:
    """Return the frames a second."""
    return Fraction(stream.average_rate or stream.guessed_rate or 25)


# What is known before ------------------------------------------------------------------------------------------------


def _survey(file: BinaryIO, part: ClipPart, max_pixels: int) -> Survey:
    """Decode a part once: how many frames there are, and what is damaged.

    Raises:
        PictureError: as `read_clip`.
    """
    with opened_for_reading(file) as container:
        stream = video_of(container, max_pixels)
        said = said_end(container, stream)
        declared = stream.frames if part.is_whole else 0
        frames, corrupt, times, clip = 0, 0, [Fraction(0), Fraction(0)], None
        lost: list[object] = []
        origin = origin_of(container)
        _seek(container, part)
        for frame in _timed(_decoded(container, stream, lost), stream):
            time = frame.pts * stream.time_base
            if time < origin + part.first:
                continue
            if frames == part.frames or (part.last is not None and time >= origin + part.last):
                break
            clip = clip or _clip(frame, stream, Path(), None, part)
            _check_alike(frame, clip, frames + 1)
            frames, corrupt = frames + 1, corrupt + bool(frame.is_corrupt)
            times = [times[0] if frames > 1 else time, time + _length(frame, stream)]
    if frames == 0:
        raise PictureError(_nothing(part, said - origin, lost))
    return Survey(
        frames=frames, start=times[0], end=times[1],
        damage=_damage(frames, max(len(lost), declared - frames), corrupt, times[1], said if part.is_to_end else None),
    )  # fmt: skip


def _length(frame: AvFrame, stream: Stream) -> Fraction:
    """Return the seconds for which a frame is shown, as far as it tells."""
    return Fraction(frame.duration * stream.time_base if frame.duration else 1 / rate_of(stream))


def said_end(container: Container, stream: Stream) -> Fraction:
    """Return the second at which the video ends, as the header says; 0 = it does not say."""
    if stream.duration is not None:
        return Fraction(((stream.start_time or 0) + stream.duration) * stream.time_base)
    text = stream.metadata.get("DURATION", "")
    try:
        hours, minutes, seconds = text.split(":")
        return 3600 * int(hours) + 60 * int(minutes) + Fraction(seconds)
    except ValueError:
        only = len(container.streams) == 1 and container.duration
        return Fraction(container.duration, 1_000_000) + origin_of(container) if only else Fraction(0)


def _damage(frames: int, lost: int, corrupt: int, end: Fraction, said: Fraction | None) -> str:
    """Return what is wrong with a clip, in words; "" = nothing."""
    parts = []
    if lost > 0:
        parts.append(f"{lost} of {frames + lost} frames cannot be decoded and are missing")
    if corrupt:
        parts.append(f"{corrupt} frames are damaged")
    if said is not None and said - end > _TAIL:
        parts.append(f"it ends at {float(end):.2f} s, but its header says {float(said):.2f} s")
    return ", and ".join(parts)


def _nothing(part: ClipPart, seconds: Fraction, lost: list[object]) -> str:
    if lost:
        return "none of its frames can be decoded; copy it from its source again"
    if part.start and seconds > 0:
        return f"there is no frame from --start {part.start:g} on; it is {float(seconds):.2f} s long"
    return "there is no frame in this part of it"


def _clip(frame: AvFrame, stream: Stream, path: Path, data: bytes | None, part: ClipPart) -> Clip:
    """Return what holds for all frames, by the first one.

    Raises:
        PictureError: it is HDR or interlaced, or has alpha or more than 10 bits.
    """
    kind = frame.format
    bits = max(one.bits for one in kind.components)
    if int(frame.color_trc) in HDR:
        raise PictureError(f"it is HDR ({HDR[int(frame.color_trc)]}), which is not restored; make it SDR first")
    if frame.interlaced_frame:
        raise PictureError("it is interlaced; deinterlace it first, as with: ffmpeg -i in.mp4 -vf bwdif out.mp4")
    names = ("yuva", "rgba", "bgra", "argb", "abgr", "gbrap", "ya", "pal8")
    texts = {key.lower(): text for key, text in stream.metadata.items()}
    if kind.name.startswith(names) or texts.get("alpha_mode", "0") != "0":  # FFmpeg's VP8 and VP9 do not decode it
        raise PictureError("it is transparent or has a palette, which is not restored; remove the alpha channel first")
    if bits not in (8, 10) or kind.name.endswith(("be", "f32le", "f16le")):
        raise PictureError(f"it has {bits} bits per channel ({kind.name}); clips of 8 and 10 bits are restored")
    is_full = int(frame.color_range) == 2 or kind.name.startswith("yuvj")
    return Clip(
        path=path, data=data, part=part, time_base=stream.time_base, rate=rate_of(stream), pixel_format=_planar(kind),
        bits=bits, matrix=int(frame.colorspace), full_range=is_full,
        tags=(2 if is_full else int(frame.color_range), int(frame.color_primaries), int(frame.color_trc),
              int(frame.colorspace)),
        size=(frame.width, frame.height), aspect=stream.sample_aspect_ratio or None, rotation=int(frame.rotation),
    )  # fmt: skip


def _planar(kind: AvFrame) -> str:
    """Return the planar format with the same colours, bits and subsampling, or a finer one."""
    deep = "10le" if max(one.bits for one in kind.components) == 10 else ""
    if kind.is_rgb:
        return f"gbrp{deep}"
    if len(kind.components) == 1:
        return f"gray{deep}"
    shares = kind.chroma_width(64), kind.chroma_height(64)
    return {(32, 32): f"yuv420p{deep}", (32, 64): f"yuv422p{deep}"}.get(shares, f"yuv444p{deep}")


def _check_alike(frame: AvFrame, clip: Clip, number: int) -> None:
    """Refuse a clip whose frames change.

    Raises:
        PictureError: this frame has another size or kind of colours.
    """
    if (frame.width, frame.height) != clip.size or _planar(frame.format) != clip.pixel_format:
        raise PictureError(f"frame {number} has another size or pixel format than the first; cut the clip there first")
