"""`diffuse denoise`."""

from typing import Annotated, Literal, cast

import typer

from ...errors import UsageError
from ..options.clips import ClipOptions
from ..options.coding import MetadataOptions
from ..options.compute import Compute
from ..options.files import Files
from ..options.grain import Grain
from ..options.numbers import number_or_auto
from ..options.sampling import SamplingOptions
from ..options.server import ServerOptions
from ..options.shared import shared


@shared
def denoise(
    files: Files,
    noise: Annotated[
        str,
        typer.Option(
            metavar="auto|LEVEL|poisson|auto-map",
            help="Level of the noise: its std in 8-bit levels, 5 is faint, 25 is strong. auto estimates it. poisson "
            "also estimates how it depends on brightness, auto-map on brightness and place.",
        ),
    ] = "auto",
    grain: Grain = "auto",
    noise_map: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|DIR/",
            help="Gray picture of the noise's std at each pixel: 8 bits are levels, 16 bits are levels x 256. A "
            "folder, or a template like 'maps/{stem}.png', has one for each picture.",
        ),
    ] = None,
    strength: Annotated[
        float, typer.Option(metavar="0..1", help="How much is removed: 0 is the input, 1 the restored picture.")
    ] = 1.0,
    chroma_strength: Annotated[
        float | None,
        typer.Option(metavar="0..1", help="The same for colour noise alone.", show_default="as --strength"),
    ] = None,
    *,
    which: SamplingOptions,
    keeping: MetadataOptions,
    compute: Compute,
    server: ServerOptions,
    clips: ClipOptions,
) -> None:
    """Remove noise, also the correlated noise of cameras, phones and film.

    Its level is estimated and printed, unless --noise says it. Where it is estimated, impulses (salt and pepper, hot
    pixels) are filled, too, and row noise is subtracted.

    DICOM scans keep their values and tags. Their results are for research, not for diagnosis.
    """
    from ...degradation.estimation.noise_map import map_of
    from ...images.image_io import read_picture
    from ...tasks.denoise import Denoise
    from ..batch.sidecar_files import SidecarFiles
    from ..run.restore_files import restore_files
    from ..run.task_source import SameTask, TaskWithFile

    task = Denoise(
        noise=_noise(noise), grain=number_or_auto("grain", grain), strength=strength, chroma_strength=chroma_strength,
    )  # fmt: skip
    if noise_map is None:
        restore_files("denoise", SameTask(task=task), files, keeping, compute, which, clips, server)
        return
    if noise != "auto":
        raise UsageError("--noise and --noise-map both set the noise; give one of them")
    maps = SidecarFiles(
        noise_map,
        option="--noise-map",
        what="noise map",
        read=lambda path: map_of(read_picture(path, max_pixels=files.max_pixels)),
    )
    tasks = TaskWithFile(task=task, option="noise_map", sidecars=maps)
    restore_files("denoise", tasks, files, keeping, compute, which, clips, server)


def _noise(text: str) -> "float | Literal['auto', 'poisson', 'auto-map']":
    if text in ("auto", "poisson", "auto-map"):
        return cast("Literal['auto', 'poisson', 'auto-map']", text)
    try:
        return float(text)
    except ValueError:
        raise UsageError(f"--noise {text}: not a level; give a number like 25, or auto, poisson or auto-map") from None


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(denoise)
