"""What a clip holds beside its video: sound, subtitles, chapters, attachments, texts. It is copied, not coded again."""

import io
import math
from collections.abc import Iterator
from fractions import Fraction
from typing import Any, Final

from ..choices import Policy
from .clip import Clip
from .library import Container, Packet, Stream, first_video, is_cover, opened_clip, pyav

_OWN: Final = frozenset({"encoder", "major_brand", "minor_version", "compatible_brands", "duration"})
"""Texts that the container's writer sets itself."""
NAMES: Final = {
    "audio": "sound",
    "subtitle": "subtitles",
    "video": "picture",
    "data": "data",
    "attachment": "attachment",
}
_COVERS: Final = {"mjpeg": "image/jpeg", "png": "image/png"}
"""MIME types of cover pictures, by their coding."""
LONGEST_SUBTITLE: Final = 30
"""Seconds. Of subtitles that are seen when a part begins, those that came earlier are not found."""
_CONTAINERS: Final = {"MP4": "mp4", "MKV": "matroska", "Y4M": "yuv4mpegpipe"}


def container_name(kind: str) -> str:
    """Return FFmpeg's name of a container.

    Args:
        kind: "MP4", "MKV" or "Y4M".
    """
    return _CONTAINERS[kind]


def left_out(clip: Clip, kind: str) -> list[str]:
    """Return what a result's container cannot hold, in words.

    Args:
        clip: the input.
        kind: the container, "MP4", "MKV" or "Y4M".
    """
    known = _codecs_of(kind)
    with _source(clip) as source:
        video = first_video(source)
        others = [one for one in source.streams if one is not video and not _is_made_anew(one, source, kind)]
        missing = [one for one in others if not _is_held(one, kind, known)]
        return [f"{NAMES.get(one.type, one.type)} {one.index} ({coding_of(one)})" for one in missing]


def can_copy_video(clip: Clip, kind: str) -> bool:
    """Return whether a container holds the video of a clip as it is coded.

    Args:
        clip: the input.
        kind: the container, "MP4" or "MKV".
    """
    known = _codecs_of(kind)
    with _source(clip) as source:
        return coding_of(first_video(source), canonical=True) in known


def _codecs_of(kind: str) -> set[str]:
    """Return the names of the codings that a container takes."""
    with opened_clip(io.BytesIO(), "w", format=container_name(kind)) as empty:
        known: set[str] = empty.supported_codecs
        return known


def coding_of(stream: Stream, *, canonical: bool = False) -> str:
    """Return the name of a stream's coding.

    Args:
        stream: the stream.
        canonical: as containers know it, not as the decoder is called.
    """
    context = stream.codec_context
    if context is None:
        return "of an unknown kind"
    return str(context.codec.canonical_name if canonical else context.name)


def _is_made_anew(stream: Stream, source: Container, kind: str) -> bool:
    """Return whether a stream is the texts of chapters or the time code, which the result's writer makes itself."""
    if stream.type != "data" or stream.codec_context is not None:
        return False
    return len(source.chapters()) > 0 or (kind == "MP4" and "timecode" in stream.metadata)


def _is_held(stream: Stream, kind: str, known: set[str]) -> bool:
    """Return whether a container holds a stream."""
    if stream.type == "attachment":
        return kind == "MKV"
    if stream.codec_context is None:
        return False
    if is_cover(stream):
        return kind != "Y4M" and coding_of(stream) in _COVERS
    return stream.type in ("audio", "subtitle") and coding_of(stream, canonical=True) in known


class OtherStreams:
    """The streams beside the video, on their way from the input to the result."""

    def __init__(self, clip: Clip, target: Container, kind: str, policy: Policy, *, with_video: bool = False) -> None:
        """Open the input, and announce its streams to the result.

        Args:
            clip: the input.
            target: the result's container. Its video is there already, unless it is copied.
            kind: "MP4" or "MKV".
            policy: which texts are handed on; all, or none but languages.
            with_video: copy the video, too.
        """
        self.clip, self.target = clip, target
        self.source = _source(clip)
        known = target.supported_codecs
        video = first_video(self.source)
        self.copies: dict[int, Stream] = {}
        self.covers: list[Packet] = []
        for stream in self.source.streams:
            is_copied = with_video if stream is video else _is_held(stream, kind, known)
            if not is_copied:
                continue
            if stream.type == "attachment":
                target.add_attachment(stream.name or "attachment", stream.mimetype or "", stream.data)
                continue
            if is_cover(stream):
                self._add_cover(stream, kind)
                continue
            copy = target.add_stream_from_template(stream)
            copy.metadata.update(_texts(stream.metadata, policy))
            copy.disposition = stream.disposition
            self.copies[stream.index] = copy
        target.metadata.update(_texts(self.source.metadata, policy) if policy == "keep" else {})
        if video is not None and not with_video:
            target.streams.video[0].metadata.update(_video_texts(video.metadata, policy, clip))
            target.streams.video[0].disposition = video.disposition
        self.offset = offset(clip)
        target.set_chapters(self._chapters() if policy == "keep" else [])
        self.packets = self._packets()
        self.waiting = next(self.packets, None)

    def write_until(self, time: Fraction | None) -> None:
        """Copy what comes before a time.

        Args:
            time: in seconds of the result; None = copy the rest.
        """
        while self.waiting is not None:
            packet = self.waiting
            if time is not None and packet.dts is not None and packet.dts * packet.time_base >= time:
                return
            self.target.mux_one(packet)
            self.waiting = next(self.packets, None)

    def close(self) -> None:
        """Close the input."""
        self.source.close()

    def _add_cover(self, stream: Stream, kind: str) -> None:
        """Hand on a cover picture: as an attachment to MKV, as a stream of one packet to MP4."""
        with _source(self.clip) as source:
            packet = next(source.demux(source.streams[stream.index]))
        if kind == "MKV":
            coding = coding_of(stream)
            name = stream.metadata.get("filename") or f"cover.{'jpg' if coding == 'mjpeg' else coding}"
            self.target.add_attachment(name, _COVERS[coding], bytes(packet))
            return
        copy = self.target.add_stream_from_template(stream)
        copy.disposition = stream.disposition
        packet.pts = packet.dts = 0
        packet.stream = copy
        self.covers.append(packet)

    def _packets(self) -> Iterator[Packet]:
        """Yield the packets of the part, with the result's times."""
        yield from self.covers
        part, survey = self.clip.part, self.clip.survey
        if not self.copies:
            return
        streams = [self.source.streams[index] for index in self.copies]
        if part.start:
            early = LONGEST_SUBTITLE if any(one.type == "subtitle" for one in streams) else 0
            self.source.seek(max(int((survey.start - early) * 1_000_000), 0), backward=True)
        until = None if part.is_to_end else survey.end
        try:
            for packet in self.source.demux(streams):
                if packet.dts is None or packet.pts is None:
                    continue
                if packet.stream.type == "subtitle":
                    _shorten(packet, survey.start if part.start else None, until)
                time = packet.pts * packet.time_base
                if (part.start and time < survey.start) or (until is not None and time >= until):
                    continue
                shift = round(self.offset / packet.time_base)
                packet.pts, packet.dts = packet.pts - shift, packet.dts - shift
                packet.stream = self.copies[packet.stream.index]
                yield packet
        except (pyav().FFmpegError, EOFError):  # the file is cut off, which is told with the video
            return

    def _chapters(self) -> list[dict[str, Any]]:
        """Return the chapters of the part, with the result's times."""
        survey, chapters = self.clip.survey, []
        for one in self.source.chapters():
            base = one["time_base"] or Fraction(1, 1000)
            start, end = one["start"] * base, one["end"] * base
            if end <= survey.start or (start >= survey.end and not self.clip.part.is_whole):
                continue
            shift = round(self.offset / base)
            begin = max(one["start"] - shift, 0)
            chapters.append({**one, "start": begin, "end": max(one["end"] - shift, begin + 1)})
        return chapters


def _shorten(packet: Packet, start: Fraction | None, end: Fraction | None) -> None:
    """Let a subtitle that is seen at the beginning or the end of a part be seen there.

    Args:
        packet: the subtitle.
        start: second at which the part begins; None = it is that of the clip.
        end: second at which the part ends; None = it is that of the clip.
    """
    base = packet.time_base
    first, last = packet.pts, packet.pts + (packet.duration or 0)
    if start is not None and first < start / base < last:
        first = math.ceil(start / base)
    if end is not None:
        last = min(last, math.floor(end / base))
    if first != packet.pts or last < packet.pts + (packet.duration or 0):
        packet.pts = packet.dts = first
        packet.duration = max(last - first, 0)


def offset(clip: Clip) -> Fraction:
    """Return the seconds by which times of a result are earlier: those before the part."""
    return clip.survey.start if clip.part.start else Fraction(0)


def _source(clip: Clip) -> Container:
    return opened_clip(str(clip.path) if clip.data is None else io.BytesIO(clip.data))


def _texts(said: dict[str, str], policy: Policy) -> dict[str, str]:
    """Return what a container or a stream says, without what its writer says itself."""
    kept = {key: text for key, text in said.items() if key.lower() not in _OWN}
    return kept if policy == "keep" else {key: text for key, text in kept.items() if key == "language"}


def _video_texts(said: dict[str, str], policy: Policy, clip: Clip) -> dict[str, str]:
    """Return what the video says. The time code of its first frame holds only if that is the result's."""
    kept = _texts(said, policy)
    return {key: text for key, text in kept.items() if key.lower() != "timecode" or not clip.part.start}
