"""Pictures become a video file, frame by frame, beside the input's sound and subtitles."""

from collections.abc import Iterable
from typing import Any, BinaryIO, Final

from ...errors import PictureError
from ..choices import Depth, Policy
from ..picture import Picture
from .clip import Clip, ClipCoding
from .colour import frame_of
from .library import opened_clip
from .other_streams import OtherStreams, container_name, offset

_ENCODERS: Final = {"h264": "libx264", "hevc": "libx265", "ffv1": "ffv1"}
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
        PictureError: the frames differ in size.
        FFmpegError: the encoder fails.
    """
    pages = iter(pages)
    first = next(pages)
    assert first.source.clip is not None
    clip, size = first.source.clip.clip, (first.pixels.shape[1], first.pixels.shape[0])
    bits = 8 if depth == "8" else clip.bits
    pixel_format = _pixel_format(clip, coding, size, bits)
    options = {"movflags": "+faststart+use_metadata_tags"} if kind == "MP4" else {}
    with opened_clip(stream, "w", format=container_name(kind), options=options) as target:
        video = _video(target, clip, coding, size, pixel_format)
        if kind == "MP4" and coding.chosen in _TAGS:
            video.codec_context.codec_tag = _TAGS[coding.chosen]
        others = OtherStreams(clip, target, kind, policy)
        try:
            _sign(target, first.source.texts)
            _encode(target, video, others, first, pages, pixel_format, bits)
        finally:
            others.close()
    return _note(clip, pixel_format)


def _encode(
    target: Any, video: Any, others: OtherStreams, first: Picture, pages: Iterable[Picture], pixel_format: str, bits: int
) -> None:  # noqa: ANN401 - PyAV's
    picture: Picture | None = first
    rest = iter(pages)
    while picture is not None:
        assert picture.source.clip is not None
        if picture.pixels.shape != first.pixels.shape:
            raise PictureError("the frames of the result differ in size; give a size that does not depend on the frame")
        at = picture.source.clip
        frame = frame_of(picture.pixels, at.clip, pixel_format, bits)
        frame.time_base = at.clip.time_base
        frame.pts, frame.duration = at.pts - round(offset(at.clip) / at.clip.time_base), at.duration
        _tag(frame, at.clip)
        others.write_until(frame.pts * at.clip.time_base)
        target.mux(video.encode(frame))
        picture = next(rest, None)
    target.mux(video.encode(None))
    others.write_until(None)


def _video(target: Any, clip: Clip, coding: ClipCoding, size: tuple[int, int], pixel_format: str) -> Any:  # noqa: ANN401
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


def _tag(target: Any, clip: Clip) -> None:  # noqa: ANN401 - a frame or an encoder of PyAV's
    """Say of colours what the input said."""
    target.color_range, target.color_primaries, target.color_trc, target.colorspace = clip.tags


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


def _sign(target: Any, texts: Iterable[tuple[str, str]]) -> None:  # noqa: ANN401 - PyAV's
    """Say how it was made, beside what the input's comment says."""
    for key, text in texts:
        before = target.metadata.get(key)
        target.metadata[key] = f"{before}\n{text}" if before else text
