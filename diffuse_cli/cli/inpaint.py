"""`diffuse inpaint`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ..errors import UsageError
from .options import Compute, Files, Keeping, shared, whole_number

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ..request import Box


@shared
def inpaint(
    files: Files,
    mask: Annotated[
        str | None,
        typer.Option(metavar="FILE|alpha", help="White = fill, black = keep; alpha = the transparent pixels."),
    ] = None,
    box: Annotated[
        list[str] | None, typer.Option(metavar="X,Y,W,H", help="A rectangle to fill; may be repeated.")
    ] = None,
    invert_mask: Annotated[bool, typer.Option("--invert-mask", help="Fill what mask and boxes leave.")] = False,
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
    from ..request import Inpaint
    from .restorer import restore_files

    boxes = [_box(text) for text in box or ()]
    request = Inpaint(mask=_mask(mask, files.max_pixels), boxes=boxes, invert_mask=invert_mask)
    restore_files("inpaint", request, files, keeping, compute, steps)


def _box(text: str) -> "Box":
    numbers = [whole_number("box", part) for part in text.split(",")]
    if len(numbers) != 4:
        raise UsageError(f"--box {text}: give four numbers, x,y,width,height")
    return numbers[0], numbers[1], numbers[2], numbers[3]


def _mask(mask: str | None, max_pixels: int) -> "NDArray[np.bool_] | Literal['alpha'] | None":
    if mask is None:
        return None
    if mask == "alpha":
        return "alpha"
    from ..image_io import read_picture
    from ..request import mask_of

    if not Path(mask).exists():
        raise UsageError(f"{mask}: no such mask file")
    if Path(mask).is_dir():
        raise UsageError(f"{mask}: is a folder; --mask takes one picture")
    return mask_of(read_picture(Path(mask), max_pixels=max_pixels))


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(inpaint)
