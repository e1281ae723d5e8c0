"""What the commands do with clips beside what they do with animations."""

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ...errors import PictureError
from ..batch.inputs import PIPE
from ..batch.job import Job
from ..options.clips import ClipOptions

if TYPE_CHECKING:
    from ...images.encoding import Encoding
    from ...images.picture import Picture
    from ...restoration.earlier_frames import EarlierFrames
    from ...restoration.problem import Problem
    from .reading import Input

TELL_EVERY: Final = 60.0
"""Seconds between lines of a log."""


def may_be_clip(path: Path) -> bool:
    """Return whether an input may be a clip, by its name."""
    from ...images.encoding import is_clip_name

    return path == PIPE or is_clip_name(path)


def clip_facts(clips: ClipOptions) -> dict[str, Any]:
    """Return what the recipe of a clip says of its options."""
    return {**clips.part().to_recipe(), "temporal": clips.temporal}


def sequence_facts(clips: ClipOptions | None) -> dict[str, Any]:
    """Return what the recipe of a numbered frame says of its options."""
    return {"sequence": True, "temporal": clips.temporal} if clips is not None and clips.sequence else {}


def check_clip(job: Job, shared: bool, traces: bool) -> None:
    """Refuse several results of a clip.

    Raises:
        PictureError: it is to have several.
    """
    if shared or traces or job.sample or not job.product.is_picture:
        raise PictureError(
            f"{job.source}: a clip has one result; leave --samples, --uncertainty, --uncertainty-view and --trace out"
        )


def earlier_frames(first: "Picture", clips: ClipOptions | None) -> "EarlierFrames | None":
    """Return what remembers the frames of a clip; None = each is restored alone."""
    from ...restoration.earlier_frames import EarlierFrames, opencv

    if first.source.clip is None or clips is None or clips.temporal == "off":
        return None
    opencv()
    return EarlierFrames()


def copied(read: "Input", first: "Picture", problem: "Problem", encoding: "Encoding", kind: str) -> "Picture | None":
    """Return what stands for all frames of a clip if none of them changes, so that it is copied; None = some do.

    Args:
        read: the clip.
        first: its first frame.
        problem: what is known of that.
        encoding: how the result is to be coded.
        kind: its format.
    """
    from ...images.video.writer import may_copy

    at = first.source.clip
    if at is None or not problem.leaves_alone or not may_copy(at.clip, kind, encoding.clip, encoding.depth):
        return None
    if not all(one.leaves_alone and one.picture is None for _, one in read.pages()):
        return None
    return replace(first, source=replace(first.source, clip=replace(at, is_copied=True)))


def not_held(first: "Picture", kind: str) -> Iterator[str]:
    """Yield a line for each stream of a clip that its result cannot hold."""
    from ...images.video.other_streams import left_out

    assert first.source.clip is not None
    other = "" if kind == "MKV" else "; -o out.mkv holds more"
    for what in left_out(first.source.clip.clip, kind):
        yield f"without {what}, which {kind} cannot hold{other}"


def beside(before: "Picture", after: "Picture") -> "Picture":
    """Return a frame of a comparison: a frame on the left, at the size of its result, which is on the right.

    Args:
        before: the frame.
        after: its result.
    """
    import numpy as np

    from ...degradation.operators import resize
    from ...images.tensors import to_array, to_tensor

    pixels, size = before.pixels, after.pixels.shape[:2]
    if pixels.shape[:2] != size:
        pixels = to_array(resize(to_tensor(pixels), (size[0], size[1])), pixels.shape[2])
    return replace(after, pixels=np.concatenate([pixels, after.pixels], axis=1))


def standing(first: "Picture", segments: "tuple[Path, ...]") -> "Picture":
    """Return what stands for all frames of a clip that are coded in segments."""
    at = first.source.clip
    assert at is not None
    return replace(first, source=replace(first.source, clip=replace(at, segments=segments)))


class Pace:
    """How far a file of several pages is, and how fast it goes."""

    def __init__(self, name: str, pages: int, before: int = 0) -> None:
        """Begin to count.

        Args:
            name: of the file.
            pages: how many there are.
            before: how many another run has done.
        """
        self.name, self.pages, self.before = name, pages, before
        self.start = self.told = time.monotonic()

    def is_due(self) -> bool:
        """Return whether it is time to tell a log. Ask once a page."""
        if time.monotonic() - self.told < TELL_EVERY:
            return False
        self.told = time.monotonic()
        return True

    def words(self, number: int) -> str:
        """Return how far it is when a page begins.

        Args:
            number: of the page, from 1.
        """
        done, seconds = number - 1 - self.before, time.monotonic() - self.start
        where = f"{self.name} {number}/{self.pages}"
        if done == 0 or seconds == 0:
            return where
        rate, left = done / seconds, round((self.pages - number + 1) * seconds / done)
        pace = f"{rate:.1f}/s" if rate >= 1 else f"{1 / rate:.1f} s each"
        return f"{where}, {pace}, {left // 3600}:{left // 60 % 60:02d}:{left % 60:02d} left"
