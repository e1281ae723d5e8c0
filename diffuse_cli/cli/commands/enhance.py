"""`diffuse enhance`."""

from typing import Annotated

import typer

from ...tasks.enhance import WhiteBalance
from ..options.options import Compute, Files, MetadataOptions, SamplingOptions, number_or_auto, shared


@shared
def enhance(
    files: Files,
    exposure: Annotated[
        str, typer.Option(metavar="auto|EV", help="Stops; what highlights have no room for lifts the shadows.")
    ] = "auto",
    contrast: Annotated[
        str,
        typer.Option(metavar="auto|C", help="Slope in the middle tones, 1 = as it is; auto takes a veil away."),
    ] = "auto",
    clarity: Annotated[
        str, typer.Option(metavar="auto|-1..2", help="Local contrast, 0 = as it is; auto adds some where a veil was.")
    ] = "auto",
    white_balance: Annotated[
        WhiteBalance, typer.Option(help="auto takes a cast away where three estimators agree on it.")
    ] = "auto",
    strength: Annotated[float, typer.Option(metavar="0..1", help="0 = the input, 1 = all of it.")] = 1.0,
    *,
    keeping: MetadataOptions,
    compute: Compute,
) -> None:
    """Better light for dark, faded or flat pictures, without the noise that it would show.

    Tone is changed in linear light. The noise is estimated before, carried through the curve pixel by pixel, and
    removed. What is good is left: a picture that lacks nothing stays as it is.
    """
    from ...tasks.enhance import Enhance
    from ..run.restorer import restore_files
    from ..run.task_source import SameTask

    task = Enhance(
        exposure=number_or_auto("exposure", exposure), contrast=number_or_auto("contrast", contrast),
        clarity=number_or_auto("clarity", clarity), white_balance=white_balance, strength=strength,
    )  # fmt: skip
    restore_files("enhance", SameTask(task=task), files, keeping, compute, SamplingOptions())


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(enhance)
