"""`diffuse inpaint`."""

from dataclasses import replace
from typing import Annotated

import typer

from ..options.coding import MetadataOptions
from ..options.compute import Compute
from ..options.files import Files
from ..options.masking import MaskOptions, Paint
from ..options.prompts import Label, PromptOptions
from ..options.sampling import SamplingOptions
from ..options.server import ServerOptions
from ..options.shared import shared


@shared
def inpaint(
    files: Files,
    masking: MaskOptions,
    paint: Paint = False,
    label: Label = None,
    unblend: Annotated[
        bool,
        typer.Option(
            "--unblend",
            help="What is marked is half-transparent, such as a watermark: take it off if it has one colour and one "
            "opacity. Only its rim is filled then.",
        ),
    ] = False,
    *,
    told: PromptOptions,
    which: SamplingOptions,
    keeping: MetadataOptions,
    compute: Compute,
    server: ServerOptions,
) -> None:
    """Fill what is marked: a scratch, a date stamp, a wire, a person. All other pixels stay bit for bit as they were.

    Masks and boxes refer to the picture as displayed, with its EXIF orientation applied.
    """
    from ..run.mask_source import MaskSource
    from ..run.restore_files import restore_files

    if paint:
        from ..paint.painting import Painting

        painting = Painting(
            masking=masking, files=files, compute=compute, which=which,
            task=lambda holes: replace(holes, unblend=unblend),
        )  # fmt: skip
        restore_files("inpaint", painting, files, keeping, compute, which, server=server, told=told, label=label)
        return
    if not masking.given:
        masking.check_unused()
    holes = MaskSource(masking=masking, max_pixels=files.max_pixels, unblend=unblend)
    restore_files("inpaint", holes, files, keeping, compute, which, server=server, told=told, label=label)


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(inpaint)
