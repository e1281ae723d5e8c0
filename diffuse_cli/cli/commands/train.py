"""`diffuse train`, `diffuse train plot` and `export`, and of small networks: `noise`, `marks` and `specks`."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ...errors import UsageError
from ...training.config import TORCHVISION, Length, TrainConfig, TrainDtype, read_config
from ..options.shared import shared
from ..run.stopping import CODES, Stop

if TYPE_CHECKING:
    from ...training.loop import TrainingRun
    from ...training.pictures import Data


app = typer.Typer(
    help="Train the weights, or fine-tune them on your own pictures.",
    rich_markup_mode=None,
    invoke_without_command=True,
)

Run = Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a run.")]


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainOptions:
    """What to train on, how long, and how."""

    data: Annotated[
        list[str] | None,
        typer.Option(
            metavar="DIR|TAR|torchvision:NAME:ROOT",
            help="Pictures to train on. Repeat for more. A folder counts with all below it; torchvision:MNIST:ROOT is "
            "the labelled data set MNIST of torchvision, whose files are in ROOT.",
        ),
    ] = None
    out: Annotated[
        Path | None,
        typer.Option(metavar="RUN", help="The run's folder. The same command continues a run that was stopped."),
    ] = None
    val: Annotated[
        list[str] | None,
        typer.Option(metavar="DIR", help="Pictures to validate on; no training picture is held out then."),
    ] = None
    download: Annotated[
        bool, typer.Option("--download", help="Download a torchvision data set that is not in ROOT.")
    ] = False
    init: Annotated[
        str | None, typer.Option(metavar="NAME|FILE|RUN", help="Start from a checkpoint or from another run.")
    ] = None
    teacher: Annotated[
        str | None,
        typer.Option(metavar="NAME|FILE", help="Learn the estimates of this checkpoint, which may be larger."),
    ] = None
    config: Annotated[Path | None, typer.Option(metavar="TOML", help="All other settings (see docs/training.md).")] = (
        None
    )
    minutes: Annotated[float | None, typer.Option(metavar="M", help="Train for M minutes, restarts included.")] = None
    images: Annotated[
        int | None, typer.Option(metavar="N", help="Train on N crops. The same command gives the same weights.")
    ] = None
    labels: Annotated[
        bool,
        typer.Option(
            "--labels", help="Learn labels: sub-folders, .cls records. Always on with data sets of torchvision."
        ),
    ] = False
    seed: Annotated[int | None, typer.Option(metavar="N", help="Seed of all random draws.", show_default="0")] = None
    batch: Annotated[
        int | None, typer.Option(metavar="N", help="Crops per step, over all processes.", show_default="32")
    ] = None
    crop: Annotated[int | None, typer.Option(metavar="PX", help="Side of a crop.", show_default="96")] = None
    lr: Annotated[
        float | None,
        typer.Option(metavar="RATE", help="Learning rate; 0.004 is right for fine-tuning.", show_default="0.015"),
    ] = None
    decay: Annotated[
        float | None,
        typer.Option(metavar="SHARE", help="The rate falls to 0 over this last share of the run.", show_default="1/3"),
    ] = None
    holdout: Annotated[
        int | None,
        typer.Option(metavar="N", help="Hold out one picture in N for validation; 0 = none.", show_default="16"),
    ] = None
    save_every: Annotated[
        int | None, typer.Option(metavar="STEPS", min=1, help="Steps between saves.", show_default="5 minutes")
    ] = None
    validate_every: Annotated[int, typer.Option(metavar="STEPS", min=1, help="Steps between validations.")] = 500
    log_every: Annotated[int, typer.Option(metavar="STEPS", min=1, help="Steps between lines of the log.")] = 20
    device: Annotated[Literal["auto", "cpu", "cuda"], typer.Option(help="Where to compute.")] = "auto"
    dtype: Annotated[TrainDtype, typer.Option(help="Number type of the network. Master weights are fp32.")] = "auto"
    compiled: Annotated[
        bool | None, typer.Option("--compile/--no-compile", help="Use torch.compile.", show_default="where it pays")
    ] = None
    threads: Annotated[int | None, typer.Option(metavar="N", min=1, help="CPU threads.", show_default="all")] = None
    workers: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=0,
            help="Processes that prepare batches.",
            show_default="on a CPU 1, if the run lasts ten minutes",
        ),
    ] = None
    tensorboard: Annotated[bool, typer.Option("--tensorboard", help="Also write TensorBoard event files.")] = False
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Show no progress. Warnings and errors still show.")] = (
        False
    )

    def settings(self) -> TrainConfig:
        """Return the config file's settings, with those of the command line laid over them.

        Raises:
            UsageError: the file cannot be read, or a value is out of range.
        """
        return read_config(
            self.config, seed=self.seed, batch=self.batch, crop=self.crop, lr=self.lr, decay=self.decay,
            holdout=self.holdout,
        )  # fmt: skip

    def run(self) -> "TrainingRun":
        """Return what to train on, where, and how to compute.

        Raises:
            UsageError: --data or --out is missing, or the name of a data set has another form.
        """
        from ...training.loop import TrainingRun

        if not self.data or self.out is None:
            raise UsageError("train needs --data DIR and --out RUN")
        if self.download and not any(text.startswith(TORCHVISION) for text in (*self.data, *(self.val or ()))):
            raise UsageError(f"--download is for data sets of torchvision; give --data {TORCHVISION}NAME:ROOT")
        return TrainingRun(
            data=self._parts(self.data), validation=self._parts(self.val), init=self.init, teacher=self.teacher,
            labels=self.labels, out=self.out, save_every=self.save_every, validate_every=self.validate_every,
            log_every=self.log_every, device=self.device, dtype=self.dtype, compiled=self.compiled,
            threads=self.threads, workers=self.workers, tensorboard=self.tensorboard,
        )  # fmt: skip

    def _parts(self, texts: list[str] | None) -> "tuple[Data, ...]":
        from ...training.torchvision_data import TorchvisionData

        return tuple(
            TorchvisionData.parse(text, download=self.download) if text.startswith(TORCHVISION) else Path(text)
            for text in texts or ()
        )


@app.callback()
@shared
def train(context: typer.Context, *, options: TrainOptions) -> None:
    """Train the weights, or fine-tune them on your own pictures.

    The run's folder holds its state, its log (log.jsonl) and the decoded pictures.
    """
    if context.invoked_subcommand is not None:
        return
    length = Length(images=options.images, minutes=options.minutes)
    settings, run = options.settings(), options.run()
    leads = int(os.environ.get("RANK", "0")) == 0  # of the processes that torchrun started
    with Stop("this step", quiet=not leads) as stop:
        from ...training.loop import Callbacks, train
        from ..run.train_display import TrainDisplay

        with TrainDisplay(quiet=options.quiet or not leads) as display:
            watch = Callbacks(record=display.record, warn=display.warn, stopping=lambda: stop.asked)
            ended = train(settings, length, run, watch)
    if not ended and stop.signal is not None:
        typer.echo(f"diffuse: stopped; the state is saved in {run.out}, and the same command goes on", err=True)
        raise typer.Exit(CODES[stop.signal])


@app.command()
def plot(
    run: Run,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE", help="The picture.", show_default="RUN/curves.png")
    ] = None,
) -> None:
    """Draw a run's curves: loss and PSNR per task, learning rate and speed."""
    from ...training.plot import draw

    target = output or run / "curves.png"
    draw(run, target)
    typer.echo(str(target))


@app.command()
def export(
    run: Run,
    output: Annotated[Path, typer.Option("-o", "--output", metavar="FILE", help="The checkpoint (.safetensors).")],
    ema: Annotated[float | None, typer.Option(metavar="LENGTH", help="Of the average.", show_default="first")] = None,
    licence: Annotated[str, typer.Option(metavar="TEXT", help="Licence notes of weights and data.")] = "",
    force: Annotated[bool, typer.Option("-f", "--force", help="Overwrite a file that exists.")] = False,
) -> None:
    """Write a run's averaged weights as a checkpoint for --model, with config, data summary and metrics."""
    from ...training.export import export as write
    from ..batch import refusals

    refusals.check_outputs([output], force=force)
    write(run, output, length=ema, licence=licence)
    typer.echo(str(output))


@app.command()
def noise(
    data: Annotated[list[Path], typer.Option(metavar="DIR", help="Clean photographs. Repeat for more.")],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="FILE", help="The regressor (.safetensors).")],
    model: Annotated[str, typer.Option(metavar="NAME|FILE", help="The weights that it reads noise with.")] = "photo",
    crops: Annotated[int, typer.Option(metavar="N", help="Crops to learn from; an eighth is held out.", min=16)] = 4000,
    seed: Annotated[int, typer.Option(metavar="N", help="Of the crops.")] = 0,
    init: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Begin with this regressor, at a third of the rate.")
    ] = None,
    force: Annotated[bool, typer.Option("-f", "--force", help="Overwrite a file that exists.")] = False,
) -> None:
    """Train the regressor that reads the noise of photographs. The weights see crops whose noise is known."""
    from ...training.photo_noise import train_regressor
    from ..batch import refusals

    refusals.check_outputs([output], force=force)
    typer.echo(train_regressor(data, output, model, crops, seed, _every_hundred(crops), init))


@app.command()
def marks(
    data: Annotated[list[Path], typer.Option(metavar="DIR", help="Clean photographs. Repeat for more.")],
    out: Annotated[
        Path, typer.Option(metavar="RUN", help="The run's folder. The same command continues a run that was stopped.")
    ],
    minutes: Annotated[float | None, typer.Option(metavar="M", help="Train for M minutes, restarts included.")] = None,
    images: Annotated[
        int | None, typer.Option(metavar="N", help="Train on N crops. The same command gives the same weights.")
    ] = None,
    init: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Begin with this detector, at a third of the rate.")
    ] = None,
    seed: Annotated[int, typer.Option(metavar="N", help="Seed of the first weights and of the crops.")] = 0,
    threads: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="CPU threads.", show_default="all but a worker's")
    ] = None,
    workers: Annotated[int, typer.Option(metavar="N", min=0, help="Processes that draw worn crops.")] = 1,
) -> None:
    """Train the detector of --mask auto. It sees photographs that are worn on purpose.

    Every ten minutes and at the end, the averaged weights are written as RUN/marks.safetensors.
    """
    with Stop("this step") as stop:
        from ...training.marks import MarksRun, train_detector

        length = Length(images=images, minutes=minutes)
        run = MarksRun(
            data=tuple(data), out=out, length=length, seed=seed, init=init, threads=threads, workers=workers
        )  # fmt: skip
        ended = train_detector(run, lambda line: typer.echo(line, err=True), lambda: stop.asked)
    if not ended and stop.signal is not None:
        typer.echo(f"diffuse: stopped; the state is saved in {out}, and the same command goes on", err=True)
        raise typer.Exit(CODES[stop.signal])
    typer.echo(str(out / "marks.safetensors"))


@app.command()
def specks(
    data: Annotated[list[Path], typer.Option(metavar="DIR", help="Clean photographs. Repeat for more.")],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="FILE", help="The judge (.safetensors).")],
    crops: Annotated[int, typer.Option(metavar="N", help="Crops to learn from; an eighth is held out.", min=16)] = 2400,
    seed: Annotated[int, typer.Option(metavar="N", help="Of the crops.")] = 0,
    force: Annotated[bool, typer.Option("-f", "--force", help="Overwrite a file that exists.")] = False,
) -> None:
    """Train the judge of specks for --mask auto. It sees what the detector says of crops that are worn on purpose."""
    from ...training.specks import train_judge
    from ..batch import refusals

    refusals.check_outputs([output], force=force)
    typer.echo(train_judge(data, output, crops, seed, _every_hundred(crops)))


def _every_hundred(crops: int) -> Callable[[int], None]:
    def tick(done: int) -> None:
        if done % 100 == 0 or done == crops:
            typer.echo(f"{done} of {crops} crops", err=True)

    return tick


def add_to(parent: typer.Typer) -> None:
    """Register the commands."""
    parent.add_typer(app, name="train")
