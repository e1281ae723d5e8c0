"""`diffuse generate`."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ...diffusion.settings import GENERATE_STEPS, LABEL_GUIDANCE, label_guidance, natural_size
from ...errors import UsageError
from ...provenance import recipe
from ..batch import pipeline
from ..batch.inputs import PIPE
from ..batch.plan import Job
from ..options.options import Coding, Compute, Output, shared, two_numbers
from ..run.display import Display
from ..run.planning import Wanted, plan_drawing, show_plan
from ..run.results import Results
from ..run.steps import Made, PictureSteps, Shown
from ..run.working import PictureWork, begin, working

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ...diffusion.model import Model
    from ...diffusion.settings import Settings


@shared
def generate(
    files: Output,
    count: Annotated[
        int | None,
        typer.Option("-n", "--count", metavar="N", min=1, help="Number of pictures.", show_default="1; 16 with --grid"),
    ] = None,
    size: Annotated[
        str | None,
        typer.Option(
            metavar="WxH",
            help="Size. Beyond the training crops, pictures are drawn small, then enlarged.",
            show_default="64x64",
        ),
    ] = None,
    label: Annotated[
        str | None, typer.Option(metavar="NAME", help="What the pictures show, if the checkpoint has labels.")
    ] = None,
    guidance: Annotated[
        float | None,
        typer.Option(
            metavar="W",
            help="Weight of the label. 1 is as learned, more is more typical.",
            show_default=f"{LABEL_GUIDANCE:g}",
        ),
    ] = None,
    grid: Annotated[
        bool, typer.Option("--grid", help="Write one contact sheet, generate.{seed}.png, instead.")
    ] = False,
    steps: Annotated[int, typer.Option(metavar="N", help="Solver steps of each stage.")] = GENERATE_STEPS,
    *,
    coding: Coding,
    compute: Compute,
) -> None:
    """Draw pictures from what the checkpoint has learned. They are named generate.{seed}.{k}.png, k = 0, 1, ..."""
    from ...diffusion import checkpoint

    count = count or (16 if grid else 1)
    info = checkpoint.read_info(checkpoint.find(compute.model))
    width, height = natural_size(info.crop) if size is None else two_numbers("size", size)
    if steps < 2 or min(width, height) < 1:
        raise UsageError("--steps must be at least 2, and --size at least 1x1")
    settings = [compute.settings(steps, sample=k) for k in range(count)]
    encoding = coding.encoding()
    if label is not None:
        checkpoint.label_index(label, info.labels)
    weight = label_guidance(guidance, label)
    told = {
        "size": [width, height],
        **({} if label is None else {"label": label, "guidance": weight}),
        **({"samples": count} if grid else {}),
    }

    def wanted(job: Job) -> dict[str, Any]:
        from ...diffusion.model import chosen_dtype

        dtype = chosen_dtype(compute.device, compute.dtype, compute.engine)
        digest = checkpoint.file_sha256(checkpoint.find(compute.model))
        coded = encoding.told(job.output) if job.output != PIPE else {"format": "PNG"}
        computing = recipe.of_computing("generate", settings[job.sample], digest, dtype, compute.compile)
        return {**computing, **told, **coded}

    jobs = 1 if grid else count
    name = "{op}.{seed}{ext}" if grid else "{op}.{seed}.{k}{ext}"
    what = plan_drawing("generate", files, encoding, wanted, seed=compute.seed, count=jobs, name=name)
    if files.dry_run:
        show_plan(what, files)
        return
    with Display(quiet=files.quiet, total=jobs) as display:
        begin(what, files, display)
        display.prepare("loading the model")
        drawer = _Drawer(
            samples=settings if grid else None, settings=settings, size=(height, width), label=label,
            guidance=guidance, wanted=wanted, model=compute.load(),
            results=Results(batch=what, files=files, encoding=encoding, display=display),
        )  # fmt: skip
        with working(PictureWork(what, files, display)) as work:
            pipeline.run(what.jobs, drawer, work.end, work.is_stopped)


@dataclass(frozen=True, kw_only=True)
class _Drawer(PictureSteps[dict[str, Any]]):
    """How each picture is drawn.

    Attributes:
        samples: what one contact sheet shows. None = each is a picture of its own.
        settings: how each picture is drawn.
        size: (height, width).
        label: what the pictures show.
        guidance: towards the label.
        wanted: what recipes say.
        model: draws them.
    """

    samples: "list[Settings] | None"
    settings: "list[Settings]"
    size: tuple[int, int]
    label: str | None
    guidance: float | None
    wanted: Wanted
    model: "Model"

    def weight(self, job: Job) -> int:
        """Return the number of pixels to draw."""
        return self.size[0] * self.size[1] * len(self.samples or (0,))

    def read(self, job: Job) -> dict[str, Any]:
        """Return the recipe. There is nothing else to read."""
        self.results.claim(job)
        made = recipe.plain(self.wanted(job))
        self.results.check_still_due(job, made)
        return made

    def restore(self, job: Job, read: dict[str, Any]) -> Made:
        """Draw the picture."""
        from ...images.picture import Picture

        self.results.display.show(f"sample {job.sample}")
        drawn = [self.draw(setting) for setting in self.samples or [self.settings[job.sample]]]
        picture = Picture(pixels=drawn[0] if self.samples is None else _sheet(drawn))
        picture, encoding = self.results.signed(picture, read), self.results.encoding
        encoding = encoding.like("PNG") if job.output == PIPE else encoding
        shown = Shown(before=None, after=picture) if self.results.shows(job) else None
        return Made(pages=[picture], recipe=read, encoding=encoding, shown=shown)

    def draw(self, setting: "Settings") -> "NDArray[np.float32]":
        """Return one sample, (H, W, 3), or (H, W, 1) if the checkpoint has seen only gray."""
        from ...diffusion.generation import generate as draw
        from ...images.tensors import to_array

        progress = self.results.display.progress
        x = draw(self.size, setting, self.model, label=self.label, guidance=self.guidance, progress=progress)
        return to_array(x, 1 if self.model.network.config.gray else 3)


def _sheet(arrays: "list[NDArray[np.float32]]") -> "NDArray[np.float32]":
    """Return a contact sheet, as square as it gets, with two pixels of mid-gray between the pictures."""
    import numpy as np

    h, w, channels = arrays[0].shape
    columns = int(np.ceil(np.sqrt(len(arrays))))
    rows = -(-len(arrays) // columns)
    gap = 2
    sheet = np.zeros((rows * (h + gap) - gap, columns * (w + gap) - gap, channels), np.float32)
    for k, array in enumerate(arrays):
        top, left = (k // columns) * (h + gap), (k % columns) * (w + gap)
        sheet[top : top + h, left : left + w] = array
    return sheet


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(generate)
