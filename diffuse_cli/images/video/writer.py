"""Pictures become a video file, frame by frame, beside the input's sound and subtitles."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain
from typing import BinaryIO, Final

from ...errors import PictureError
from ..choices import Depth, Policy
from ..picture import Picture
from .clip import Clip, ClipCoding
from .colour import frame_of
from .library import AvFrame, Container, Stream, opened_clip
from .other_streams import OtherStreams, can_copy_video, container_name, offset

_ENCODERS: Final = {"h264": "libx264", "hevc": "libx265", "ffv1": "ffv1"}
LEAST_HEVC: Final = 64
_TAGS: Final = {"hevc": "hvc1"}
"""What QuickTime and iPhones look for in an MP4."""


def write_clip(
    stream: BinaryIO, pages: Iterable[Picture], kind: str, *, coding: ClipCoding, depth: Depth, policy: Policy
) -> str:
    """Write frames, and copy what the input holds beside its video.

    Args:
        stream: can be read and sought in, too.
        pages: at least one, all frames of one clip, taken one by one.
        kind: "MP4" or "MKV".
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
    clip, size = first.source.clip.clip, (first.pixels.shape[1], first.pixels.shape[0])
    _check_size(coding, size)
    bits = 8 if depth == "8" else clip.bits
    pixel_format = _pixel_format(clip, coding, size, bits)
    form = _Form(shape=first.pixels.shape, pixel_format=pixel_format, bits=bits)
    if first.source.clip.is_copied:
        return _copy(stream, first, kind, policy)
    with _container(stream, kind) as target:
        video = _video(target, clip, coding, size, pixel_format)
        if kind == "MP4" and coding.chosen in _TAGS:
            video.codec_context.codec_tag = _TAGS[coding.chosen]
        others = OtherStreams(clip, target, kind, policy)
        try:
            _sign(target, first.source.texts)
            _encode(target, video, others, (form.frame(picture) for picture in chain([first], pages)))
        finally:
            others.close()
    return _note(clip, pixel_format)


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
    with _container(stream, kind) as target:
        others = OtherStreams(first.source.clip.clip, target, kind, policy, with_video=True)
        try:
            _sign(target, first.source.texts)
            others.write_until(None)
        finally:
            others.close()
    return "nothing was changed, so the coded video was copied"


def _container(stream: BinaryIO, kind: str) -> Container:
    options = {"movflags": "+faststart"} if kind == "MP4" else {}
    return opened_clip(stream, "w", format=container_name(kind), options=options)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Form:
    """What all frames of a result have in common.

    Attributes:
        shape: (H, W, C) of the pixels.
        pixel_format: FFmpeg's name.
        bits: per channel.
    """

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
        frame = frame_of(picture.pixels, at.clip, self.pixel_format, self.bits)
        frame.time_base = at.clip.time_base
        frame.pts, frame.duration = at.pts - round(offset(at.clip) / at.clip.time_base), at.duration
        _tag(frame, at.clip)
        return frame


def _encode(target: Container, video: Stream, others: OtherStreams, frames: Iterable[AvFrame]) -> None:
    """Write frames, and between them the packets of the other streams."""
    for frame in frames:
        others.write_until(frame.pts * frame.time_base)
        target.mux(video.encode(frame))
    target.mux(video.encode(None))
    others.write_until(None)


def _video(target: Container, clip: Clip, coding: ClipCoding, size: tuple[int, int], pixel_format: str) -> Stream:
    """Add the video stream."""
    options: dict[str, str] = {}
    if coding.chosen != "ffv1":
        options = {"crf": f"{coding.factor:g}", "preset": coding.preset or "medium"}
    if coding.chosen == "hevc":
        options["x265-params"] = "log-level=none"
    if coding.chosen == "ffv1":
        options = {"level": "3", "slicecrc": "1"}
    video = target.add_stream(_ENCODERS[coding.chosen], rate=clip.rate, options=options)
    video.width, video.height, video.pix_fmt = *size, pixel_format
    video.time_base = video.codec_context.time_base = clip.time_base
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


def _pixel_format(clip: Clip, coding: ClipCoding, size: tuple[int, int], bits: int) -> str:
    """Return the pixel format of the result: the input's, or one that the codec has for this size."""
    base = clip.pixel_format.removesuffix("10le")
    if clip.is_rgb and coding.chosen != "ffv1":
        base = "yuv444p"
    halves = {"yuv420p": (2, 2), "yuv422p": (2, 1)}.get(base, (1, 1))
    if coding.chosen != "ffv1" and (size[0] % halves[0] or size[1] % halves[1]):
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
