"""The restorers' work on a picture: read, restore, write."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import PictureError, UsageError
from ...provenance import recipe
from ...system.process import give_back
from ..batch import plan
from ..batch.inputs import PIPE
from ..batch.pipeline import MOST_WEIGHT
from ..batch.plan import Job
from ..options.options import Compute, Files, MetadataOptions, SamplingOptions
from .display import Display
from .planning import Batch, coding_of, plan_files, show_plan
from .reading import Input, Inputs
from .results import Results
from .working import begin, work_through

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ...diffusion.model import Model
    from ...diffusion.settings import Settings
    from ...images.encoding import Encoding
    from ...images.picture import Picture
    from ...restoration.problem import Problem
    from ...restoration.samples import Samples
    from ...restoration.sampling_request import SamplingRequest
    from ...tasks.task import Task

Adapt = Callable[["Model", Display], "Model"]

TaskOf = Callable[[Job], "tuple[Task, Mapping[str, Any]]"]
"""What is asked for one picture, and what its recipe says of the files that this needs."""


def restore_files(
    op: str,
    task: "Task | TaskOf",
    files: Files,
    keeping: MetadataOptions,
    compute: Compute,
    which: SamplingOptions,
    *,
    extra: Mapping[str, Any] | None = None,
    others: "tuple[Path, ...]" = (),
    prepare: "Callable[[Batch], None] | None" = None,
    saved: Callable[[Job], Path | None] = lambda _job: None,
    adapt: "Adapt | None" = None,
) -> None:
    """Run a request on every input. Exits with the batch's code.

    Args: extra: what the recipes say beside the request; others: files that are not to be overwritten either;
        saved: where what is filled in a picture is written as a mask; prepare: told of the plan, before the model is
        loaded; adapt: makes of the model what is restored with.
    Raises: UsageError: the plan cannot be carried out. CheckpointError: the model cannot be used.
    """
    encoding, answers = keeping.encoding(), which.answers()
    asked = _Asked(
        op=op,
        of=task if callable(task) else lambda _job: (task, extra or {}),
        answers=answers,
        base=compute.settings(1),
        parts=which.parts,
        compute=compute,
        encoding=encoding,
    )
    what = plan_files(
        op, files, encoding, asked.wanted, seed=compute.seed, samples=answers.pictures, parts=which.parts, others=others
    )
    _check_saved(what.jobs, files, saved, others)
    if files.dry_run:
        show_plan(what, files)
        return
    if prepare is not None:
        prepare(what)
    with Display(quiet=files.quiet, total=len(what.jobs)) as display:
        begin(what, files, display)
        model = compute.load() if any(job.action != "skip" for job in what.jobs) else None
        model = adapt(model, display) if model is not None and adapt is not None else model
        results = Results(batch=what, files=files, encoding=encoding, display=display)
        inputs = Inputs(
            lambda job: asked.of(job)[0], files.max_pixels, shared=answers.pictures > 1 or bool(which.parts)
        )
        restorer = _Restorer(asked=asked, files=files, model=model, results=results, inputs=inputs, saved=saved)
        work_through(what, files, restorer, display)


def _check_saved(
    jobs: Sequence[Job], files: Files, saved: Callable[[Job], Path | None], others: "tuple[Path, ...]"
) -> None:
    """Masks that are written lose nothing.

    Raises: UsageError: two of one name, one that is an input or a result, or that exists and is not to be replaced.
    """
    named = {job.source: saved(job) for job in jobs if job.action != "skip"}  # several results have one mask
    masks = [path for path in named.values() if path is not None]
    if not masks:
        return
    taken = [path for job in jobs for path in (job.source, job.output) if path != PIPE]
    if len({*masks}) < len(masks):
        raise UsageError("--save-mask: two pictures have masks of one name; use a folder or 'm/{stem}.png'")
    plan.check_free(masks, [*taken, *others])
    if files.exists != "overwrite" and not files.resume:
        plan.refuse_existing([path for path in masks if os.path.lexists(path)])
    plan.check_folders(masks, may_create=True)


@dataclass(frozen=True, kw_only=True)
class _Asked:
    """What is asked for, in the words of recipes.

    Attributes:
        base: how to compute, but for what is drawn.
        parts: what is written beside the restored pictures.
    """

    op: str
    of: TaskOf
    answers: "SamplingRequest"
    base: "Settings"
    parts: Mapping[str, str]
    compute: Compute
    encoding: "Encoding"

    @cached_property
    def drawing(self) -> "Settings":
        """How samples are drawn."""
        return self.answers.drawing(self.base)

    @cached_property
    def checkpoint(self) -> tuple[str, str, bool]:
        """Its hash, the type of numbers that it is computed with, and whether it is compiled.

        Raises: CheckpointError, UsageError: as `Compute.load`.
        """
        from ...diffusion.checkpoint import file_sha256, find
        from ...diffusion.model import chosen_dtype

        how = self.compute
        dtype = chosen_dtype(how.device.value, how.dtype.value, how.engine.value)
        return file_sha256(find(how.model)), dtype, how.compile

    def settings(self, job: Job) -> "Settings":
        """How a restored picture is computed."""
        return replace(self.answers.settings(self.op, self.base), sample=job.sample)

    def computing(self, job: Job) -> Mapping[str, Any]:
        """How a result is computed, in a recipe's words."""
        if job.part:
            samples = None if job.part == "trace" else self.answers.count
            return recipe.of_part(job.part, recipe.of_computing(self.op, self.drawing, *self.checkpoint), samples)
        told = recipe.of_computing(self.op, self.settings(job), *self.checkpoint)
        return recipe.of_average(told, self.answers.count) if self.answers.average else told

    def wanted(self, job: Job) -> dict[str, Any]:
        """What is known before the picture is read; its hash is still to come."""
        task, extra = self.of(job)
        coding = coding_of(job.part, self.encoding).told(job.output) if job.output != PIPE else {}
        return {**self.computing(job), **task.to_recipe(), **extra, **coding, "input": ""}


def _resolved(wanted: Mapping[str, Any], problem: "Problem") -> dict[str, Any]:
    """What is known once the picture is read: what was estimated, and what follows from its size."""
    from ...images.units import LEVEL

    found: dict[str, Any] = dict(problem.findings.facts)
    what, estimated = problem.degradation, [name.split()[0] for name in wanted.get("estimated", ())]
    if "noise" in estimated:
        found["noise"] = what.noise * LEVEL
    if "jpeg" in estimated:
        found["jpeg"] = what.quality
    if "blur" in estimated:
        found["blur"] = what.blur / what.scale
    if problem.guide is not None:
        found["scale"] = what.scale
        found |= {"jpeg_quality": what.quality} if what.quality < 100 else {}
    if problem.size is not None:
        found["size"] = [problem.size[1], problem.size[0]]
    return found


def _write_mask(path: Path, hole: "NDArray[np.bool_]") -> None:
    """White = filled, in a folder that is made if need be.

    Raises: PictureError: it cannot be written.
    """
    from ...images.image_io import write_picture
    from ...images.mask_picture import mask_picture

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise PictureError(f"{path.parent}: the folder cannot be created: {error.strerror}") from None
    write_picture(mask_picture(hole), path)


def header_pixels(path: Path) -> int:
    """How many pixels a file has; what cannot be told counts as the most."""
    from ...images.pillow_reader import quick_size

    width, height = quick_size(path) or (MOST_WEIGHT, 1)
    return width * height


def _tidy_after(picture: "Picture") -> None:
    """Before the next step takes memory, give back what the last one has left of it: of a large picture, a gigabyte."""
    from ...system.arrays import MAPPED_FROM

    if picture.pixels.nbytes >= MAPPED_FROM:
        give_back()


@dataclass(slots=True)
class _Read:
    """A picture that is ready to be restored, with its file."""

    input: Input
    first: "Picture"
    problem: "Problem"
    made: dict[str, Any]
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
    hole: "NDArray[np.bool_] | None" = None
    shown: "tuple[Picture, Picture, Problem] | None" = None


@dataclass(frozen=True, kw_only=True)
class _Restorer:
    """How each picture is read, restored and written."""

    asked: _Asked
    files: Files
    model: "Model | None"
    results: Results
    inputs: Inputs
    saved: Callable[[Job], Path | None]

    def weight(self, job: Job) -> int:
        """Its pixels by its header."""
        return header_pixels(job.source)

    def read(self, job: Job) -> _Read:
        """Claim, hash, decode, and find out what is to be found out."""
        self.results.claim(job)
        wanted, source = self.asked.wanted(job), self.inputs(job)
        with source.lock:
            wanted["input"] = source.sha256
            self.results.check_still_due(job, wanted)
            picture, problem = source.opened()
        _tidy_after(picture)
        encoding = coding_of(job.part, self.asked.encoding)
        if job.output == PIPE:
            encoding = encoding.like(picture.source.format)
            wanted |= encoding.told(PIPE)
        self.check_fits(job, picture, encoding)
        made = recipe.plain({**wanted, **_resolved(wanted, problem)})
        return _Read(source, picture, problem, made, encoding)

    def check_fits(self, job: Job, picture: "Picture", encoding: "Encoding") -> None:
        """Refuse, before the work, what the result's file cannot hold."""
        from ...images.image_io import Source, check_fits

        if job.part:
            depth = 16 if job.part == "uncertainty" else 8
            picture = replace(
                picture, alpha=None, depth=depth, floating=False, source=Source(pages=picture.source.pages)
            )
        check_fits(picture, job.output, encoding)

    def restore(self, job: Job, read: _Read) -> _Restored:
        """Restore a picture; where it has several pages, they are written as they are restored."""
        self.results.display.show(job.source.name)
        if read.first.source.pages > 1 and self.saved(job) is not None:
            raise PictureError(f"{job.source}: it has several pages, and --save-mask takes one mask a picture")
        kept: list[Picture] = []
        pages = self.pages(job, read, kept)
        if read.first.source.pages > 1:
            self.results.write(job, pages, read.made, read.encoding)
            restored = None
        else:
            restored = list(pages)
        _tidy_after(read.first)
        shown = (read.first, kept[0], read.problem) if kept else None
        return _Restored(restored, read.made, read.encoding, read.problem.hole, shown)

    def pages(self, job: Job, read: _Read, kept: "list[Picture]") -> "Iterator[Picture]":
        """The result's pages; the next is read when the one before is written.

        Args: kept: gets the first one, where it is to be looked at.
        """
        is_new, read.input.is_told = not read.input.is_told, True
        if is_new:
            self.warn(job, read)
        for number, (picture, problem) in enumerate(read.input.pages(), start=1):
            name = f"{job.source}: page {number}" if picture.source.pages > 1 else str(job.source)
            for line in (
                (*(() if self.files.quiet else problem.findings.notes), *problem.findings.warnings) if is_new else ()
            ):
                self.results.display.say(f"{name}: {line}")
            made = self.answer(job, self.samples(read.input, picture, problem))
            if number == 1 and self.results.shows(job):
                kept.append(made)
            yield self.results.signed(made, read.made)

    def samples(self, source: Input, picture: "Picture", problem: "Problem") -> "Samples":
        """What is computed of a page: of a file of one, once for all results."""
        from ...restoration.samples import Samples

        if self.model is None:
            raise PictureError("the plan said that nothing is to be done; report this as a bug")
        if source.samples is not None:
            return source.samples
        traces, differ = "trace" in self.asked.parts, self.asked.answers.uncertainty
        made = Samples(picture, problem, self.model, moments=differ, traces=traces)
        if self.inputs.shared and picture.source.pages == 1:
            source.samples = made
        return made

    def answer(self, job: Job, samples: "Samples") -> "Picture":
        """One of the results."""
        count, progress = self.asked.answers.count, self.results.display.progress
        if job.part:
            return self.shown(job, samples)
        if self.asked.answers.average:
            return samples.average(self.asked.settings(job), count, progress)
        return samples.restored(self.asked.settings(job), progress)

    def shown(self, job: Job, samples: "Samples") -> "Picture":
        """How much the samples differ, or how the first came to be."""
        from ...restoration.uncertainty import std_picture, std_view

        count, progress = self.asked.answers.count, self.results.display.progress
        pages, drawing = samples.picture.source.pages, self.asked.drawing
        if job.part == "trace":
            return samples.traced(drawing, progress).sheet(pages)
        std = samples.std(drawing, count, progress)
        if job.part == "uncertainty-view":
            return std_view(std, pages)
        picture, clipped = std_picture(std, pages)
        if clipped > 0:
            self.results.display.say(f"{job.output}: more than 255.99 levels on {clipped:.1%} of it, which is clipped")
        return picture

    def write(self, job: Job, restored: _Restored) -> dict[str, Any]:
        """Write what is restored; the mask first: where the result is, it is."""
        mask = self.saved(job)
        if mask is not None and restored.hole is not None:
            _write_mask(mask, restored.hole)
        if restored.pages is not None:
            self.results.write(job, restored.pages, restored.made, restored.encoding)
        if restored.shown is not None:
            before, after, problem = restored.shown
            self.results.show(job, before, after, restored.made, problem)
        return {"recipe": restored.made}

    def let_go(self, job: Job) -> None:
        """Work on it has ended."""
        self.results.let_go(job)

    def warn(self, job: Job, read: _Read) -> None:
        """Say what the result's file cannot keep."""
        from ...images.image_io import is_lossless

        say = self.results.display.say
        if job.part:
            return
        if read.problem.keeps_pixels and not is_lossless(job.output, read.first, read.encoding):
            say(f"{job.output}: a lossy format; pixels that stay exact need a lossless one, like -o out.png")
        for part in read.first.source.left_behind:
            say(f"{job.output}: without {part} of the input, made for the picture as it was")
