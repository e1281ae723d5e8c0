"""How the pictures of a command are restored: planned, then each in turn, here or elsewhere."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import UsageError
from ...system.files import in_the_way
from ...tasks.with_model import as_drawn
from ..batch import pipeline, refusals
from ..batch.inputs import PIPE
from ..batch.job import Job
from ..options.clips import ClipOptions
from ..options.coding import MetadataOptions
from ..options.compute import Compute
from ..options.files import Files
from ..options.prompts import PromptOptions
from ..options.sampling import SamplingOptions
from ..options.server import ServerOptions
from . import cluster
from .clips import (
    may_be_clip,
)
from .cluster import check_engine
from .damaged import mender
from .display import Display
from .imported import NOTHING, for_model, header_of
from .planning import plan_files, show_plan
from .products import RestoredPicture, products_beside
from .reading import Inputs
from .restorer import Restorer
from .results import Results
from .sequences import FrameSequence, sequences_of
from .task_source import TaskSource
from .wanted import Wanted
from .working import PictureWork, begin, working

if TYPE_CHECKING:
    from ...diffusion.foreign.model import AnyModel
    from ...images.encoding import Encoding
    from ...images.video.clip import ClipPart


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
