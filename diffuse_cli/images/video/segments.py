"""Segments: files with a few coded frames each, which are joined to one clip without coding them again."""

from collections.abc import Iterator, Sequence
from itertools import chain, pairwise
from pathlib import Path
from typing import Final

from .clip import Clip
from .library import Packet, opened_clip
from .other_streams import offset

SEGMENT: Final = "nut"
"""FFmpeg's name of their container, which keeps every time base."""


def packets_of(paths: Sequence[Path], clip: Clip) -> Iterator[Packet]:
    """Yield the coded frames of segments in the order of decoding, with times of decoding that rise throughout.

    An encoder counts the times of decoding from each segment's own beginning. So they are set anew: the n-th frame is
    decoded when the n-th frame is shown, but for a delay by as many frames as the coding reorders. A frame is shown
    until the next, and the last one for as long as the input shows it.

    Args:
        paths: of the segments, in order. Each begins with a frame that needs no other.
        clip: what they were made from.
    """
    pts = [[packet.pts for packet in _packets(path, clip)] for path in paths]
    delay, times = max(map(_delay, pts)), sorted(chain.from_iterable(pts))
    step = max(1, round(1 / (clip.rate * clip.time_base)))
    decoded = chain((times[0] - step * early for early in range(delay, 0, -1)), times)
    end = max(round((clip.survey.end - offset(clip)) / clip.time_base), times[-1] + 1)
    lengths = {time: later - time for time, later in pairwise([*times, end])}
    for path in paths:
        for packet in _packets(path, clip):
            packet.dts, packet.duration = next(decoded), lengths[packet.pts]
            yield packet


def _delay(pts: Sequence[int]) -> int:
    """Return by how many frames a segment's frames are decoded before their turn.

    Args:
        pts: when its frames are shown, in the order of decoding.
    """
    rank = {time: place for place, time in enumerate(sorted(pts))}
    return max(chain([0], (decoded - rank[time] for decoded, time in enumerate(pts))))


def _packets(path: Path, clip: Clip) -> list[Packet]:
    """Return a segment's packets in the order of decoding, with the clip's times."""
    with opened_clip(str(path), format=SEGMENT) as source:
        packets = [packet for packet in source.demux(video=0) if packet.size]
    for packet in packets:
        packet.pts = round(packet.pts * packet.time_base / clip.time_base)
        packet.dts, packet.time_base = packet.pts, clip.time_base
    return packets
