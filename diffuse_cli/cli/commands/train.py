"""`diffuse train`, `diffuse train plot` and `diffuse train export`."""

import os
from pathlib import Path
from typing import Annotated

import typer

from ...diffusion.settings import Device, Dtype
from ...errors import UsageError
from ..run.stopping import CODES, Stop

app = typer.Typer(
    help="Train the weights, or fine-tune them on pictures of your own.",
    rich_markup_mode=None,
    invoke_without_command=True,
)

Run = Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a run.")]


@app.callback()
def train(
    context: typer.Context,
    data: Annotated[
        list[Path] | None,
        typer.Option("--data", metavar="DIR|TAR|IDX", help="Pictures; again for more. Folders with all below them."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="RUN", help="The run's folder. The same line goes on.")
    ] = None,
    val: Annotated[
        list[Path] | None, typer.Option("--val", metavar="DIR", help="Pictures to validate on, instead of a hold-out.")
    ] = None,
    init: Annotated[
        str | None, typer.Option(metavar="NAME|FILE|RUN", help="Start from a checkpoint, or where another run stands.")
    ] = None,
    config: Annotated[Path | None, typer.Option(metavar="TOML", help="Everything else (see the README).")] = None,
    minutes: Annotated[float | None, typer.Option(metavar="M", help="Train so long, restarts included.")] = None,
    images: Annotated[
        int | None, typer.Option(metavar="N", help="Train on so many crops; equal lines give equal weights.")
    ] = None,
    labels: Annotated[
        bool, typer.Option("--labels", help="Learn labels: sub-folders, .cls records, IDX labels.")
    ] = False,
    seed: Annotated[int | None, typer.Option(metavar="N", help="Of every random draw.")] = None,
    batch: Annotated[int | None, typer.Option(metavar="N", help="Crops a step, over all processes.")] = None,
    crop: Annotated[int | None, typer.Option(metavar="PX", help="Side of a crop.")] = None,
    lr: Annotated[float | None, typer.Option(metavar="RATE", help="0.015 to train, 0.004 to fine-tune.")] = None,
    decay: Annotated[
        float | None, typer.Option(metavar="SHARE", help="The rate falls to 0 over this last share; 0 = never.")
    ] = None,
    holdout: Annotated[int | None, typer.Option(metavar="N", help="Hold out one picture in N; 0 = none.")] = None,
    save_every: Annotated[
        int | None, typer.Option(metavar="STEPS", min=1, help="Save the state so often.", show_default="5 minutes")
    ] = None,
    validate_every: Annotated[int, typer.Option(metavar="STEPS", min=1, help="Validate so often.")] = 500,
    log_every: Annotated[int, typer.Option(metavar="STEPS", min=1, help="Log so often.")] = 20,
    device: Annotated[Device, typer.Option(help="Where to compute (cpu, cuda).")] = "auto",
    dtype: Annotated[Dtype, typer.Option(help="Of the network; master weights are fp32.")] = "auto",
    compiled: Annotated[
        bool | None, typer.Option("--compile/--no-compile", help="torch.compile.", show_default="where it pays")
    ] = None,
    threads: Annotated[int | None, typer.Option(metavar="N", min=1, help="CPU threads.", show_default="all")] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=0,
            help="Processes that make batches.",
            show_default="on a CPU 1, if the run lasts ten minutes",
        ),
    ] = None,
    tensorboard: Annotated[bool, typer.Option("--tensorboard", help="Also write event files.")] = False,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="No progress; warnings and errors still show.")] = False,
) -> None:
    """Train the weights, or fine-tune them on pictures of your own.

    The run's folder holds its state, its log (log.jsonl) and the decoded pictures.
    """
    if context.invoked_subcommand is not None:
        return
    if not data or out is None:
        raise UsageError("train needs --data DIR and --out RUN")
    if device == "mps":
        raise UsageError("--device mps: training runs on cpu and cuda")
    from ...training.config import Length, read_config

    settings = read_config(config, seed=seed, batch=batch, crop=crop, lr=lr, decay=decay, holdout=holdout)
    length = Length(images=images, minutes=minutes)

    from ...training.loop import TrainingRun

    request = TrainingRun(
        data=tuple(data), validation=tuple(val or ()), init=init, labels=labels, out=out, save_every=save_every,
        validate_every=validate_every, log_every=log_every, device=device, dtype=dtype, compiled=compiled,
        threads=threads, workers=workers, tensorboard=tensorboard,
    )  # fmt: skip
    leads = int(os.environ.get("RANK", "0")) == 0  # of the processes that torchrun started
    with Stop("this step", quiet=not leads) as stop:
        from ...training.loop import Callbacks, train
        from ..run.train_display import TrainDisplay

        with TrainDisplay(quiet=quiet or not leads) as display:
            watch = Callbacks(record=display.record, warn=display.warn, stopping=lambda: stop.asked)
            ended = train(settings, length, request, watch)
    if not ended and stop.signal is not None:
        typer.echo(f"diffuse: stopped; the state is saved in {out}, and the same command goes on", err=True)
        raise typer.Exit(CODES[stop.signal])


@app.command()
def plot(
    run: Run,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE", help="The picture.", show_default="RUN/curves.png")
    ] = None,
) -> None:
    """Draw a run's curves: loss and PSNR per task, rate and speed."""
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
    force: Annotated[bool, typer.Option("-f", "--force", help="Replace an existing file.")] = False,
) -> None:
    """Write a run's averaged weights as a checkpoint for --model, with config, data summary and metrics."""
    from ...training.export import export as write
    from ..batch import plan

    plan.check_outputs([output], force=force)
    write(run, output, length=ema, licence=licence)
    typer.echo(str(output))


def add_to(parent: typer.Typer) -> None:
    """Register the commands."""
    parent.add_typer(app, name="train")
