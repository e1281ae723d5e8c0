"""`diffuse super-resolve`."""

from typing import Annotated

import typer

from ..options.clips import ClipOptions
from ..options.options import Compute, Files, Label, MetadataOptions, SamplingOptions, shared, two_numbers


@shared
def super_resolve(
    files: Files,
    scale: Annotated[
        float | None,
        typer.Option(
            metavar="S", help="Factor: 2 is twice as wide and high. Any number above 1, up to 8.", show_default="2"
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
    label: Label = None,
    *,
    which: SamplingOptions,
    keeping: MetadataOptions,
    compute: Compute,
    clips: ClipOptions,
) -> None:
    """Enlarge, by 2 or any other factor up to 8. `upscale` is another name.

    Noise and JPEG compression are estimated for each picture, and are not enlarged. --plain and --consistent enlarge
    the picture as it is. Rows, columns and pixel spacing of DICOM are corrected; its results are for research, not for
    diagnosis.
    """
    from ...tasks.super_resolve import SuperResolve
    from ..run.restorer import restore_files
    from ..run.task_source import SameTask

    size = None if to_size is None else two_numbers("to-size", to_size)
    task = SuperResolve(scale=scale, to_size=size, long_edge=long_edge, consistent=consistent, plain=plain)
    restore_files("super-resolve", SameTask(task=task), files, keeping, compute, which, clips, label=label)


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(super_resolve)
