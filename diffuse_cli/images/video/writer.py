"""Pictures become a video file, frame by frame, beside the input's sound and subtitles."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import BinaryIO, Final

from ...errors import PictureError
from ...system.files import replaced_whole
from ..choices import Depth, Policy
from ..picture import Picture
from .clip import Clip, ClipCoding
from .colour import frame_of
from .library import AvFrame, Container, Packet, Stream, opened_clip
from .other_streams import OtherStreams, can_copy_video, container_name, offset
from .segments import SEGMENT, packets_of

_ENCODERS: Final = {"h264": "libx264", "hevc": "libx265", "ffv1": "ffv1"}
LEAST_HEVC: Final = 64
_TAGS: Final = {"hevc": "hvc1"}
"""What QuickTime and iPhones look for in an MP4."""


def write_clip(
    stream: BinaryIO, pages: Iterable[Picture], kind: str, *, coding: ClipCoding, depth: Depth, policy: Policy
) -> str:
    """Write frames, and copy what the input holds beside its video.

    Args:
        stream: can be read and sought in, too, but for YUV4MPEG2.
        pages: at least one, all frames of one clip, taken one by one; or one that stands for all.
        kind: "MP4", "MKV" or "Y4M".
        coding: how they are coded.
        depth: bits per channel.
        policy: which of the input's texts are handed on.

    Returns:
        What a user should know of how the pixels were coded; "" = nothing.

    Raises:
        PictureError: the frames differ in size, or are too small for the codec.
        FFmpegError: the encoder fails.
    """
    pages = iter(pages)
    first = next(pages)
    assert first.source.clip is not None
    if first.source.clip.is_copied:
        return _copy(stream, first, kind, policy)
    if first.source.clip.segments:
        return _join(stream, first, kind, coding=coding, depth=depth, policy=policy)
    form = _form(first.source.clip.clip, first.pixels.shape, coding, depth, kind)
    frames = (form.frame(picture) for picture in chain([first], pages))
    if kind == "Y4M":
        return _write_y4m(stream, form, frames)
    with _container(stream, kind) as target:
        video = _video(target, form, kind)
        with _beside(target, form.clip, kind, policy, first) as others:
            for packet in _coded(video, frames):
                others.write_until(packet.pts * packet.time_base)
                target.mux_one(packet)
            others.write_until(None)
    return _note(form.clip, form.pixel_format)


def _coded(video: Stream, frames: Iterable[AvFrame]) -> Iterator[Packet]:
    """Yield coded frames, each shown for as long as the frame. Encoders tell the usual length of all."""
    lengths: dict[int, int] = {}
    for frame in chain(frames, [None]):
        if frame is not None:
            lengths[frame.pts] = frame.duration
        for packet in video.encode(frame):
            packet.duration = lengths.pop(packet.pts, 0) or packet.duration
            yield packet


@contextmanager
def segment_writer(path: Path, coding: ClipCoding, depth: Depth) -> Iterator[Callable[[Picture], None]]:
    """Open a file that holds a few coded frames of a clip and nothing else. It appears when it is whole.

    Segments of equal coding are joined by `write_clip`.

    Args:
        path: the file.
        coding: how frames are coded.
        depth: bits per channel.

    Yields:
        What takes the frames, one by one.

    Raises:
        PictureError: the frames differ in size, or are too small for the codec.
        OSError: the disk fails.
        FFmpegError: the encoder fails.
    """
    with replaced_whole(path) as stream, ExitStack() as opened:
        add: Callable[[Picture], None] | None = None

        def added(picture: Picture) -> None:
            nonlocal add
            if add is None:
                assert picture.source.clip is not None
                form = _form(picture.source.clip.clip, picture.pixels.shape, coding, depth)
                add = opened.enter_context(_coder(stream, form))
            add(picture)

        yield added


@contextmanager
def _coder(stream: BinaryIO, form: "_Form") -> Iterator[Callable[[Picture], None]]:
    """Open an encoder."""
    with opened_clip(stream, "w", format=SEGMENT, options={"avoid_negative_ts": "disabled"}) as target:
        video = _video(target, form)
        yield lambda picture: target.mux(video.encode(form.frame(picture)))
        target.mux(video.encode(None))


def _join(stream: BinaryIO, first: Picture, kind: str, *, coding: ClipCoding, depth: Depth, policy: Policy) -> str:
    """Write a clip whose frames are coded already."""
    at = first.source.clip
    assert at is not None
    with opened_clip(str(at.segments[0]), format=SEGMENT) as source:
        coded = source.streams.video[0]
        form = _form(at.clip, (coded.height, coded.width), coding, depth)
    with _container(stream, kind) as target:
        video = _video(target, form, kind)
        with _beside(target, at.clip, kind, policy, first) as others:
            for packet in packets_of(at.segments, at.clip):
                others.write_until(packet.pts * packet.time_base)
                packet.stream = video
                target.mux_one(packet)
            others.write_until(None)
    return _note(at.clip, form.pixel_format)


def _write_y4m(stream: BinaryIO, form: "_Form", frames: Iterable[AvFrame]) -> str:
    """Write frames without times, sound and coding."""
    clip, even, last = form.clip, True, 0
    with opened_clip(stream, "w", format=container_name("Y4M"), options={"strict": "-1"}) as target:
        video = target.add_stream("wrapped_avframe", rate=clip.rate)
        video.width, video.height, video.pix_fmt = form.shape[1], form.shape[0], form.pixel_format
        if clip.aspect is not None:
            video.codec_context.sample_aspect_ratio = clip.aspect
        _tag(video.codec_context, clip)
        usual = 1 / (clip.rate * clip.time_base)
        for number, frame in enumerate(frames):
            even = even and (number == 0 or abs(frame.pts - last - usual) <= 1)
            last = frame.pts
            frame.pts, frame.time_base = number, 1 / clip.rate
            target.mux(video.encode(frame))
        target.mux(video.encode(None))
    return "" if even else f"YUV4MPEG2 has no times, so each frame is shown for {float(1000 / clip.rate):.0f} ms"


def may_copy(clip: Clip, kind: str, coding: ClipCoding, depth: Depth) -> bool:
    """Return whether the coded video of a clip is copied if no frame changes.

    Args:
        clip: the input.
        kind: "MP4" or "MKV".
        coding: how it is to be coded.
        depth: bits per channel.
    """
    return clip.part.is_whole and not coding.is_given and depth == "keep" and can_copy_video(clip, kind)


def _copy(stream: BinaryIO, first: Picture, kind: str, policy: Policy) -> str:
    """Write a clip whose frames did not change."""
    assert first.source.clip is not None
    with (
        _container(stream, kind) as target,
        _beside(target, first.source.clip.clip, kind, policy, first, with_video=True) as others,
    ):
        others.write_until(None)
    return "nothing was changed, so the coded video was copied"


@contextmanager
def _beside(
    target: Container, clip: Clip, kind: str, policy: Policy, first: Picture, *, with_video: bool = False
) -> Iterator[OtherStreams]:
    """Open what the input holds beside its video, and say how the result was made."""
    others = OtherStreams(clip, target, kind, policy, with_video=with_video)
    try:
        _sign(target, first.source.texts)
        yield others
    finally:
        others.close()


def _container(stream: BinaryIO, kind: str) -> Container:
    options = {"fflags": "+bitexact"} | ({"movflags": "+faststart"} if kind == "MP4" else {})
    return opened_clip(stream, "w", format=container_name(kind), options=options)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Form:
    """What all frames of a result have in common.

    Attributes:
        clip: the input, with the colours of the result.
        coding: how they are coded.
        shape: of the pixels, height and width first.
        pixel_format: FFmpeg's name.
        bits: per channel.
    """

    clip: Clip
    coding: ClipCoding
    shape: tuple[int, ...]
    pixel_format: str
    bits: int

    def frame(self, picture: Picture) -> AvFrame:
        """Return a picture as a frame with its time and its colours' tags.

        Raises:
            PictureError: it has another size than the first.
        """
        at = picture.source.clip
        assert at is not None
        if picture.pixels.shape != self.shape:
            raise PictureError("the frames of the result differ in size; give a size that does not depend on the frame")
        frame = frame_of(picture.pixels, self.clip, self.pixel_format, self.bits)
        frame.time_base = at.clip.time_base
        frame.pts, frame.duration = at.pts - round(offset(at.clip) / at.clip.time_base), at.duration
        _tag(frame, self.clip)
        return frame


def _form(clip: Clip, shape: tuple[int, ...], coding: ClipCoding, depth: Depth, kind: str = "") -> _Form:
    """Return what all frames are like.

    Raises:
        PictureError: they are too small for the codec.
    """
    bits = 8 if depth == "8" else clip.bits
    pixel_format = _pixel_format(clip, "y4m" if kind == "Y4M" else coding.chosen, (shape[1], shape[0]), bits)
    _check_size(coding, (shape[1], shape[0]))
    if clip.is_rgb and pixel_format.startswith("yuv"):
        primaries, transfer = clip.tags[1:3]  # the matrix becomes that of BT.709, and black becomes 16
        clip = replace(clip, matrix=1, full_range=False, tags=(1, primaries, transfer, 1))
    return _Form(clip=clip, coding=coding, shape=shape, pixel_format=pixel_format, bits=bits)


def _video(target: Container, form: _Form, kind: str = "") -> Stream:
    """Add the video stream."""
    clip, coding = form.clip, form.coding
    options: dict[str, str] = {}
    if coding.chosen != "ffv1":
        options = {"crf": f"{coding.factor:g}", "preset": coding.preset or "medium"}
    if coding.chosen == "h264":
        options["bf"] = "0"  # with B-frames, x264's macroblock tree reads memory that nobody wrote: the bytes vary
    if coding.chosen == "hevc":
        options["x265-params"] = "log-level=none"
    if coding.chosen == "ffv1":
        options = {"level": "3", "slicecrc": "1"}
    video = target.add_stream(_ENCODERS[coding.chosen], rate=clip.rate, options=options)
    video.width, video.height, video.pix_fmt = form.shape[1], form.shape[0], form.pixel_format
    video.time_base = video.codec_context.time_base = clip.time_base
    if kind == "MP4" and coding.chosen in _TAGS:
        video.codec_context.codec_tag = _TAGS[coding.chosen]
    if clip.aspect is not None:
        video.codec_context.sample_aspect_ratio = clip.aspect
    _tag(video.codec_context, clip)
    if clip.rotation:
        video.set_display_rotation(clip.rotation)
    return video


def _tag(target: Container, clip: Clip) -> None:
    """Say of colours what the input said."""
    target.color_range, target.color_primaries, target.color_trc, target.colorspace = clip.tags


def _check_size(coding: ClipCoding, size: tuple[int, int]) -> None:
    """Refuse frames that are smaller than a block of HEVC, with which x265 writes beyond its memory.

    Raises:
        PictureError: they are.
    """
    if coding.chosen == "hevc" and min(size) < LEAST_HEVC:
        raise PictureError(f"HEVC takes frames of {LEAST_HEVC} pixels a side or more; use --codec h264 or ffv1")


def _pixel_format(clip: Clip, codec: str, size: tuple[int, int], bits: int) -> str:
    """Return the pixel format of the result: the input's, or one that the codec has for this size."""
    base = clip.pixel_format.removesuffix("10le")
    if clip.is_rgb and codec != "ffv1":
        base = "yuv444p"
    halves = {"yuv420p": (2, 2), "yuv422p": (2, 1)}.get(base, (1, 1))
    if codec in ("h264", "hevc") and (size[0] % halves[0] or size[1] % halves[1]):
        base = "yuv444p"
    if base == "gbrp" and bits == 8:
        return "bgr0"  # FFV1 has no planar RGB of 8 bits
    return base + ("10le" if bits == 10 else "")


def _note(clip: Clip, pixel_format: str) -> str:
    if pixel_format.startswith("yuv444p") and not clip.pixel_format.startswith("yuv444p"):
        why = "it was RGB" if clip.is_rgb else "its size is odd"
        return f"written as 4:4:4, since {why}; some players cannot play that"
    return ""


def _sign(target: Container, texts: Iterable[tuple[str, str]]) -> None:
    """Say how it was made, beside what the input's comment says."""
    for key, text in texts:
        name = next((one for one in target.metadata if one.lower() == key), key)
        before = target.metadata.get(name)
        target.metadata[name] = f"{before}\n{text}" if before else text
