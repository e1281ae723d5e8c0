"""`diffuse compose`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ...errors import PictureError, UsageError
from ...system.files import file_sha256
from ...tasks.compose import Blend
from ..options.options import Compute, Files, MetadataOptions, SamplingOptions, number_or_auto, shared, whole_number

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ...images.picture import Picture


@shared
def compose(
    files: Files,
    insert: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A cut-out: what its alpha shows, or its whole rectangle.")
    ] = None,
    at: Annotated[str, typer.Option(metavar="X,Y", help="Where its top left corner lies; may be negative.")] = "0,0",
    scale: Annotated[float, typer.Option(metavar="S", help="Factor of the cut-out, at most 8.")] = 1.0,
    rotate: Annotated[float, typer.Option(metavar="D", help="Degrees by which it is turned, counter-clockwise.")] = 0.0,
    join: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A picture of the same size, shown where --mask is white.")
    ] = None,
    mask: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Of the insert's size: white = take, black = leave out.")
    ] = None,
    band: Annotated[
        int, typer.Option(metavar="PX", help="Width of what is painted anew along the seam; all else is kept.")
    ] = 32,
    blend: Annotated[
        Blend, typer.Option(help="seam matches light, blur and grain, and paints the band; alpha lays over.")
    ] = "seam",
    match: Annotated[
        str,
        typer.Option(metavar="auto|0..1", help="How far its light is matched; auto = 1, or 0.5 for one with alpha."),
    ] = "auto",
    *,
    keeping: MetadataOptions,
    compute: Compute,
) -> None:
    """Put a cut-out into a picture so that it belongs there, or join two pictures along a mask.

    Its light is matched to what lies beside it; if it is sharper it is softened, if it has less grain it gets some; the
    seam is blended by gradients and then painted anew. Beyond the band every pixel that shows the picture is kept.
    """
    from ...tasks.compose import Compose
    from ..run.restorer import restore_files
    from ..run.task_source import SameTask

    if (insert is None) == (join is None):
        raise UsageError("what is put in? Give --insert CUTOUT, or --join OTHER with --mask FILE")
    if join is not None and mask is None:
        raise UsageError("--join shows the other picture where a mask is white: give --mask FILE")
    if join is not None and (scale != 1 or rotate != 0 or at != "0,0"):
        raise UsageError("--join takes the other picture as it lies; --at, --scale and --rotate are about --insert")
    name = insert if insert is not None else join
    other, told = _read(name or Path(), files, "cut-out")
    taken, of_mask = (None, "") if mask is None else _mask(mask, files)
    task = Compose(
        insert=other, mask=taken, at=None if join is not None else _at(at), scale=scale, rotate=rotate, band=band,
        blend=blend, match=number_or_auto("match", match), seed=compute.seed,
    )  # fmt: skip
    facts = {"insert" if join is None else "join": told, **({"mask": of_mask} if mask is not None else {})}
    tasks = SameTask(task=task, facts=facts, paths=tuple(path for path in (name, mask) if path is not None))
    restore_files("compose", tasks, files, keeping, compute, SamplingOptions())


def _read(path: Path, files: Files, what: str) -> "tuple[Picture, str]":
    """A picture, and its file's sha256.

    Raises: UsageError: there is no such file. PictureError: it cannot be read.
    """
    from ...images.image_io import read_picture

    if not path.is_file():
        raise UsageError(f"{path}: no such {what}")
    picture = read_picture(path, max_pixels=files.max_pixels)
    return picture, file_sha256(path, PictureError)


def _mask(path: Path, files: Files) -> "tuple[NDArray[np.float32], str]":
    from ...tasks.compose import cover_of

    picture, told = _read(path, files, "mask")
    return cover_of(picture), told


def _at(text: str) -> tuple[int, int]:
    parts = text.split(",")
    if len(parts) != 2:
        raise UsageError(f"--at {text}: give two numbers, x,y")
    return whole_number("at", parts[0]), whole_number("at", parts[1])


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(compose)
