"""Copies that are fused: grouped, given to the task of the group's reference, and told of in recipes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import PictureError, UsageError
from ...system.files import file_sha256
from ..batch.groups import GroupBy, group_by, groups
from ..batch.inputs import PIPE, Found
from ..batch.job import Job
from ..options.coding import MetadataOptions
from ..options.compute import Compute
from ..options.files import Files
from ..options.sampling import SamplingOptions
from .task_source import TaskSource

if TYPE_CHECKING:
    from ...tasks.fuse import Fuse, Unlike
    from ...tasks.task import Task


def fuse_files(
    files: Files, keeping: MetadataOptions, compute: Compute, which: SamplingOptions, *, scale: float,
    to: Path | None = None, by: str = "auto", unlike: "Unlike | None" = None, weights: str | None = None,
) -> None:  # fmt: skip
    """Fuse each group of copies. Exits with the batch's code.

    Args:
        files: which pictures, and where results go.
        keeping: how results are coded, and what they keep of the reference's metadata.
        compute: how to compute.
        which: which samples are the results.
        scale: factor of the results' sizes.
        to: the reference of its group. None: the first one.
        by: how pictures are grouped.
        unlike: what becomes of a picture that shows something else. None: what is named is refused, what was found in
            a folder is left out.
        weights: the file, folder or template that the maps of the weights are written to.

    Raises:
        UsageError: the plan cannot be carried out.
        CheckpointError: the model cannot be used.
    """
    from .restore_files import restore_files

    tasks = Copies(scale=scale, to=to, by=group_by(by), unlike=unlike, max_pixels=files.max_pixels, weights_to=weights)
    restore_files("fuse", tasks, files, keeping, compute, which)


@dataclass(frozen=True, kw_only=True)
class Copies(TaskSource):
    """One task for each group of copies.

    Attributes:
        scale: factor of the results' sizes.
        to: the reference of its group.
        by: how pictures are grouped.
        unlike: what becomes of a picture that shows something else.
        max_pixels: larger files are refused.
        weights_to: where the maps of the weights go.
    """

    scale: float
    to: Path | None
    by: GroupBy
    unlike: "Unlike | None"
    max_pixels: int
    weights_to: str | None
    _groups: dict[Path, list[Found]] = field(default_factory=dict)
    _hashes: dict[Path, str] = field(default_factory=dict)

    def chosen(self, found: Sequence[Found], skipped: dict[str, list[Path]]) -> list[Found]:
        """Return the reference of each group. What has no copy is left out of a batch.

        Raises:
            UsageError: no picture has a copy, or the reference is none of the pictures.
        """
        from ...images.capture_time import taken_at

        if any(one.path == PIPE for one in found):
            raise UsageError("-: fuse takes two or more pictures; name files")
        made = [self._ordered(group) for group in groups(found, self.by, taken_at)]
        if self.to is not None and all(not _is(one, self.to) for group in made for one in group):
            raise UsageError(f"--to {self.to}: is none of the pictures; name it among them")
        several = [group for group in made if len(group) > 1]
        if not several:
            raise UsageError("fuse takes two or more copies of a picture; name them, or give --group-by all")
        alone = [group[0].path for group in made if len(group) == 1]
        if alone:
            skipped["alone"] = alone
        self._groups.clear()
        self._groups.update({group[0].path: group for group in several})
        return [group[0] for group in several]

    def _ordered(self, group: list[Found]) -> list[Found]:
        """Return a group with its reference first."""
        if self.to is None:
            return group
        return sorted(group, key=lambda one: not _is(one, self.to))

    def of(self, job: Job) -> "tuple[Task, Mapping[str, Any]]":
        """Return the task of a group, and the hashes of its other copies.

        Raises:
            PictureError: one cannot be read.
        """
        copies = [one.path for one in self._groups[job.source][1:]]
        return self._task(job), {"copies": [self._sha256(path) for path in copies]}

    def _task(self, job: Job) -> "Fuse":
        from ...tasks.fuse import Fuse

        copies = [one.path for one in self._groups[job.source][1:]]
        unlike: Unlike = self.unlike or ("leave-out" if job.found.scanned else "refuse")
        return Fuse(copies=copies, name=str(job.source), scale=self.scale, unlike=unlike, max_pixels=self.max_pixels)

    def _sha256(self, path: Path) -> str:
        if path not in self._hashes:
            self._hashes[path] = file_sha256(path, PictureError)
        return self._hashes[path]

    def answered(self, job: Job) -> Mapping[str, Any]:
        """Return the names of the copies, the reference first."""
        return {"copies": [str(one.path) for one in self._groups[job.source]]}

    @property
    def fills_holes(self) -> bool:
        """Nothing is missing."""
        return False

    @property
    def show_weights(self) -> str | None:
        """Where the maps of the weights go."""
        return self.weights_to


def _is(one: Found, path: Path | None) -> bool:
    """Return whether a picture is that of a name."""
    return path is not None and (one.path == path or (path.exists() and one.path.exists() and one.path.samefile(path)))
