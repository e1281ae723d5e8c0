"""`--paint`: the user paints the mask on a page of this machine before the work begins, and chooses a result."""

import hashlib
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from ...errors import PictureError, UsageError
from ..batch import refusals
from ..batch.inputs import PIPE
from ..batch.job import Job
from ..options.compute import Compute
from ..options.files import Files
from ..options.masking import MaskOptions
from ..options.sampling import SamplingOptions
from ..run.display import one_line
from ..run.mask_source import MaskSource
from ..run.planning import Batch
from ..run.products import answer_of
from ..run.task_source import TaskSource

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ...images.picture import Picture
    from ...tasks.inpaint import Inpaint
    from ...tasks.task import Task
    from .session import Session


@dataclass(kw_only=True)
class Painting(TaskSource):
    """A mask that is still to be painted.

    Attributes:
        masking: the mask that painting begins with, and where the painted one is saved.
        files: which picture, and where the result goes.
        compute: how to compute.
        which: which samples previews and the result are.
        task: makes the task of what is filled.
        hole: (H, W), what was painted.
        guess: the number of the result that was kept, counted from the seed.
        sha256: the hash of its PNG.
    """

    masking: MaskOptions
    files: Files
    compute: Compute
    which: SamplingOptions
    task: "Callable[[Inpaint], Task]"
    hole: "NDArray[np.bool_] | None" = None
    guess: int = 0
    sha256: str = ""
    _given: MaskSource | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        """Check what can be checked before painting.

        Raises:
            UsageError: the mask cannot be read, or an option needs a mask beforehand.
        """
        if self.files.resume:
            raise UsageError("--resume: a mask that is still to be painted has no earlier result; leave it out")
        if "{seed}" in (self.files.output or ""):
            raise UsageError("-o {seed}: which seed it is, is chosen on the page; leave {seed} out")
        if self.masking.invert_mask:
            raise UsageError("--invert-mask: paint what is filled instead; leave it out")
        if self.masking.given:
            self._given = MaskSource(masking=self.masking, max_pixels=self.files.max_pixels)

    @property
    def save_mask(self) -> Path | None:
        """The file that the mask is saved to."""
        return None if self.masking.save_mask is None else Path(self.masking.save_mask)

    @property
    def show_fill(self) -> str | None:
        """As the option says."""
        return self.masking.show_fill

    @property
    def fills_holes(self) -> bool:
        """Always."""
        return True

    @property
    def reads(self) -> tuple[Path, ...]:
        """The mask that painting begins with."""
        return () if self._given is None else self._given.reads

    def of(self, job: Job) -> "tuple[Task, Mapping[str, Any]]":
        """Return what is done with the mask, and what the recipe says of it."""
        if self.hole is None:
            raise PictureError(f"{job.source}: its mask was not painted; please report this bug")
        return self._task(self.hole), {"mask": self.sha256}

    def _task(self, hole: "NDArray[np.bool_]") -> "Task":
        from ...tasks.inpaint import Inpaint

        return self.task(Inpaint(mask=hole, feather=self.masking.feather, smooth_fill=self.masking.smooth_fill))

    def settled(self, job: Job) -> Job:
        """Return a job with the seed of the guess that was kept."""
        product = answer_of(job)
        base = replace(product.base, seed=product.base.seed + self.guess)
        return replace(job, product=replace(product, base=base))

    def prepare(self, batch: Batch) -> None:
        """Show the page, and wait for the mask.

        Raises:
            UsageError: there is not exactly one picture.
            PictureError: it cannot be read, or no mask was painted.
        """
        from .server import serving
        from .session import encoded_mask

        job = self._only(batch)
        if self.save_mask is not None:
            taken = [job.source, *(one.output for one in batch.jobs), *self.reads]
            refusals.check_outputs([self.save_mask], force=self.files.exists == "overwrite", inputs=taken)
        session = self._session(job)
        with serving(session) as address:
            self._invite(address)
            self.hole, self.guess = session.wait(), session.guess
        if self.hole is None:
            raise PictureError(f"{job.source}: no mask was painted, so nothing is filled")
        data = encoded_mask(self.hole)
        self.sha256 = hashlib.sha256(data).hexdigest()
        if self.save_mask is not None:
            from ...system.files import write_bytes

            write_bytes(data, self.save_mask)

    def _only(self, batch: Batch) -> Job:
        count = len({job.source for job in batch.jobs})
        if count != 1:
            raise UsageError(f"--paint takes one picture, not {count}; name one")
        job = batch.jobs[0]
        if PIPE in (job.source, job.output):
            raise UsageError("--paint works with files; name the picture and its result instead of -")
        if job.action == "skip":
            raise UsageError(f"{job.output}: {job.why}, so it is skipped; choose another output or -f")
        return job

    def _session(self, job: Job) -> "Session":
        from PIL import Image

        from ...images.image_io import read_picture
        from ...images.rendering import rendered
        from ..report.previews import jpeg
        from .session import Session, canvas_size

        picture = read_picture(job.source, max_pixels=self.files.max_pixels)
        height, width = picture.pixels.shape[:2]
        initial = None if self._given is None else self._given.filling(job)[0].problem(picture).hole

        def shown(one: "Picture") -> bytes:
            return jpeg(rendered(one).resize(canvas_size((width, height)), Image.Resampling.LANCZOS), 95)

        return Session(
            name=job.source.name, size=(width, height), image=shown(picture), initial=initial,
            preview=lambda hole, guess: shown(self._filled(picture, hole, guess)),
            suggest=lambda strength: self._suggested(picture, strength), strength=self.masking.mask_strength,
        )  # fmt: skip

    def _suggested(self, picture: "Picture", strength: float) -> "NDArray[np.bool_]":
        """Return what looks damaged. The user sees it before it is used, so it may be much."""
        import numpy as np

        from ...tasks.inpaint import Inpaint

        hole = Inpaint(mask="auto", mask_strength=strength, mask_limit=100).missing(picture).hole
        return np.zeros(picture.pixels.shape[:2], bool) if hole is None else hole

    def _filled(self, picture: "Picture", hole: "NDArray[np.bool_]", guess: int) -> "Picture":
        """Return a guess of the result of a mask."""
        from ...restoration.noise_reading import noise_reader
        from ...restoration.restore import restore

        settings = self.which.answers().settings(self.compute.settings(1), fills_holes=True)
        problem = self._task(hole).problem(picture, noise_reader(self._model))
        return restore(picture, problem, replace(settings, seed=settings.seed + guess), self._model)

    @cached_property
    def _model(self) -> Any:  # noqa: ANN401 - a `device.Model`, whose name would import torch
        return self.compute.load()

    def _invite(self, address: str) -> None:
        """Say where the page is, and open it if there is a screen."""
        import webbrowser

        typer.echo(one_line(f"paint the mask at {address} (Ctrl-C cancels)"), err=True)
        if sys.platform != "linux" or any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")):
            webbrowser.open(address)
