"""Inputs that are read, and computed on, once for all of their results."""

import hashlib
import io
import threading
from collections import OrderedDict
from collections.abc import Callable, Generator, Iterator
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ...errors import PictureError
from ...system.streams import is_stream, read_stdin
from ...system.urls import Url, content
from ..batch.inputs import PIPE
from ..batch.plan import Job
from .planning import sha256_of

if TYPE_CHECKING:
    from ...images.picture import Picture
    from ...images.video.clip import ClipPart
    from ...restoration.noise_reading import NoiseReader
    from ...restoration.problem import Problem
    from ...restoration.samples import Samples
    from ...tasks.task import Task
    from .damaged import Mender

FEW: Final = 100
"""A clip of more frames is not decoded up to its middle."""
IN_HAND: Final = 2
"""Inputs that are kept for further results. Two, because reading runs ahead."""


class Input:
    """A file of one or more pages, and what is known of the first. `lock` is held while it is read."""

    def __init__(
        self,
        path: Path,
        task: "Task",
        max_pixels: int,
        read_noise: "NoiseReader | None" = None,
        mend: "Mender | None" = None,
        part: "ClipPart | None" = None,
        data: bytes | None = None,
    ) -> None:
        """Prepare. Nothing is read yet.

        Args:
            path: the file.
            task: what is asked for.
            max_pixels: the most that a page may have.
            read_noise: reads the noise of photographs.
            mend: what is done with each page before the task.
            part: what is read of a clip; None = clips are refused.
            data: content of the file; None = it is still to be read.
        """
        self.path, self.task, self.max_pixels, self.read_noise = path, task, max_pixels, read_noise
        self.mend, self.part = mend, part
        self.lock = threading.Lock()
        self.is_told = False
        self.samples: Samples | None = None
        self._data = data
        self._digest = ""
        self._state: tuple[int, int] | None = None
        self._opened: tuple[Picture, Problem] | None = None
        self._problem_of: Callable[[Picture], Problem] = task.problem

    @property
    def sha256(self) -> str:
        """The hash of the file."""
        if not self._digest:
            if self._data is None and self.path == PIPE:
                self._data = read_stdin()
            elif self._data is None and isinstance(self.path, Url):
                self._data = content(self.path)
            self._state = _state(self.path) if self._data is None else None
            self._digest = sha256_of(self.path) if self._data is None else hashlib.sha256(self._data).hexdigest()
        return self._digest

    def opened(self) -> "tuple[Picture, Problem]":
        """Return the first page, and what is known of it.

        The frame in the middle of an animation tells what is known of all frames.

        Raises:
            PictureError: it cannot be read, or does not fit the task.
        """
        if self._opened is None:
            from ...tasks.frames import problems_of_frames

            pages = self._pages()
            first = next(pages)
            if first.source.frame is None:
                self._problem_of = partial(self.task.problem, read_noise=self.read_noise)
            else:
                self._problem_of = problems_of_frames(self.task, self._judged(first, pages), self.read_noise)
            pages.close()
            self._check_unchanged()
            self._opened = first, self._problem_of(first)
        return self._opened

    def _judged(self, first: "Picture", pages: "Iterator[Picture]") -> "Picture":
        """Return the frame that tells what is known of all frames. A long clip is not read up to its middle."""
        from ...images.picture import middle_frame

        clip = first.source.clip
        if clip is not None:
            self.part = clip.clip.part
            if first.source.pages > FEW:
                return next(self._pages(clip.clip.middle))
        return next(islice(chain([first], pages), middle_frame(first.source.pages) - 1, None))

    def pages(self) -> "Iterator[tuple[Picture, Problem]]":
        """Yield all pages. Each but the first is read when the one before is done with."""
        with self.lock:
            first, problem = self.opened()
        yield first, problem
        if first.source.pages == 1:
            return
        self._check_unchanged()
        pages = self._pages()
        next(pages)
        for page in pages:
            yield page, self._problem_of(page)

    def _pages(self, part: "ClipPart | None" = None) -> "Generator[Picture]":
        from ...images.image_io import read_pages

        data = None if self._data is None else io.BytesIO(self._data)
        pages = read_pages(self.path, max_pixels=self.max_pixels, data=data, part=part or self.part)
        return pages if self.mend is None else (self.mend(self.path, page) for page in pages)

    def _check_unchanged(self) -> None:
        if self._data is None and self._state != _state(self.path):
            raise PictureError(f"{self.path}: changed while it was read; wait until it is written, and try again")


def _state(path: Path) -> tuple[int, int] | None:
    if is_stream(path):  # read once, whatever becomes of it
        return None
    try:
        info = path.stat()
    except OSError:
        return None
    return info.st_size, info.st_mtime_ns


class Inputs:
    """The inputs in hand. May be called from several threads."""

    def __init__(
        self,
        of: "Callable[[Job], Task]",
        max_pixels: int,
        *,
        shared: bool,
        read_noise: "NoiseReader | None" = None,
        mend: "Mender | None" = None,
        part: "ClipPart | None" = None,
        given: Callable[[Path], bytes | None] = lambda _path: None,
    ) -> None:
        """Prepare.

        Args:
            of: returns a job's task.
            max_pixels: the most that a page may have.
            shared: inputs have several results, one after the other.
            read_noise: reads the noise of photographs.
            mend: what is done with each page before the task.
            part: what is read of clips; None = they are refused.
            given: returns the content of an input's file; None = it is to be read.
        """
        self.of, self.max_pixels, self.shared, self.read_noise = of, max_pixels, shared, read_noise
        self.mend, self.part, self.given = mend, part, given
        self._kept: OrderedDict[Path, Input] = OrderedDict()
        self._lock = threading.Lock()

    def __call__(self, job: Job) -> Input:
        """Return a job's input."""
        if not self.shared:
            return self._input(job)
        with self._lock:
            if job.source not in self._kept:
                self._kept[job.source] = self._input(job)
                if len(self._kept) > IN_HAND:
                    self._kept.popitem(last=False)
            return self._kept[job.source]

    def _input(self, job: Job) -> Input:
        data = self.given(job.source)
        return Input(job.source, self.of(job), self.max_pixels, self.read_noise, self.mend, self.part, data)
