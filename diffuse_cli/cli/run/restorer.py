"""How pictures are restored: planned, read, restored, written."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

from ...errors import PictureError, UsageError
from ...provenance import recipe
from ...system.files import in_the_way
from ...system.process import give_back
from ...system.streams import is_stream
from ...tasks.with_model import as_drawn
from ..batch import pipeline, refusals
from ..batch.inputs import PIPE
from ..batch.job import Job
from ..batch.pipeline import StoppedError
from ..options.clips import ClipOptions
from ..options.coding import MetadataOptions
from ..options.compute import Compute
from ..options.files import Files
from ..options.prompts import PromptOptions
from ..options.sampling import SamplingOptions
from ..options.server import ServerOptions
from . import cluster
from .clip_parts import FRAMES, ClipParts
from .clips import (
    Pace,
    beside,
    check_clip,
    clip_facts,
    copied,
    earlier_frames,
    may_be_clip,
    not_held,
    standing,
)
from .cluster import check_engine
from .damaged import mender, told
from .display import Display
from .imported import NOTHING, for_model, header_of
from .planning import coding_of, plan_files, show_plan
from .products import Answer, RestoredPicture, answer_of, products_beside
from .reading import Input, Inputs
from .results import Results
from .sequences import FrameSequence, sequences_of
from .steps import Made, PictureSteps, Shown, header_pixels
from .task_source import TaskSource
from .wanted import Wanted
from .working import PictureWork, begin, working

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ...diffusion.foreign.model import AnyModel
    from ...images.encoding import Encoding
    from ...images.picture import Picture
    from ...images.video.clip import ClipPart
    from ...restoration.earlier_frames import EarlierFrames
    from ...restoration.problem import Problem
    from ...restoration.samples import Samples


def restore_files(
    op: str, tasks: TaskSource, files: Files, keeping: MetadataOptions, compute: Compute, which: SamplingOptions,
    clips: ClipOptions | None = None, server: ServerOptions | None = None, *, told: PromptOptions = NOTHING,
    label: str | None = None,
) -> None:  # fmt: skip
    """Carry out a task on every input, here or on a server. Exits with the batch's code.

    Args:
        op: the command's name.
        tasks: what is asked for each picture.
        files: which pictures, and where results go.
        keeping: how results are coded, and what they keep of the inputs' metadata.
        compute: how to compute.
        which: which samples are the results.
        clips: how clips are restored; None = they are refused.
        server: the server that computes, if it names one.
        told: what a pipeline is told to draw.
        label: what a class-conditional model is told to draw.

    Raises:
        UsageError: the plan cannot be carried out.
        CheckpointError: the model cannot be used.
        ServerError: the server cannot be used.
    """
    if server is not None and server.server is not None:
        from .remote import restore_on_server

        if told != NOTHING or label is not None:
            raise UsageError("--prompt, --guidance and --label: a server has no such model; leave --server out")
        restore_on_server(op, tasks, files, keeping, compute, which, clips, server)
        return
    from ...diffusion.model import Model

    check_engine(files, op)
    found = header_of(compute)
    steps, fidelity = as_drawn(None if found is None else found[1], which.steps, which.fidelity)
    which = replace(which, steps=steps, fidelity=fidelity)
    encoding, request = keeping.encoding(), which.answers()
    tasks = for_model(tasks, compute, op, drawn=request.are_drawn, damaged=files.damaged, told=told, label=label)
    part = None if clips is None else clips.part()
    if clips is not None:
        encoding = replace(encoding, clip=clips.coding())
    picture = RestoredPicture(op=op, request=request, base=compute.settings(1), fills_holes=tasks.fills_holes)
    beside = products_beside(picture, which, tasks.show_fill, tasks.show_weights)
    wanted = Wanted(tasks=tasks, compute=compute, encoding=encoding, damaged=files.damaged, clips=clips)
    batch = plan_files(
        op, files, encoding, wanted, seed=compute.seed, samples=request.pictures, product=picture, beside=beside,
        others=tasks.reads, chosen=tasks.chosen,
    )  # fmt: skip
    sequences: dict[Path, FrameSequence] = {}
    if clips is not None:
        clips.check_used(has_clips=any(may_be_clip(job.source) for job in batch.jobs))
    if clips is not None and clips.sequence:
        sequences = sequences_of(batch.jobs, temporal=clips.temporal == "on")
        ordered = {id(one): one.jobs for one in sequences.values()}
        batch = replace(batch, jobs=[job for jobs in ordered.values() for job in jobs])
    masks = _masks(batch.jobs, files, tasks)
    if files.dry_run:
        show_plan(batch, files)
        return
    tasks.prepare(batch)
    batch = replace(batch, jobs=[tasks.settled(job) for job in batch.jobs])
    restoring = _Restoring(
        wanted=wanted, files=files, encoding=encoding, shared=request.pictures > 1 or len(beside) > 0,
        traces=which.trace is not None, part=part, op=op, sequences=sequences,
    )  # fmt: skip
    with Display(quiet=files.quiet, total=len(batch.jobs)) as display:
        begin(batch, files, display, masks)
        if files.engine == "ray":
            with working(PictureWork(batch, files, display, finishing="the results that have arrived")) as work:
                cluster.run(batch, restoring, files, display, work.end, work.is_stopped)
            return
        due = any(job.action != "skip" for job in batch.jobs)
        display.prepare("loading the model")
        work = PictureWork(batch, files, display)
        results = Results(batch=batch, files=files, encoding=encoding, display=display)
        model = restoring.load(display) if due else None
        restorer = restoring.restorer(results, model, is_stopped=work.is_stopped)
        with working(work):
            pipeline.run(batch.jobs, restorer, work.end, work.is_stopped)
        wrong = model.recomputed if isinstance(model, Model) else 0
        if wrong:
            display.say(f"the GPU got {wrong} tile{'s' if wrong > 1 else ''} wrong; the CPU computed them again")


def _masks(jobs: Sequence[Job], files: Files, tasks: TaskSource) -> list[Path]:
    """Return the masks that are written. Check that they overwrite nothing.

    Raises:
        UsageError: two have one name, or one is an input or a result, or it exists and is not to be replaced.
    """
    named = {job.source: tasks.saved(job) for job in jobs if job.action != "skip"}  # several results have one mask
    masks = [path for path in named.values() if path is not None]
    if not masks:
        return []
    taken = [path for job in jobs for path in (job.source, job.output) if path != PIPE]
    if len({*masks}) < len(masks):
        raise UsageError("--save-mask: two pictures' masks have the same name; give a folder, or 'm/{stem}{ext}.png'")
    refusals.check_free(masks, [*taken, *tasks.reads])
    if files.exists != "overwrite" and not files.resume:
        refusals.refuse_existing([path for path in masks if in_the_way(path)])
    refusals.check_folders(masks)
    return masks


def _resolved(wanted: Mapping[str, Any], problem: "Problem") -> dict[str, Any]:
    """Return what is known once the picture is read: what was estimated, and what follows from its size."""
    from ...images.units import LEVEL

    found: dict[str, Any] = dict(problem.findings.facts)
    what, estimated = problem.degradation, wanted.get("estimated", {})
    if "noise" in estimated:
        found["noise"] = what.noise * LEVEL
    if "jpeg" in estimated:
        found["jpeg"] = what.quality
    if "blur" in estimated:
        exact = None if problem.guide is None else problem.guide.linear
        found["blur"] = (what.blur if exact is None else exact.blur) / what.scale
    if problem.guide is not None:
        found["scale"] = what.scale
        found |= {"jpeg_quality": what.quality} if what.quality < 100 else {}
    if problem.size is not None:
        found["size"] = [problem.size[1], problem.size[0]]
    return found


def _of_file(picture: "Picture") -> dict[str, Any]:
    """Return the number of frames, or the share of a damaged picture that was filled."""
    damage, frame = picture.source.damage, picture.source.frame
    if frame is not None:
        return {"frames": picture.source.pages}
    return {"missing": float(damage.fillable.mean())} if damage is not None and damage.is_filled else {}


def _write_mask(path: Path, hole: "NDArray[np.bool_]") -> None:
    """Write a mask, white = filled.

    Raises:
        PictureError: it cannot be written.
    """
    from ...images.image_io import Encoding, write_picture
    from ...images.mask_picture import mask_picture

    write_picture(mask_picture(hole), path, encoding=Encoding(format="png"))


def _tidy_after(picture: "Picture") -> None:
    """Give back the memory that the last step has left over: a gigabyte, if the picture is large."""
    from ...system.arrays import MAPPED_FROM

    if picture.pixels.nbytes >= MAPPED_FROM:
        give_back()


@dataclass(slots=True)
class _Read:
    """A picture that is ready to be restored, with its file."""

    input: Input
    first: "Picture"
    problem: "Problem"
    recipe: dict[str, Any]
    encoding: "Encoding"


_DOING: Final = {
    "denoise": "denoising", "inpaint": "filling", "super-resolve": "enlarging", "restore": "restoring",
    "deblur": "deblurring", "dejpeg": "removing blocks", "repair": "repairing", "enhance": "enhancing",
    "compose": "composing", "fuse": "fusing", "extend": "extending", "stylize": "painting",
}  # fmt: skip
"""What commands do, as the progress says."""
COMPARISON: Final = "compare"
"""The series of segments that shows frames beside their results."""
CODED_CLIPS: Final = frozenset({"MP4", "MKV"})
"""Formats of clips that segments are joined to."""


@dataclass(frozen=True, kw_only=True)
class Restorer(PictureSteps[_Read]):
    """How each picture is read, restored and written.

    Attributes:
        traces: the steps of the first sample are kept.
        is_stopped: tells whether a signal came.
    """

    waiting: ClassVar[str] = "reading and measuring"

    wanted: Wanted
    model: "AnyModel | None"
    inputs: Inputs
    traces: bool
    is_stopped: Callable[[], bool]

    def weight(self, job: Job) -> int:
        """Return the picture's number of pixels, by its header."""
        return header_pixels(job.source, self.inputs.given(job.source))

    def read(self, job: Job) -> _Read:
        """Claim, hash and decode the picture, and find out what is to be found out."""
        self.results.claim(job)
        wanted, source = self.wanted(job), self.inputs(job)
        with source.lock:
            wanted["input"] = source.sha256
            self.results.check_still_due(job, wanted)
            picture, problem = source.opened()
        _tidy_after(picture)
        encoding = coding_of(job.product, self.results.encoding)
        if job.output == PIPE:
            said = picture.source
            encoding = encoding.like(said.format, animated=said.frame is not None, clip=said.clip is not None)
            wanted |= encoding.to_recipe(PIPE)
        self._check_fits(job, picture, encoding)
        if picture.source.clip is not None and self.wanted.clips is not None:
            wanted |= clip_facts(self.wanted.clips)
        made = recipe.plain({**wanted, **_of_file(picture), **_resolved(wanted, problem)})
        return _Read(source, picture, problem, made, encoding)

    def _check_fits(self, job: Job, picture: "Picture", encoding: "Encoding") -> None:
        """Refuse, before the work, what the result's file cannot hold."""
        from ...images.image_io import Source, check_fits

        if job.product.depth is not None:
            source = Source(pages=picture.source.pages)
            picture = replace(picture, alpha=None, depth=job.product.depth, floating=False, source=source)
        check_fits(picture, job.output, encoding)

    def restore(self, job: Job, read: _Read) -> Made:
        """Restore a picture. If it has several pages, they are written as they are restored."""
        name, op = Path(job.source_name).name, self.results.batch.op
        self.results.display.show(name, _DOING.get(op, op))
        several = read.first.source.pages > 1
        if read.first.source.clip is not None:
            check_clip(job, self.inputs.shared, self.traces)
        if several and self.wanted.tasks.saved(job) is not None:
            raise PictureError(
                f"{job.source_name}: has several pages or frames; leave --save-mask out, which takes one mask a picture"
            )
        is_new, read.input.is_told = not read.input.is_told, True
        if is_new:
            self._note(job)
            self._warn(job, read)
        whole = copied(read.input, read.first, read.problem, read.encoding, read.encoding.kind(job.output))
        if whole is not None:
            self._tell_animation(job.source_name, read.first, read.problem)
            self._compare_with_itself(job, read)
            signed = self.results.signed(whole, read.recipe)
            return Made(pages=[signed], recipe=read.recipe, encoding=read.encoding)
        if several or read.first.source.clip is not None:
            in_parts = read.encoding.kind(job.output) in CODED_CLIPS and not is_stream(job.output)
            how = self._restore_in_parts if in_parts and job.output != PIPE else self._restore_pages
            return how(job, read, is_new=is_new)
        if is_new:
            self._tell(job.source_name, read.first, read.problem)
        sequence, answer = read.input.sequence, answer_of(job)
        if sequence is None:
            after = answer.make(self._samples(read.input, read.first, read.problem, answer), job, self.results.display)
        else:
            earlier = sequence.before(job, self.inputs.max_pixels)
            after = self._restored(job, read, read.first, read.problem, earlier)
        _tidy_after(read.first)
        shown = Shown(before=read.first, after=after, problem=read.problem) if self.results.shows(job) else None
        signed = self.results.signed(after, read.recipe)
        hole = read.problem.hole if is_new else None  # its mask is written once for all results
        return Made(pages=[signed], recipe=read.recipe, encoding=read.encoding, hole=hole, shown=shown)

    def _restore_pages(self, job: Job, read: _Read, *, is_new: bool) -> Made:
        """Restore a picture of several pages. Each page is read when the one before is written."""
        shown: list[Shown] = []
        pace = Pace(Path(job.source_name).name, read.first.source.pages)
        earlier = earlier_frames(read.first, self.wanted.clips)

        def pages() -> "Iterator[Picture]":
            for number, (picture, problem) in enumerate(read.input.pages(), start=1):
                self._show_page(pace, number)
                if is_new and picture.source.frame is None:
                    self._tell(f"{job.source_name}: page {number}", picture, problem)
                elif is_new and number == 1:
                    self._tell_animation(job.source_name, picture, problem)
                after = self._restored(job, read, picture, problem, earlier)
                if number == 1 and self.results.shows(job):
                    shown.append(Shown(before=picture, after=after, problem=problem))
                yield self.results.signed(after, read.recipe)

        self.results.write(job, pages(), read.recipe, read.encoding)
        self._tell_scenes(job, earlier, is_new=is_new)
        _tidy_after(read.first)
        return Made(pages=None, recipe=read.recipe, encoding=read.encoding, shown=shown[0] if shown else None)

    def _restore_in_parts(self, job: Job, read: _Read, *, is_new: bool) -> Made:
        """Restore a clip, segment by segment. A run that is stopped or killed leaves those that are whole."""
        comparison = None if self.results.batch.showing is None else self.results.batch.showing.comparison(job)
        if comparison is not None:
            self._check_fits_at(comparison, read)
        if is_new:
            self._tell_animation(job.source_name, read.first, read.problem)
        frames, earlier = read.first.source.pages, earlier_frames(read.first, self.wanted.clips)
        kinds = ("",) if comparison is None else ("", COMPARISON)
        anew = self.results.files.exists == "overwrite"
        shown: list[Shown] = []
        with ClipParts(job.output, read.recipe, read.encoding, frames=frames, anew=anew, kinds=kinds) as parts:
            if parts.done:
                self.results.display.say(f"{job.output_name}: going on after frame {parts.frames_done} of {frames}")
            if earlier is not None:
                parts.go_on(earlier)
            self._make_parts(job, read, parts, earlier, shown)
            self._join_parts(job, read, parts, comparison)
        self._tell_scenes(job, earlier, is_new=is_new)
        _tidy_after(read.first)
        return Made(pages=None, recipe=read.recipe, encoding=read.encoding, shown=shown[0] if shown else None)

    def _make_parts(
        self, job: Job, read: _Read, parts: ClipParts, earlier: "EarlierFrames | None", shown: list[Shown]
    ) -> None:
        """Restore the segments that are left."""
        pace = Pace(Path(job.source_name).name, read.first.source.pages, parts.frames_done)
        pages = enumerate(read.input.pages(parts.frames_done), start=parts.frames_done + 1)
        while parts.done < parts.count:
            with parts.writing(earlier) as add:
                number = 0
                for number, (picture, problem) in islice(pages, FRAMES):
                    if self.is_stopped():
                        raise StoppedError
                    self._show_page(pace, number)
                    after = self._restored(job, read, picture, problem, earlier)
                    if not shown and self.results.shows(job):
                        shown.append(Shown(before=picture, after=after, problem=problem))
                    add[""](after)
                    if COMPARISON in add:
                        add[COMPARISON](beside(picture, after))
                if number < min(parts.frames_done + FRAMES, pace.pages):
                    raise PictureError(f"{job.source_name}: fewer frames than at first; try again when it is written")

    def _join_parts(self, job: Job, read: _Read, parts: ClipParts, comparison: Path | None) -> None:
        """Write the clip that the segments are, and the comparison before it."""
        from ...images.image_io import write_pages

        def whole(kind: str) -> "Picture":
            return self.results.signed(standing(read.first, parts.paths(kind)), read.recipe)

        if comparison is not None:
            write_pages([whole(COMPARISON)], comparison, encoding=replace(read.encoding, format=None))
        self.results.write(job, [whole("")], read.recipe, read.encoding)

    def _compare_with_itself(self, job: Job, read: _Read) -> None:
        """Write the comparison of a clip that does not change, where it is asked for."""
        from ...images.image_io import write_pages

        comparison = None if self.results.batch.showing is None else self.results.batch.showing.comparison(job)
        if comparison is not None:
            pairs = (self.results.signed(beside(one, one), read.recipe) for one, _ in read.input.pages())
            write_pages(pairs, comparison, encoding=replace(read.encoding, format=None))

    def _restored(
        self, job: Job, read: _Read, picture: "Picture", problem: "Problem", earlier: "EarlierFrames | None"
    ) -> "Picture":
        """Return a restored page, or frame with what earlier ones tell."""
        answer, after = answer_of(job), None if earlier is None else earlier.repeated(picture, problem)
        if after is None:
            problem = problem if earlier is None else earlier.joined(picture, problem)
            after = answer.make(self._samples(read.input, picture, problem, answer), job, self.results.display)
        if earlier is not None:
            earlier.done(after)
        return after

    def _show_page(self, pace: Pace, number: int) -> None:
        """Show which page is in hand. Without a bar, a line a minute says so."""
        display, words = self.results.display, pace.words(number)
        display.show(words, page=(number - 1, pace.pages))
        if display.bar is None and not display.quiet and pace.is_due():
            display.say(words)

    def _tell_scenes(self, job: Job, earlier: "EarlierFrames | None", *, is_new: bool) -> None:
        if earlier is not None and earlier.scenes and is_new and not self.results.files.quiet:
            self.results.display.say(f"{job.source_name}: {earlier.words()}")

    def _check_fits_at(self, path: Path, read: _Read) -> None:
        """Refuse, before the work, a comparison of a format that cannot hold the clip."""
        from ...images.image_io import check_fits

        check_fits(read.first, path, replace(read.encoding, format=None))

    def _samples(self, source: Input, picture: "Picture", problem: "Problem", answer: Answer) -> "Samples":
        """Return what is computed of a page: of a file with one page, once for all results."""
        from ...restoration.samples import Samples

        if self.model is None:
            raise PictureError("no model was loaded; please report this bug")
        if source.samples is not None:
            return source.samples
        made = Samples(picture, problem, self.model, moments=answer.request.uncertainty, traces=self.traces)
        if self.inputs.shared and picture.source.pages == 1:
            source.samples = made
        return made

    def write(self, job: Job, restored: Made) -> dict[str, Any]:
        """Write the result, and return what --json says of it."""
        return {**super().write(job, restored), **self.wanted.tasks.answered(job)}

    def write_beside(self, job: Job, made: Made) -> None:
        """Write the mask of what was filled, where it is asked for."""
        mask = self.wanted.tasks.saved(job)
        if mask is not None and made.hole is not None:
            _write_mask(mask, made.hole)

    def _tell_animation(self, name: str, first: "Picture", problem: "Problem") -> None:
        """Say what was found out about all frames."""
        from ...images.picture import middle_frame

        if not self.results.files.quiet:
            count = first.source.pages
            self.results.display.say(
                f"{name}: {'an animation' if first.source.clip is None else 'a clip'} of {count} frames; "
                f"what is estimated is estimated of frame {middle_frame(count)}"
            )
        self._tell(name, first, problem)

    def _tell(self, name: str, picture: "Picture", problem: "Problem") -> None:
        """Say what was found out about a page."""
        from ...images.white_level import told as told_white

        notes = [line for line in (told_white(picture), *picture.source.notes, *problem.findings.notes) if line]
        warnings = [line for line in (told(picture, self.wanted.damaged), *problem.findings.warnings) if line]
        for line in (*(() if self.results.files.quiet else notes), *warnings):
            self.results.display.say(f"{name}: {line}")

    def _note(self, job: Job) -> None:
        """Say how the files beside the picture were understood."""
        for line in () if self.results.files.quiet else self.wanted.tasks.notes(job):
            self.results.display.say(f"{job.source_name}: {line}")

    def _warn(self, job: Job, read: _Read) -> None:
        """Say what the result's file cannot keep."""
        from ...images.copied_file import may_copy_whole
        from ...images.image_io import is_lossless

        say = self.results.display.say
        if not job.product.is_picture:
            return
        if job.output == PIPE and self.results.encoding.format is None:
            written, before = read.encoding.kind(job.output), read.first.source.format
            if written != before and read.first.source.clip is None:
                say(f"stdin: {before} is read but not written, so the result is a {written}")
        for line in () if read.first.source.clip is None else not_held(read.first, read.encoding.kind(job.output)):
            say(f"{job.output_name}: {line}")
        if read.problem.keeps_pixels and not is_lossless(job.output, read.first, read.encoding):
            say(f"{job.output_name}: a lossy format changes kept pixels slightly; use a lossless one, like -o out.png")
        extra = read.first.source.extra
        if extra is not None and read.encoding.kind(job.output) != "TIFF":
            count = len(extra.kinds)
            say(f"{job.output_name}: without {count} extra channel{'s' if count > 1 else ''}, which only TIFF can hold")
        is_copied = read.problem.leaves_alone and may_copy_whole(
            read.first.source, read.encoding.kind(job.output), read.encoding
        )
        for part in () if is_copied else read.first.source.left_behind:
            say(f"{job.output_name}: without the input's {part}, which is about the picture as it was")


@dataclass(frozen=True, kw_only=True)
class _Restoring:
    """What pictures are restored with, on this machine or on another one.

    Attributes:
        wanted: what recipes say.
        files: the options.
        encoding: how results are coded.
        shared: inputs have several results.
        traces: the steps of the first sample are kept.
        part: what is read of clips; None = they are refused.
        op: the command's name.
        sequences: of numbered frames, by the files of their frames.
    """

    wanted: Wanted
    files: Files
    encoding: "Encoding"
    shared: bool
    traces: bool
    part: "ClipPart | None"
    op: str
    sequences: Mapping[Path, FrameSequence]

    def load(self, display: Display) -> "AnyModel":
        """Return the model that the pictures are restored with."""
        return self.wanted.tasks.adapt(self.wanted.compute.load(), display)

    def restorer(
        self,
        results: Results,
        model: "AnyModel | None",
        given: Callable[[Path], bytes | None] = lambda _path: None,
        is_stopped: Callable[[], bool] = lambda: False,
    ) -> Restorer:
        """Return how each picture is read, restored and written.

        Args:
            results: where they go.
            model: what restores them; None = no picture is due.
            given: returns the content of an input's file; None = it is to be read.
            is_stopped: tells whether a signal came.
        """
        from ...restoration.noise_reading import noise_reader

        tasks = self.wanted.tasks
        inputs = Inputs(
            lambda job: tasks.of(job)[0],
            self.files.max_pixels,
            shared=self.shared,
            read_noise=None if model is None else noise_reader(model),
            mend=mender(self.files.damaged, self.wanted.compute, model),
            part=self.part,
            sequences=self.sequences,
            as_light=self._as_light,
            given=given,
        )
        return Restorer(
            results=results, wanted=self.wanted, model=model, inputs=inputs, traces=self.traces, is_stopped=is_stopped
        )  # fmt: skip

    def _as_light(self, job: Job) -> bool:
        return self.op in ("denoise", "fuse") and job.product.is_picture and self.encoding.is_dng(job.output)

    def steps(self, results: Results, given: Callable[[Path], bytes | None]) -> Restorer:
        """Load the model, and return the same, on another machine."""
        return self.restorer(results, self.load(results.display), given)
