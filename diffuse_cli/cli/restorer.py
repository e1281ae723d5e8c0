"""The restorers' work on a picture: read, restore, write."""

import hashlib
import io
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import recipe
from ..batches.batch import MOST_WEIGHT
from ..batches.inputs import PIPE
from ..batches.plan import Job
from ..errors import PictureError
from .display import Display
from .options import Compute, Files, Keeping
from .planning import Batch, plan_files, sha256_of, show_plan
from .results import Results
from .working import begin, work_through

if TYPE_CHECKING:
    from ..device import Model
    from ..image_file.encoding import Encoding
    from ..image_file.picture import Picture
    from ..request import Request, Restore
    from ..settings import Settings
    from ..task import Task

RequestOf = Callable[[Job], "tuple[Request, Mapping[str, Any]]"]
"""What is asked for one picture, and what its recipe says of the files that this needs."""


def restore_files(
    op: str,
    request: "Request | RequestOf",
    files: Files,
    keeping: Keeping,
    compute: Compute,
    steps: int,
    *,
    extra: Mapping[str, Any] | None = None,
    others: "tuple[Path, ...]" = (),
    prepare: "Callable[[Batch], None] | None" = None,
) -> None:
    """Run a request on every input. Exits with the batch's code.

    Args: extra: what the recipes say beside the request; others: files that are not to be overwritten either;
        prepare: told of the plan, before the model is loaded.
    Raises: UsageError: the plan cannot be carried out. CheckpointError: the model cannot be used.
    """
    encoding = keeping.encoding()
    asked = _Asked(
        op=op,
        of=request if callable(request) else lambda _job: (request, extra or {}),
        settings=compute.settings(steps),
        compute=compute,
        encoding=encoding,
    )
    what = plan_files(op, files, encoding, asked.wanted, seed=compute.seed, others=others)
    if files.dry_run:
        show_plan(what, files)
        return
    if prepare is not None:
        prepare(what)
    with Display(quiet=files.quiet, total=len(what.jobs)) as display:
        begin(what, files, display)
        model = compute.load() if any(job.action != "skip" for job in what.jobs) else None
        results = Results(batch=what, files=files, encoding=encoding, display=display)
        work_through(what, files, _Restorer(asked=asked, files=files, model=model, results=results), display)


@dataclass(frozen=True, kw_only=True)
class _Asked:
    """What is asked for, in the words of recipes."""

    op: str
    of: RequestOf
    settings: "Settings"
    compute: Compute
    encoding: "Encoding"

    @cached_property
    def computing(self) -> Mapping[str, Any]:
        """The part that is the same for every picture.

        Raises: CheckpointError, UsageError: as `Compute.load`.
        """
        from ..checkpoint import file_sha256, find
        from ..device import chosen_dtype

        dtype = chosen_dtype(self.compute.device.value, self.compute.dtype.value)
        return recipe.of_computing(self.op, self.settings, file_sha256(find(self.compute.model)), dtype)

    def wanted(self, job: Job) -> dict[str, Any]:
        """What is known before the picture is read; its hash is still to come."""
        request, extra = self.of(job)
        coding = self.encoding.told(job.output) if job.output != PIPE else {}
        return {**self.computing, **_of_request(request), **extra, **coding, "input": ""}


_ESTIMATED = {"auto": "noise", "poisson": "noise by brightness", "auto-map": "noise by brightness and place"}


def _of_request(request: "Request") -> dict[str, Any]:
    """A request's options, as far as they are given; a mask or noise map is told by its hash."""
    from ..request import Restore

    if isinstance(request, Restore):
        return _of_restore(request)
    files = ("mask", "noise_map", "insert")
    values = {field: getattr(request, field) for field in request.__dataclass_fields__ if field not in files}
    if values.get("noise") in _ESTIMATED:
        told = _ESTIMATED[values.pop("noise")]
        if getattr(request, "noise_map", None) is None:
            values["estimated"] = [told]
    if "strength" in values and values.get("chroma_strength", 0) is None:
        values["chroma_strength"] = values["strength"]
    return {key: value for key, value in values.items() if value is not None}


def _of_restore(request: "Restore") -> dict[str, Any]:
    """What is not undone is told too, or what another line made could be taken for this one's."""
    given = {"noise": request.noise or 0.0, "jpeg": request.jpeg or 100.0, "blur": request.blur or 0.0}
    told: dict[str, Any] = {name: value for name, value in given.items() if name not in request.estimated}
    only_then = {"noise": "noise if blurred"} if request.noise == "if-blurred" else {}
    told["estimated"] = [only_then.get(name, name) for name in request.estimated]
    holes: dict[str, Any] = {"mask": None, "boxes": [], "invert_mask": False}
    return {**holes, **told, "scale": request.scale, **({} if request.holes is None else _of_request(request.holes))}


def _resolved(wanted: Mapping[str, Any], task: "Task") -> dict[str, Any]:
    """What is known once the picture is read: what was estimated, and what follows from its size."""
    from ..degradation import LEVEL

    found: dict[str, Any] = dict(task.facts)
    guide, estimated = task.guide, [name.split()[0] for name in wanted.get("estimated", ())]
    if "noise" in estimated:
        found["noise"] = (task.noise if guide is None else guide.noise) * LEVEL
    if "jpeg" in estimated:
        found["jpeg"] = 100.0 if guide is None else guide.quality
    if "blur" in estimated:
        found["blur"] = 0.0 if guide is None else guide.blur / guide.scale
    if guide is not None:
        found["scale"] = guide.scale
        found |= {"jpeg_quality": guide.quality} if guide.quality < 100 else {}
    if task.size is not None:
        found["size"] = [task.size[1], task.size[0]]
    return found


def header_pixels(path: Path) -> int:
    """How many pixels a file has; what cannot be told counts as the most."""
    from ..image_file.pillow_reader import quick_size

    width, height = quick_size(path) or (MOST_WEIGHT, 1)
    return width * height


def _state(path: Path) -> tuple[int, int] | None:
    try:
        info = path.stat()
    except OSError:
        return None
    return info.st_size, info.st_mtime_ns


@dataclass(slots=True)
class _Read:
    """A picture that is ready to be restored, and the pages after it."""

    first: "Picture"
    task: "Task"
    request: "Request"
    made: dict[str, Any]
    rest: "Iterator[Picture]"
    encoding: "Encoding"


@dataclass(slots=True)
class _Restored:
    """What is to be written; None = it is, page by page.

    Attributes:
        shown: the first page before and after, where it is to be looked at.
    """

    pages: "list[Picture] | None"
    made: dict[str, Any]
    encoding: "Encoding"
    shown: "tuple[Picture, Picture, Task] | None" = None


@dataclass(frozen=True, kw_only=True)
class _Restorer:
    """How each picture is read, restored and written."""

    asked: _Asked
    files: Files
    model: "Model | None"
    results: Results

    def weight(self, job: Job) -> int:
        """Its pixels by its header."""
        return header_pixels(job.source)

    def read(self, job: Job) -> _Read:
        """Claim, hash, decode, and find out what is to be found out."""
        from ..image_file.image_io import check_fits, read_pages

        self.results.claim(job)
        wanted = self.asked.wanted(job)
        before = _state(job.source)
        data = io.BytesIO(sys.stdin.buffer.read()) if job.source == PIPE else None
        wanted["input"] = hashlib.sha256(data.getbuffer()).hexdigest() if data else sha256_of(job.source)
        self.results.check_still_due(job, wanted)
        pages = read_pages(job.source, max_pixels=self.files.max_pixels, data=data)
        picture = next(pages)
        if _state(job.source) != before:
            raise PictureError(f"{job.source}: it changed while it was read; wait until it is written, and try again")
        encoding = self.asked.encoding
        if job.output == PIPE:
            encoding = encoding.like(picture.source.format)
            wanted |= encoding.told(PIPE)
        check_fits(picture, job.output, encoding)
        request, _ = self.asked.of(job)
        task = request.task(picture)
        made = recipe.plain({**wanted, **_resolved(wanted, task)})
        return _Read(picture, task, request, made, pages, encoding)

    def restore(self, job: Job, read: _Read) -> _Restored:
        """Restore a picture; where it has several pages, they are written as they are restored."""
        self.results.display.show(job.source.name)
        kept: list[Picture] = []
        pages = self.pages(job, read, kept)
        if read.first.source.pages > 1:
            self.results.write(job, pages, read.made, read.encoding)
            restored = None
        else:
            restored = list(pages)
        shown = (read.first, kept[0], read.task) if kept else None
        return _Restored(restored, read.made, read.encoding, shown)

    def pages(self, job: Job, read: _Read, kept: "list[Picture]") -> "Iterator[Picture]":
        """The restored pages; the next is read when the one before is written.

        Args: kept: gets the first one, where it is to be looked at.
        """
        from ..restoration import restore

        display = self.results.display
        if self.model is None:
            raise PictureError("the plan said that nothing is to be done; report this as a bug")
        self.warn(job, read)
        picture, task, number = read.first, read.task, 1
        while True:
            name = f"{job.source}: page {number}" if picture.source.pages > 1 else str(job.source)
            for line in (*(() if self.files.quiet else task.notes), *task.warnings):
                display.say(f"{name}: {line}")
            restored = restore(picture, task, self.asked.settings, self.model, display.progress)
            if number == 1 and self.results.shows(job):
                kept.append(restored)
            yield self.results.signed(restored, read.made)
            following = next(read.rest, None)
            if following is None:
                return
            picture, number = following, number + 1
            task = read.request.task(picture)

    def write(self, job: Job, restored: _Restored) -> dict[str, Any]:
        """Write what is restored."""
        if restored.pages is not None:
            self.results.write(job, restored.pages, restored.made, restored.encoding)
        if restored.shown is not None:
            before, after, task = restored.shown
            self.results.show(job, before, after, restored.made, task)
        return {"recipe": restored.made}

    def let_go(self, job: Job) -> None:
        """Work on it has ended."""
        self.results.let_go(job)

    def warn(self, job: Job, read: _Read) -> None:
        """Say what the result's file cannot keep."""
        from ..image_file.image_io import is_lossless

        say = self.results.display.say
        exact = read.task.hole is not None or read.task.consistent
        if exact and not is_lossless(job.output, read.first, read.encoding):
            say(f"{job.output}: a lossy format; pixels that stay exact need a lossless one, like -o out.png")
        for part in read.first.source.left_behind:
            say(f"{job.output}: without {part} of the input, made for the picture as it was")
