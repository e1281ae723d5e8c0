"""`diffuse extend`."""

from typing import Annotated

import typer

from ...errors import UsageError
from ...tasks.extend import Anchor
from ..options.coding import MetadataOptions
from ..options.compute import Compute
from ..options.files import Files
from ..options.numbers import two_numbers, whole_number
from ..options.prompts import PromptOptions
from ..options.sampling import SamplingOptions
from ..options.server import ServerOptions
from ..options.shared import shared


@shared
def extend(
    files: Files,
    to_size: Annotated[str | None, typer.Option(metavar="WxH", help="Size of the canvas.")] = None,
    pad: Annotated[
        str | None,
        typer.Option(metavar="PX|L,T,R,B", help="Pixels to add on every side, or left, top, right and bottom."),
    ] = None,
    aspect: Annotated[
        str | None, typer.Option(metavar="W:H", help="Shape of the canvas, such as 16:9. The picture just fits in.")
    ] = None,
    anchor: Annotated[
        Anchor,
        typer.Option(metavar="WHERE", help="Where the picture lies on the canvas: center, top, left, top-left, ..."),
    ] = "center",
    *,
    told: PromptOptions,
    which: SamplingOptions,
    keeping: MetadataOptions,
    compute: Compute,
    server: ServerOptions,
) -> None:
    """Paint beyond the frame, to make a picture wider or taller. The picture itself stays bit for bit as it was.

    The margins are filled from coarse to fine with pieces of the picture, as inpaint fills wide holes. --seed picks
    other pieces. --steps 1 gives the mean, without pieces. --fidelity 0 begins with a sample. With --model DIR and
    --prompt, a pipeline of diffusers draws the margins.
    """
    from ...tasks.extend import Extend
    from ..run.restore_files import restore_files
    from ..run.task_source import SameTask

    task = Extend(
        to_size=None if to_size is None else two_numbers("to-size", to_size), pad=None if pad is None else _pad(pad),
        aspect=None if aspect is None else _aspect(aspect), anchor=anchor,
    )  # fmt: skip
    restore_files("extend", SameTask(task=task), files, keeping, compute, which, server=server, told=told)


def _pad(text: str) -> tuple[int, int, int, int]:
    numbers = [whole_number("pad", part) for part in text.split(",")]
    if len(numbers) not in (1, 4):
        raise UsageError(f"--pad {text}: not one or four numbers; give it for all sides, or left,top,right,bottom")
    left, top, right, bottom = numbers * (4 // len(numbers))
    return left, top, right, bottom


def _aspect(text: str) -> tuple[int, int]:
    parts = text.split(":")
    if len(parts) != 2:
        raise UsageError(f"--aspect {text}: not two numbers; give width:height, like 16:9")
    return whole_number("aspect", parts[0]), whole_number("aspect", parts[1])


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(extend)
