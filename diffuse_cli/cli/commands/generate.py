"""`diffuse generate`."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import typer

from ...diffusion.settings import GENERATE_STEPS, LABEL_GUIDANCE, label_guidance
from ...errors import UsageError
from ...provenance import recipe
from ..batch import pipeline
from ..batch.inputs import PIPE
from ..batch.job import Job
from ..options.coding import Coding
from ..options.compute import Compute
from ..options.files import Output
from ..options.numbers import two_numbers
from ..options.prompts import NegativeText, PromptOptions, Text
from ..options.shared import shared
from ..run.display import Display
from ..run.imported import check_told, prompt_of, say_of_folder, scheduler_of, told_of
from ..run.planning import Wanted, plan_drawing, show_plan
from ..run.results import Results
from ..run.steps import Made, PictureSteps, Shown
from ..run.working import PictureWork, begin, working

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ...diffusion.foreign.generative import GenerativeModel
    from ...diffusion.foreign.header import ForeignHeader
    from ...diffusion.foreign.text import TextModel
    from ...diffusion.model import Model
    from ...diffusion.settings import Settings

ALL = "all"
"""The label that stands for each of them."""


@shared
def generate(
    files: Output,
    count: Annotated[
        int | None,
        typer.Option(
            "-n",
            "--count",
            metavar="N",
            min=1,
            help="Number of pictures; with --label all, of each label.",
            show_default="1; 16 with --grid; 10 with --label all",
        ),
    ] = None,
    size: Annotated[
        str | None,
        typer.Option(
            metavar="WxH",
            help="Size of a picture. Beyond the training crops, pictures are drawn small, then enlarged.",
            show_default="64x64",
        ),
    ] = None,
    label: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|all",
            help="What they show, if the checkpoint has labels. With --grid, all gives one row for each label.",
        ),
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
    steps: Annotated[
        int, typer.Option(metavar="N", help="Steps in which a picture is drawn, at each stage.")
    ] = GENERATE_STEPS,
    prompt: Text = None,
    negative_prompt: NegativeText = None,
    *,
    coding: Coding,
    compute: Compute,
) -> None:
    """Draw pictures without an input, from what the checkpoint has learned.

    They are named generate.{seed}.{k}.png, k = 0, 1, ...
    """
    from ...diffusion import checkpoint

    info = checkpoint.read_info(checkpoint.find(compute.model))
    labels = _labels(label, info.labels, grid=grid)
    count = count or (10 if len(labels) > 1 else 16 if grid else 1)
    width, height = info.natural_size[::-1] if size is None else two_numbers("size", size)
    if steps < 2 or min(width, height) < 1:
        raise UsageError("--steps must be at least 2, and --size at least 1x1")
    settings = [compute.settings(steps, sample=k) for k in range(count)]
    encoding = coding.encoding()
    header = info.foreign
    text = PromptOptions(prompt=prompt, negative_prompt=negative_prompt, guidance=guidance if prompt else None)
    check_told(
        None if header is None else (info.path.stem, header), compute, text, None if header is None else labels[0]
    )
    weight = 1.0 if header is not None else label_guidance(guidance, label)
    foreign = {} if header is None else _checked(info.path, header, (height, width), guidance, text)
    told = {
        "size": [width, height],
        **({} if label is None else {"label": label, "guidance": weight}),
        **({"samples": count} if grid else {}),
    }

    def wanted(job: Job) -> dict[str, Any]:
        from ...diffusion.foreign.model import dtype_of

        place = compute.place()
        dtype = dtype_of(info.path, place.device, compute.dtype, place.backend)
        digest = checkpoint.file_sha256(checkpoint.find(compute.model))
        coded = encoding.to_recipe(job.output) if job.output != PIPE else {"format": "PNG"}
        computing = recipe.of_computing("generate", settings[job.sample], digest, dtype, compute.compile)
        return {**computing, **told, **foreign, **coded}

    jobs = 1 if grid else count
    name = "{op}.{seed}{ext}" if grid else "{op}.{seed}.{k}{ext}"
    what = plan_drawing("generate", files, encoding, wanted, seed=compute.seed, count=jobs, name=name)
    if files.dry_run:
        show_plan(what, files)
        return
    from ...diffusion.foreign.model import drawing_model
    from ...diffusion.foreign.text import TextModel

    with Display(quiet=files.quiet, total=jobs) as display:
        begin(what, files, display)
        display.prepare("loading the model")
        model = drawing_model(compute.load())
        if header is not None and isinstance(model, TextModel):
            say_of_folder(model, header, display)
        drawer = _Drawer(
            columns=_columns(count, labels) if grid else None, settings=settings, size=(height, width),
            labels=labels, guidance=guidance, wanted=wanted, model=_told(model, text),
            results=Results(batch=what, files=files, encoding=encoding, display=display),
        )  # fmt: skip
        with working(PictureWork(what, files, display)) as work:
            pipeline.run(what.jobs, drawer, work.end, work.is_stopped)


def _labels(label: str | None, known: tuple[str, ...], *, grid: bool) -> list[str | None]:
    """Return the labels that are drawn, one for each row of a sheet by label.

    Raises:
        UsageError: the checkpoint has no such label, or all of them are asked for without --grid.
    """
    from ...diffusion import checkpoint

    if label == ALL and known and ALL not in known:
        if not grid:
            raise UsageError("--label all draws one sheet with a row for each label: add --grid")
        return list(known)
    if label is not None:
        checkpoint.label_index(label, known)
    return [label]


def _told(model: "Model | GenerativeModel | TextModel", text: PromptOptions) -> "Model | GenerativeModel | TextModel":
    """Return a model that is told the prompt, if it is told one."""
    from ...diffusion.foreign.text import TextModel

    return model.told(prompt_of(text)) if isinstance(model, TextModel) else model


def _checked(
    path: Path, header: "ForeignHeader", size: tuple[int, int], guidance: float | None, text: PromptOptions
) -> dict[str, Any]:
    """Check that an imported model draws what is asked for, and return what recipes say of it.

    Raises:
        UsageError: it does not.
    """
    from ...diffusion.generation import check_drawing
    from ...tasks.with_model import check_model

    check_model(header, path.stem, "generate", drawn=True)
    check_drawing(header, size, guidance)
    if not header.reads_text:
        return {"foreign": told_of(path.stem, header)}
    foreign = {**told_of(path.stem, header), **scheduler_of(path)}
    return {"foreign": foreign, **text.to_recipe(), "solver": None}


def _columns(count: int, labels: list[str | None]) -> int:
    """Return the pictures a row: those of one label, or as many as make the sheet about square."""
    return count if len(labels) > 1 else math.ceil(math.sqrt(count))


@dataclass(frozen=True, kw_only=True)
class _Drawer(PictureSteps[dict[str, Any]]):
    """How each picture is drawn.

    Attributes:
        columns: of the contact sheet that shows all pictures. None = each is a picture of its own.
        settings: how each picture of a label is drawn.
        size: (height, width).
        labels: what the pictures show. A sheet has all pictures of the first, then those of the second, and so on.
        guidance: towards the label.
        wanted: what recipes say.
        model: draws them.
    """

    waiting: ClassVar[str] = ""

    columns: int | None
    settings: "list[Settings]"
    size: tuple[int, int]
    labels: "list[str | None]"
    guidance: float | None
    wanted: Wanted
    model: "Model | GenerativeModel | TextModel"

    def weight(self, job: Job) -> int:
        """Return the number of pixels to draw."""
        pictures = 1 if self.columns is None else len(self.settings) * len(self.labels)
        return self.size[0] * self.size[1] * pictures

    def read(self, job: Job) -> dict[str, Any]:
        """Return the recipe. There is nothing else to read."""
        self.results.claim(job)
        made = recipe.plain(self.wanted(job))
        self.results.check_still_due(job, made)
        return made

    def restore(self, job: Job, read: dict[str, Any]) -> Made:
        """Draw the picture."""
        from ...images.contact_sheet import contact_sheet
        from ...images.picture import Picture

        show = self.results.display.show
        if self.columns is None:
            show(f"sample {job.sample}")
            pixels = self.draw(self.settings[job.sample], self.labels[0])
        else:
            drawn = []
            for label in self.labels:
                show(f"label {label}" if label is not None else "contact sheet")
                drawn += [self.draw(setting, label) for setting in self.settings]
            pixels = contact_sheet(drawn, self.columns)
        picture, encoding = self.results.signed(Picture(pixels=pixels), read), self.results.encoding
        encoding = encoding.like("PNG") if job.output == PIPE else encoding
        shown = Shown(before=None, after=picture) if self.results.shows(job) else None
        return Made(pages=[picture], recipe=read, encoding=encoding, shown=shown)

    def draw(self, setting: "Settings", label: str | None) -> "NDArray[np.float32]":
        """Return one sample, (H, W, 3), or (H, W, 1) if the checkpoint has seen only gray."""
        from ...diffusion.generation import generate as draw
        from ...images.tensors import to_array

        progress = self.results.display.progress
        x = draw(self.size, setting, self.model, label=label, guidance=self.guidance, progress=progress)
        return to_array(x, 1 if self.model.gray else 3)


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(generate)
