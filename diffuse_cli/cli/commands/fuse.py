"""`diffuse fuse`."""

from pathlib import Path
from typing import Annotated

import typer

from ...tasks.fuse import Unlike
from ..options.coding import MetadataOptions
from ..options.compute import Compute
from ..options.files import Files
from ..options.sampling import SamplingOptions
from ..options.shared import shared


@shared
def fuse(
    files: Files,
    to: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Picture that the others are registered to. The result has its size, place, light and metadata.",
            show_default="the first one",
        ),
    ] = None,
    scale: Annotated[
        float, typer.Option(metavar="1..8", help="Enlarge the result by this factor: any real number.")
    ] = 1.0,
    group_by: Annotated[
        str,
        typer.Option(
            metavar="auto|all|folder|name|time[:SECONDS]",
            help="Which pictures are copies of one. name: those whose names differ in their last number. time: those "
            "taken at most 2 seconds apart, by EXIF. auto: all that are named; those of folders by time.",
        ),
    ] = "auto",
    unlike: Annotated[
        Unlike | None,
        typer.Option(
            help="What to do with a picture that shows something else: refuse the group, or leave it out with a "
            "warning.",
            show_default="refuse, but leave-out in folders",
        ),
    ] = None,
    weights: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Write the weight of each copy at each pixel as 16-bit gray, 65535 = all of it: one map below the "
            "other, in the order of the copies.",
        ),
    ] = None,
    *,
    which: SamplingOptions,
    keeping: MetadataOptions,
    compute: Compute,
) -> None:
    """Make one picture of several copies: bursts, two scans of a print, one photo at several sizes and qualities.

    Noise, JPEG, size and blur of each copy are estimated. The copies are registered, their light is matched, and they
    are fused by inverse variance. What moved is taken from one copy alone. Then the noise that is left is removed.
    Camera RAW becomes a DNG where the result is named so.
    Needs the extra [fuse].
    """
    from ..run.copies import fuse_files

    fuse_files(
        files, keeping, compute, which, scale=scale, to=to, by=group_by, unlike=unlike, weights=weights
    )  # fmt: skip


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(fuse)
