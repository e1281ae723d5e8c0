"""`diffuse inpaint`."""

from typing import TYPE_CHECKING, Annotated, Literal, cast

import typer

from ..errors import UsageError
from .options import Compute, Files, Keeping, shared, whole_number

if TYPE_CHECKING:
    from ..batches.plan import Job
    from ..request import Box, Request


@shared
def inpaint(
    files: Files,
    mask: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|DIR/|alpha",
            help="White = fill, black = keep; a folder, or a name like 'masks/{stem}.png', has one for each picture; "
            "alpha = the transparent pixels.",
        ),
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
    from ..files_beside import FilesBeside
    from ..image_file.image_io import read_picture
    from ..request import Inpaint, mask_of
    from .restorer import restore_files

    boxes = [_box(text) for text in box or ()]
    if mask is None or mask == "alpha":
        request = Inpaint(mask=cast("Literal['alpha'] | None", mask), boxes=boxes, invert_mask=invert_mask)
        extra = {} if mask is None else {"mask": "alpha"}
        restore_files("inpaint", request, files, keeping, compute, steps, extra=extra)
        return
    masks = FilesBeside(
        mask, option="--mask", what="mask", read=lambda path: mask_of(read_picture(path, max_pixels=files.max_pixels))
    )

    def of(job: "Job") -> "tuple[Request, dict[str, str]]":
        found = masks.of(job.source)
        return Inpaint(mask=found.value, boxes=boxes, invert_mask=invert_mask), {"mask": found.sha256}

    restore_files("inpaint", of, files, keeping, compute, steps, others=masks.files)


def _box(text: str) -> "Box":
    numbers = [whole_number("box", part) for part in text.split(",")]
    if len(numbers) != 4:
        raise UsageError(f"--box {text}: give four numbers, x,y,width,height")
    return numbers[0], numbers[1], numbers[2], numbers[3]


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(inpaint)
