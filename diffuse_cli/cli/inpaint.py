"""`diffuse inpaint`."""

from pathlib import Path
from typing import Annotated

import typer

from ..errors import UsageError
from .masking import Holes, Masking
from .options import Compute, Files, Keeping, Which, shared


@shared
def inpaint(
    files: Files,
    masking: Masking,
    paint: Annotated[
        bool, typer.Option("--paint", help="Paint the mask on a page that this machine alone can open.")
    ] = False,
    save_mask: Annotated[
        Path | None, typer.Option(metavar="FILE.png", help="With --paint: write the mask, too.")
    ] = None,
    *,
    which: Which,
    keeping: Keeping,
    compute: Compute,
) -> None:
    """Fill the masked pixels; every other pixel stays bit for bit what it was.

    Mask and boxes refer to the picture as displayed, with its EXIF orientation applied.
    """
    from .restorer import restore_files

    if paint:
        from .painting import Painting

        painting = Painting(masking=masking, files=files, compute=compute, which=which, save_mask=save_mask)
        restore_files(
            "inpaint", painting.of, files, keeping, compute, which, others=painting.others, prepare=painting.paint
        )
        return
    if save_mask is not None:
        raise UsageError("--save-mask: is about a painted mask; give --paint too")
    holes = Holes(masking=masking, max_pixels=files.max_pixels)
    restore_files("inpaint", holes.of, files, keeping, compute, which, others=holes.files)


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(inpaint)
