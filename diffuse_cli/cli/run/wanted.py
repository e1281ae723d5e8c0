"""What the recipes of results say before their pictures are read."""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ..batch.inputs import PIPE
from ..batch.job import Job
from ..options.clips import ClipOptions
from ..options.compute import Compute
from .clips import clip_facts, sequence_facts
from .planning import coding_of
from .products import Checkpoint, answer_of
from .task_source import TaskSource

if TYPE_CHECKING:
    from ...images.choices import Damaged
    from ...images.encoding import Encoding


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What a job's recipe says before its picture is read.

    Attributes:
        tasks: what is asked for.
        compute: how to compute.
        encoding: how results are coded.
        damaged: what becomes of damaged pictures.
        clips: how clips are restored; None = they are refused.
        known: what recipes say of the checkpoint, if that is known already.
    """

    tasks: TaskSource
    compute: Compute
    encoding: "Encoding"
    damaged: "Damaged"
    clips: ClipOptions | None = None
    known: Checkpoint | None = None

    @cached_property
    def checkpoint(self) -> Checkpoint:
        """What recipes say of the checkpoint. If it is not known already, the file is read.

        Raises:
            CheckpointError: there is no such checkpoint.
            UsageError: the device or the type of numbers cannot be used.
        """
        return checkpoint_of(self.compute) if self.known is None else self.known

    def __getstate__(self) -> dict[str, Any]:
        """Return what another machine is told, which has numbers of its own."""
        return {key: value for key, value in vars(self).items() if key != "checkpoint"}

    def __call__(self, job: Job) -> dict[str, Any]:
        """Return the recipe. The input's hash is still empty."""
        from ...images.encoding import is_clip_name

        task, facts = self.tasks.of(job)
        coding = coding_of(job.product, self.encoding).to_recipe(job.output) if job.output != PIPE else {}
        computing = answer_of(job).to_recipe(job, self.checkpoint)
        damaged = {"damaged": self.damaged} if self.damaged == "inpaint" else {}
        clip = sequence_facts(self.clips)
        if self.clips is not None and is_clip_name(job.source):
            clip = clip_facts(self.clips)
        return {**computing, **task.to_recipe(), **facts, **damaged, **clip, **coding, "input": ""}


def checkpoint_of(how: Compute) -> Checkpoint:
    """Return what recipes say of a checkpoint.

    Args:
        how: names it.

    Raises:
        CheckpointError: there is no such checkpoint.
        UsageError: the device or the type of numbers cannot be used.
    """
    from ...diffusion.checkpoint import file_sha256, find
    from ...diffusion.foreign.model import dtype_of

    path, place = find(how.model), how.place()
    return file_sha256(path), dtype_of(path, place.device, how.dtype, place.backend), how.compile
