"""Segments: files with a few coded frames each, which are joined to one clip without coding them again."""

from collections import deque
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Final

from .clip import Clip
from .library import Packet, opened_clip

SEGMENT: Final = "nut"
"""FFmpeg's name of their container, which keeps every time base."""


def packets_of(paths: Sequence[Path], clip: Clip) -> Iterator[Packet]:
    """Yield the coded frames of segments in the order of decoding, with times of decoding that rise throughout.

    An encoder counts the times of decoding from each segment's own beginning. So they are set anew: the n-th frame is
    decoded when the n-th frame is shown, but for a delay by as many frames as the coding reorders.

    Args:
        paths: of the segments, in order. Each begins with a frame that needs no other.
        clip: what they were made from.
    """
    delay = max(_delay(path, clip) for path in paths)
    step = max(1, round(1 / (clip.rate * clip.time_base)))
    shown: deque[int] = deque()
    for path in paths:
        packets = _packets(path, clip)
        times = sorted(packet.pts for packet in packets)
        if not shown:
            shown.extend(times[0] - step * early for early in range(delay, 0, -1))
        shown.extend(times)
        for packet in packets:
            packet.dts = shown.popleft()
            yield packet


def _delay(path: Path, clip: Clip) -> int:
    """Return by how many frames a segment's frames are decoded before their turn."""
    times = [packet.pts for packet in _packets(path, clip)]
    rank = {time: place for place, time in enumerate(sorted(times))}
    return max(chain([0], (decoded - rank[time] for decoded, time in enumerate(times))))


def _packets(path: Path, clip: Clip) -> list[Packet]:
    """Return a segment's packets in the order of decoding, with the clip's times."""
    with opened_clip(str(path), format=SEGMENT) as source:
        packets = [packet for packet in source.demux(video=0) if packet.size]
    for packet in packets:
        packet.pts = round(packet.pts * packet.time_base / clip.time_base)
        packet.dts, packet.time_base = packet.pts, clip.time_base
    return packets
