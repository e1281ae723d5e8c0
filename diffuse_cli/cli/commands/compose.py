"""`diffuse compose`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ...errors import PictureError, UsageError
from ...system.files import file_sha256
from ...system.streams import is_pipe
from ...tasks.compose import Blend
from ..options.coding import MetadataOptions
from ..options.compute import Compute
from ..options.files import Files
from ..options.numbers import number_or_auto, whole_number
from ..options.sampling import SamplingOptions
from ..options.shared import shared

if TYPE_CHECKING:
    from ...images.mask_reading import MaskReading
    from ...images.picture import Picture


@shared
def compose(
    files: Files,
    insert: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Cut-out: what its alpha shows, or the whole rectangle.")
    ] = None,
    at: Annotated[
        str, typer.Option(metavar="X,Y", help="Position of the cut-out's top left corner. May be negative.")
    ] = "0,0",
    scale: Annotated[float, typer.Option(metavar="S", help="Scale the cut-out by this factor, at most 8.")] = 1.0,
    rotate: Annotated[float, typer.Option(metavar="D", help="Turn the cut-out by D degrees, counter-clockwise.")] = 0.0,
    join: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Picture of the same size. It is shown where --mask is white.")
    ] = None,
    mask: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Mask of the insert's size. White is taken, black is left out.")
    ] = None,
    band: Annotated[
        int, typer.Option(metavar="PX", help="Width of the band that is painted anew along the seam. The rest is kept.")
    ] = 32,
    blend: Annotated[
        Blend,
        typer.Option(
            help="edge matches light, blur and grain, and keeps the cut-out's edge. seam blends by gradients, too, and "
            "paints the band. gradient does not paint it. alpha lays over. auto is edge for a cut-out with alpha, else "
            "seam."
        ),
    ] = "auto",
    match: Annotated[
        str,
        typer.Option(
            metavar="auto|0..1", help="How far its light is matched. auto is 1, or 0.5 for a cut-out with alpha."
        ),
    ] = "auto",
    *,
    keeping: MetadataOptions,
    compute: Compute,
) -> None:
    """Put a cut-out into a picture, or join two pictures.

    The light of the cut-out is matched to its surroundings. A cut-out that is too sharp is softened, and one with too
    little grain gets some. The edge of a cut-out with alpha is kept. Other seams are blended by gradients, then painted
    anew. Outside the cut-out, or the band along the seam, the picture's pixels are kept.
    """
    from ...tasks.compose import Compose
    from ..run.restore_files import restore_files
    from ..run.task_source import SameTask

    if (insert is None) == (join is None):
        raise UsageError("give exactly one of --insert CUTOUT and --join OTHER (with --mask FILE)")
    if join is not None and mask is None:
        raise UsageError("--join needs --mask FILE: the other picture is shown where the mask is white")
    if join is not None and (scale != 1 or rotate != 0 or at != "0,0"):
        raise UsageError("--at, --scale and --rotate need --insert; --join takes the other picture as it is")
    name = insert if insert is not None else join
    other, told = _read(name or Path(), files, "cut-out")
    reading, of_mask = (None, "") if mask is None else _mask(mask, files)
    task = Compose(
        insert=other, mask=None if reading is None else reading.share,
        at=None if join is not None else _at(at), scale=scale, rotate=rotate, band=band,
        blend=blend, match=number_or_auto("match", match), seed=compute.seed,
    )  # fmt: skip
    facts = {"insert" if join is None else "join": told, **({"mask": of_mask} if mask is not None else {})}
    tasks = SameTask(
        task=task, facts=facts, paths=tuple(path for path in (name, mask) if path is not None),
        said=() if reading is None or not reading.note else (f"{mask}: {reading.note}",),
    )  # fmt: skip
    restore_files("compose", tasks, files, keeping, compute, SamplingOptions())


def _read(path: Path, files: Files, what: str) -> "tuple[Picture, str]":
    """Return a picture, and its file's sha256.

    Raises:
        UsageError: there is no such file.
        PictureError: it cannot be read.
    """
    from ...images.image_io import read_picture

    _check(path, what)
    picture = read_picture(path, max_pixels=files.max_pixels)
    return picture, file_sha256(path, PictureError)


def _check(path: Path, what: str) -> None:
    if not (path.is_file() or is_pipe(path)):
        raise UsageError(f"{path}: no such file; give the {what}'s")


def _mask(path: Path, files: Files) -> "tuple[MaskReading, str]":
    from ..run.mask_source import mask_at

    _check(path, "mask")
    return mask_at(path, files.max_pixels), file_sha256(path, PictureError)


def _at(text: str) -> tuple[int, int]:
    parts = text.split(",")
    if len(parts) != 2:
        raise UsageError(f"--at {text}: not two numbers; give x,y")
    return whole_number("at", parts[0]), whole_number("at", parts[1])


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(compose)
