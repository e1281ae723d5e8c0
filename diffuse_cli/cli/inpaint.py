"""`diffuse inpaint`."""

from typing import Annotated

import typer

from .masking import Holes, Masking
from .options import Compute, Files, Keeping, shared


@shared
def inpaint(
    files: Files,
    masking: Masking,
    steps: Annotated[
        int, typer.Option(metavar="N", help="1 = the posterior mean (best PSNR); more = a posterior sample.")
    ] = 1,
    *,
    keeping: Keeping,
    compute: Compute,
) -> None:
    """Fill the masked pixels; every other pixel stays bit for bit what it was.

    Mask and boxes refer to the picture as displayed, with its EXIF orientation applied.
    """
    from .restorer import restore_files

    holes = Holes(masking=masking, max_pixels=files.max_pixels)
    restore_files("inpaint", holes.of, files, keeping, compute, steps, others=holes.files)


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(inpaint)
