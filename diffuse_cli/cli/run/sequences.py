"""Numbered pictures that are the frames of a clip (--sequence). Each has its own result."""

import re
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ...errors import PictureError, UsageError
from ..batch.job import Job

if TYPE_CHECKING:
    from ...images.picture import Picture
    from ...restoration.earlier_frames import EarlierFrames
    from ...restoration.noise_reading import NoiseReader
    from ...restoration.problem import Problem
    from ...tasks.task import Task

    ProblemOf = Callable[[Picture], Problem]

_NUMBER: Final = re.compile(r"(\d+)(?=\D*$)")


@dataclass(eq=False, slots=True)
class FrameSequence:
    """The frames of one sequence, in order.

    Attributes:
        jobs: one for each frame.
        earlier: what the frames so far have shown; None = each is restored alone.
        seen: how many frames that are.
    """

    jobs: list[Job]
    earlier: "EarlierFrames | None" = None
    seen: int = 0
    _problem_of: "ProblemOf | None" = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def middle(self) -> Path:
        """The frame that tells what is known of all frames."""
        return self.jobs[len(self.jobs) // 2].source

    def problem_of(self, task: "Task", max_pixels: int, read_noise: "NoiseReader | None") -> "ProblemOf":
        """Return what tells the problem of each frame, by the one in the middle. May be called from several threads.

        Raises:
            PictureError: that one cannot be read.
        """
        from ...images.image_io import read_picture
        from ...tasks.frames import problems_of_frames

        with self._lock:
            if self._problem_of is None:
                middle = read_picture(self.middle, max_pixels=max_pixels)
                self._problem_of = problems_of_frames(task, middle, read_noise)
            return self._problem_of

    def before(self, job: Job, max_pixels: int) -> "EarlierFrames | None":
        """Return what the frames before one have shown. Those that were skipped are looked at now."""
        number = self.jobs.index(job)
        if self.earlier is not None:
            for one in self.jobs[self.seen : number]:
                self._look_at(one, max_pixels)
        self.seen = number + 1
        return self.earlier

    def _look_at(self, job: Job, max_pixels: int) -> None:
        """Learn from a frame whose result is there already, or that cannot be read."""
        from ...images.image_io import read_picture

        earlier, problem_of = self.earlier, self._problem_of
        assert earlier is not None
        assert problem_of is not None
        try:
            picture = read_picture(job.source, max_pixels=max_pixels)
            problem = problem_of(picture)
            if earlier.repeated(picture, problem) is None:
                earlier.joined(picture, problem)
            earlier.done(picture)
            earlier.done(read_picture(job.output, max_pixels=max_pixels))
        except PictureError:
            return


def sequences_of(jobs: Sequence[Job], *, temporal: bool) -> dict[Path, FrameSequence]:
    """Return the sequence of each frame, by its file. Frames of one folder that differ by a number belong together.

    Args:
        jobs: one for each picture.
        temporal: earlier frames tell of the next.

    Raises:
        UsageError: a name has no number, or is the only one of its kind, or a frame has several results.
    """
    from ...restoration.earlier_frames import EarlierFrames, opencv

    if temporal:
        opencv()
    groups: dict[tuple[Path, str], list[tuple[int, Job]]] = {}
    for job in jobs:
        found = _NUMBER.search(job.source.stem)
        if found is None:
            raise UsageError(f"--sequence: {job.source_name} has no number in its name; leave it out")
        if job.sample or not job.product.is_picture:
            raise UsageError("--sequence: a frame has one result; leave --samples, --uncertainty and --trace out")
        name = job.source.stem[: found.start()] + "#" + job.source.stem[found.end() :] + job.source.suffix
        groups.setdefault((job.source.parent, name), []).append((int(found[1]), job))
    sequences: dict[Path, FrameSequence] = {}
    for (folder, name), numbered in groups.items():
        if len(numbered) == 1:
            raise UsageError(f"--sequence: {folder / name} has one frame; name at least two, or leave --sequence out")
        ordered = [job for _, job in sorted(numbered, key=lambda one: one[0])]
        one = FrameSequence(jobs=ordered, earlier=EarlierFrames() if temporal else None)
        sequences |= dict.fromkeys((job.source for job in ordered), one)
    return sequences
