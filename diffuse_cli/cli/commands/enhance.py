"""`diffuse enhance`."""

from typing import Annotated

import typer

from ...tasks.enhance import WhiteBalance
from ..options.clips import ClipOptions
from ..options.coding import MetadataOptions
from ..options.compute import Compute
from ..options.files import Files
from ..options.numbers import number_or_auto
from ..options.sampling import SamplingOptions
from ..options.server import ServerOptions
from ..options.shared import shared


@shared
def enhance(
    files: Files,
    exposure: Annotated[
        str,
        typer.Option(metavar="auto|EV", help="Exposure in stops. What does not fit the highlights lifts the shadows."),
    ] = "auto",
    contrast: Annotated[
        str,
        typer.Option(metavar="auto|C", help="Slope in the middle tones. 1 changes nothing. auto removes a veil."),
    ] = "auto",
    clarity: Annotated[
        str,
        typer.Option(metavar="auto|-1..2", help="Local contrast. 0 changes nothing. auto adds some where a veil was."),
    ] = "auto",
    saturation: Annotated[
        str,
        typer.Option(
            metavar="auto|FACTOR",
            help="Factor of the colours. 1 changes nothing, 0 is gray. auto brings dull ones back where a veil was.",
        ),
    ] = "auto",
    white_balance: Annotated[
        WhiteBalance, typer.Option(help="auto removes a colour cast if three estimators agree on it.")
    ] = "auto",
    noise: Annotated[
        str,
        typer.Option(
            metavar="auto|LEVEL|poisson",
            help="Level of the noise in the file: its std in 8-bit levels. auto reads it in the new light. poisson "
            "takes it as white and estimates how it depends on brightness.",
        ),
    ] = "auto",
    strength: Annotated[float, typer.Option(metavar="0..1", help="0 is the input, 1 the full effect.")] = 1.0,
    *,
    keeping: MetadataOptions,
    compute: Compute,
    server: ServerOptions,
    clips: ClipOptions,
) -> None:
    """Improve the light of dark, faded or flat pictures.

    The tone is changed in linear light. The noise that this would show is removed. White noise is estimated first, and
    the tone curve says how strong it becomes at each pixel. A camera's noise is read in the new light. A picture that
    needs nothing stays as it is.
    """
    from ...tasks.enhance import Enhance
    from ..run.restore_files import restore_files
    from ..run.task_source import SameTask

    task = Enhance(
        exposure=number_or_auto("exposure", exposure), contrast=number_or_auto("contrast", contrast),
        clarity=number_or_auto("clarity", clarity),
        saturation=number_or_auto("saturation", saturation), white_balance=white_balance,
        noise="poisson" if noise == "poisson" else number_or_auto("noise", noise), strength=strength,
    )  # fmt: skip
    restore_files("enhance", SameTask(task=task), files, keeping, compute, SamplingOptions(), clips, server)


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(enhance)
