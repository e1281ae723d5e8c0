"""How coarse noise is."""

from typing import Annotated

import typer

Grain = Annotated[
    str,
    typer.Option(
        metavar="auto|PX",
        help="Size of the grain of the noise in pixels: the std of the Gaussian that turns white noise into it. 0 is "
        "white noise, pixel by pixel. auto reads it from the picture.",
    ),
]
"""How coarse noise is."""
