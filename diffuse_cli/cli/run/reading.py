"""Inputs that are read, and computed on, once for all of their results."""

import hashlib
import io
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Callable, Generator, Iterator, Mapping
from functools import partial
from itertools import chain, islice
from pathlib import Path
from types import MappingProxyType
from typing import IO, TYPE_CHECKING, Final

from ...errors import PictureError
from ...system.streams import is_stream, stdin_parts
from ...system.urls import Url, content
from ..batch.inputs import PIPE
from ..batch.job import Job
from .planning import sha256_of

if TYPE_CHECKING:
    from ...images.picture import Picture
    from ...images.video.clip import ClipPart
    from ...restoration.noise_reading import NoiseReader
    from ...restoration.problem import Problem
    from ...restoration.samples import Samples
    from ...tasks.task import Task
    from .damaged import Mender
    from .sequences import FrameSequence

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
        sequence: "FrameSequence | None" = None,
        *,
        as_light: bool = False,
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
            sequence: the frames that it is one of.
            as_light: camera RAW is read as the light of its sensor.
            data: content of the file; None = it is still to be read.
        """
        self.sequence = sequence
        self.path, self.task, self.max_pixels, self.read_noise = path, task, max_pixels, read_noise
        self.mend, self.part, self.as_light = mend, part, as_light
        self.lock = threading.Lock()
        self.is_told = False
        self.samples: Samples | None = None
        self._data = data
        self._spool: IO[bytes] | None = None
        self._digest = ""
        self._state: tuple[int, int] | None = None
        self._opened: tuple[Picture, Problem] | None = None
        self._problem_of: Callable[[Picture], Problem] = task.problem

    @property
    def sha256(self) -> str:
        """The hash of the file."""
        if not self._digest:
            if self._data is None and isinstance(self.path, Url):
                self._data = content(self.path)
            if self._data is not None:
                self._digest = hashlib.sha256(self._data).hexdigest()
                return self._digest
            self._state = _state(self.path)
            self._digest = self._take_stdin() if self.path == PIPE else sha256_of(self.path)
        return self._digest

    def _take_stdin(self) -> str:
        """Read stdin, and return its hash. A clip goes into a temporary file, since it may not fit into the memory."""
        from ...images.video.head import is_clip

        parts, digest = stdin_parts(), hashlib.sha256()
        head = b""
        while len(head) < 16 and (part := next(parts, b"")):
            head += part
        if is_clip(head):
            self._spool = tempfile.NamedTemporaryFile(prefix="diffuse-stdin-")  # noqa: SIM115 - as long as this input
        kept: list[bytes] = []
        take = kept.append if self._spool is None else self._spool.write
        for part in chain([head], parts):
            digest.update(part)
            take(part)
        if self._spool is None:
            self._data = b"".join(kept)
        else:
            self._spool.flush()
        return digest.hexdigest()

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
            if self.sequence is not None:
                self._check_frame(first)
                self._problem_of = self.sequence.problem_of(self.task, self.max_pixels, self.read_noise)
            elif first.source.frame is None:
                self._problem_of = partial(self.task.problem, read_noise=self.read_noise)
            else:
                self._problem_of = problems_of_frames(self.task, self._judged(first, pages), self.read_noise)
            pages.close()
            self._check_unchanged()
            self._opened = first, self._problem_of(first)
        return self._opened

    def _check_frame(self, first: "Picture") -> None:
        if first.source.pages > 1 or first.source.frame is not None:
            raise PictureError(f"{self.path}: has several pages or frames; leave it or --sequence out")

    def _judged(self, first: "Picture", pages: "Iterator[Picture]") -> "Picture":
        """Return the frame that tells what is known of all frames. A long clip is not read up to its middle."""
        from ...images.picture import middle_frame

        clip = first.source.clip
        if clip is not None:
            self.part = clip.clip.part
            if first.source.pages > FEW:
                return next(self._pages(clip.clip.middle))
        return next(islice(chain([first], pages), middle_frame(first.source.pages) - 1, None))

    def pages(self, begin: int = 0) -> "Iterator[tuple[Picture, Problem]]":
        """Yield all pages. Each but the first is read when the one before is done with.

        Args:
            begin: leave out so many.
        """
        with self.lock:
            first, problem = self.opened()
        if begin == 0:
            yield first, problem
        if first.source.pages == 1:
            return
        self._check_unchanged()
        for page in islice(self._pages(), max(begin, 1), None):
            yield page, self._problem_of(page)

    def _pages(self, part: "ClipPart | None" = None) -> "Generator[Picture]":
        from ...images.image_io import read_pages

        data: io.BufferedReader | io.BytesIO | None = None if self._data is None else io.BytesIO(self._data)
        if self._spool is not None:
            data = Path(self._spool.name).open("rb")  # noqa: SIM115 - closed by `read_pages`
        pages = read_pages(
            self.path, max_pixels=self.max_pixels, data=data, part=part or self.part, as_light=self.as_light
        )
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
        sequences: "Mapping[Path, FrameSequence]" = MappingProxyType({}),
        as_light: "Callable[[Job], bool]" = lambda job: False,
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
            sequences: by the files of their frames.
            as_light: returns whether camera RAW is read as the light of its sensor.
            given: returns the content of an input's file; None = it is to be read.
        """
        self.sequences = sequences
        self.of, self.max_pixels, self.shared, self.read_noise = of, max_pixels, shared, read_noise
        self.mend, self.part, self.as_light, self.given = mend, part, as_light, given
        self._kept: OrderedDict[tuple[Path, bool], Input] = OrderedDict()
        self._lock = threading.Lock()

    def __call__(self, job: Job) -> Input:
        """Return a job's input."""
        if not self.shared:
            return self._input(job)
        with self._lock:
            key = job.source, self.as_light(job)
            if key not in self._kept:
                self._kept[key] = self._input(job)
                if len(self._kept) > IN_HAND:
                    self._kept.popitem(last=False)
            return self._kept[key]

    def _input(self, job: Job) -> Input:
        return Input(
            job.source, self.of(job), self.max_pixels, self.read_noise, self.mend, self.part,
            self.sequences.get(job.source), as_light=self.as_light(job), data=self.given(job.source),
        )  # fmt: skip
