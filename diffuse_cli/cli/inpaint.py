"""`diffuse inpaint`."""

from pathlib import Path
from typing import Annotated

import typer

from ..errors import UsageError
from .masking import Holes, Masking
from .options import Compute, Files, Keeping, shared


@shared
def inpaint(
    files: Files,
    masking: Masking,
    steps: Annotated[
        int, typer.Option(metavar="N", help="1 = the posterior mean (best PSNR); more = a posterior sample.")
    ] = 1,
    paint: Annotated[
        bool, typer.Option("--paint", help="Paint the mask on a page that this machine alone can open.")
    ] = False,
    save_mask: Annotated[
        Path | None, typer.Option(metavar="FILE.png", help="With --paint: write the mask, too.")
    ] = None,
    *,
    keeping: Keeping,
    compute: Compute,
) -> None:
    """Fill the masked pixels; every other pixel stays bit for bit what it was.

    Mask and boxes refer to the picture as displayed, with its EXIF orientation applied.
    """
    from .restorer import restore_files

    if paint:
        from .painting import Painting

        painting = Painting(masking=masking, files=files, compute=compute, steps=steps, save_mask=save_mask)
        restore_files(
            "inpaint", painting.of, files, keeping, compute, steps, others=painting.others, prepare=painting.paint
        )
        return
    if save_mask is not None:
        raise UsageError("--save-mask: is about a painted mask; give --paint too")
    holes = Holes(masking=masking, max_pixels=files.max_pixels)
    restore_files("inpaint", holes.of, files, keeping, compute, steps, others=holes.files)


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(inpaint)
