"""What a clip says of itself. Nothing is decoded."""

from pathlib import Path
from typing import Any, BinaryIO

from .library import Container, Stream
from .other_streams import NAMES, coding_of
from .reader import HDR, opened_for_reading, origin_of, rate_of, said_end, video_of


def facts(file: BinaryIO, path: Path, max_pixels: int) -> dict[str, Any]:
    """Return what a clip says, as JSON holds it; None where it says nothing.

    Args:
        file: its content.
        path: its name.
        max_pixels: refuse larger frames.

    Returns:
        container, width, height, bits, gray, and clip: frames, seconds, rate (a second), coding, pixels, hdr ("PQ",
        "HLG" or None), rotation (degrees), streams (those beside the video, in words), chapters.

    Raises:
        PictureError: it cannot be opened, or holds no video.
    """
    with opened_for_reading(file) as container:
        stream = video_of(container, max_pixels)
        context = stream.codec_context
        seconds = float(said_end(container, stream) - origin_of(container))
        return {
            "container": _container(container, path),
            "width": context.width,
            "height": context.height,
            "bits": max((one.bits for one in context.format.components), default=8) if context.format else 8,
            "gray": context.format is not None and len(context.format.components) == 1,
            "clip": {
                "frames": stream.frames or None,
                "seconds": round(seconds, 3) if seconds > 0 else None,
                "rate": round(float(rate_of(stream)), 3),
                "coding": coding_of(stream),
                "pixels": context.pix_fmt,
                "hdr": HDR.get(int(context.color_trc)),
                "streams": [_words(one) for one in container.streams if one is not stream],
                "chapters": len(container.chapters()),
            },
        }


def _container(container: Container, path: Path) -> str:
    """Return the name of a container. That of MP4 and QuickTime is the same to FFmpeg, so the file's name decides."""
    name = str(container.format.name)
    if "matroska" in name:
        return "WEBM" if path.suffix.lower() == ".webm" else "MKV"
    if "mp4" in name:
        return "MOV" if path.suffix.lower() == ".mov" else "MP4"
    return "Y4M" if name == "yuv4mpegpipe" else name.upper()


def _words(stream: Stream) -> str:
    """Return what a stream is, in words."""
    language = stream.metadata.get("language", "")
    return f"{NAMES.get(stream.type, stream.type)} ({coding_of(stream)}{f', {language}' if language else ''})"
