"""`diffuse super-resolve`."""

from typing import Annotated

import typer

from ...errors import UsageError
from ..options.clips import ClipOptions
from ..options.coding import MetadataOptions
from ..options.compute import Compute
from ..options.files import Files
from ..options.numbers import two_numbers
from ..options.prompts import Label
from ..options.sampling import SamplingOptions
from ..options.server import ServerOptions
from ..options.shared import shared


@shared
def super_resolve(
    files: Files,
    scale: Annotated[
        float | None,
        typer.Option(
            metavar="S",
            help="Factor: 2 is twice as wide and high. Any number above 1, up to 8.",
            show_default="2; an imported model's own",
        ),
    ] = None,
    to_size: Annotated[
        str | None, typer.Option(metavar="WxH", help="Enlarge until it fits this size, and keep the shape.")
    ] = None,
    long_edge: Annotated[int | None, typer.Option(metavar="N", help="Enlarge the longer side to N pixels.")] = None,
    consistent: Annotated[
        bool,
        typer.Option(
            "--consistent", help="Make a result that gives the input again when it is shrunk (bicubic, in float)."
        ),
    ] = False,
    plain: Annotated[
        bool,
        typer.Option("--plain", help="Do not look for noise and JPEG compression. Enlarge the picture as it is."),
    ] = False,
    from_burst: Annotated[
        bool,
        typer.Option(
            "--from-burst", help="The inputs are copies of one picture: diffuse fuse with this --scale, by groups."
        ),
    ] = False,
    label: Label = None,
    *,
    which: SamplingOptions,
    keeping: MetadataOptions,
    compute: Compute,
    server: ServerOptions,
    clips: ClipOptions,
) -> None:
    """Enlarge, by 2 or any other factor up to 8. `upscale` is another name.

    Noise and JPEG compression are estimated for each picture, and are not enlarged. --plain and --consistent enlarge
    the picture as it is. Rows, columns and pixel spacing of DICOM are corrected; its results are for research, not for
    diagnosis.
    """
    from ...tasks.super_resolve import SuperResolve
    from ..run.imported import own_scale
    from ..run.restore_files import restore_files
    from ..run.task_source import SameTask

    if from_burst:
        _fuse(files, scale, to_size, long_edge, consistent or plain or label is not None, keeping, compute, which)
        return
    size = None if to_size is None else two_numbers("to-size", to_size)
    if scale is None and to_size is None and long_edge is None:
        scale = own_scale(compute)
    task = SuperResolve(scale=scale, to_size=size, long_edge=long_edge, consistent=consistent, plain=plain)
    restore_files("super-resolve", SameTask(task=task), files, keeping, compute, which, clips, server, label=label)


def _fuse(
    files: Files, scale: float | None, to_size: str | None, long_edge: int | None, other: bool,
    keeping: MetadataOptions, compute: Compute, which: SamplingOptions,
) -> None:  # fmt: skip
    """--from-burst: fuse the inputs, and enlarge the result."""
    from ...tasks.super_resolve import DEFAULT_SCALE
    from ..run.copies import fuse_files

    if to_size is not None or long_edge is not None or other:
        raise UsageError(
            "--from-burst takes --scale; leave --to-size, --long-edge, --consistent, --plain and --label out"
        )
    fuse_files(files, keeping, compute, which, scale=DEFAULT_SCALE if scale is None else scale)


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(super_resolve)
