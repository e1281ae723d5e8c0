"""`diffuse denoise`."""

from typing import Annotated, Literal

import typer

from ..errors import UsageError
from .options import Compute, Files, Keeping, shared


@shared
def denoise(
    files: Files,
    noise: Annotated[
        str, typer.Option(metavar="auto|LEVEL", help="Std of the noise in 8-bit levels; auto estimates it.")
    ] = "auto",
    strength: Annotated[float, typer.Option(metavar="0..1", help="0 = the input, 1 = the estimate.")] = 1.0,
    chroma_strength: Annotated[
        float | None,
        typer.Option(metavar="0..1", help="The same for the colour noise alone.", show_default="as --strength"),
    ] = None,
    steps: Annotated[
        int, typer.Option(metavar="N", help="1 = the posterior mean (best PSNR); more = a posterior sample.")
    ] = 1,
    *,
    keeping: Keeping,
    compute: Compute,
) -> None:
    """Remove noise. Without options the noise level is estimated, and printed."""
    from ..request import Denoise
    from .restorer import restore_files

    level: float | Literal["auto"] = "auto" if noise == "auto" else _level(noise)
    request = Denoise(noise=level, strength=strength, chroma_strength=chroma_strength)
    restore_files("denoise", request, files, keeping, compute, steps)


def _level(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise UsageError(f"--noise {text}: give a level, like 25, or auto") from None


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(denoise)
