"""The options that name what is to be filled, for every command that fills."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from ...errors import UsageError
from .options import whole_number

if TYPE_CHECKING:
    from ...tasks.inpaint import Box, Polygon


@dataclass(frozen=True, kw_only=True, slots=True)
class MaskOptions:
    """What is to be filled."""

    mask: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|DIR/|alpha|auto",
            help="White = fill, black = keep; a folder, or a name like 'masks/{stem}.png', has one for each picture; "
            "alpha = the transparent pixels; auto = what looks like dust, scratches, tears, missing corners.",
        ),
    ] = None
    mask_strength: Annotated[
        float, typer.Option(metavar="0..1", help="Of --mask auto: 0 = what is surely damage, 1 = whatever may be.")
    ] = 0.5
    mask_limit: Annotated[
        float, typer.Option(metavar="PERCENT", help="Of --mask auto: refuse where more of a picture looks damaged.")
    ] = 5.0
    save_mask: Annotated[
        str | None,
        typer.Option(metavar="FILE|DIR/", help="Write the mask of what is filled; 'm/{stem}.png' for many pictures."),
    ] = None
    box: Annotated[list[str] | None, typer.Option(metavar="X,Y,W,H", help="A rectangle to fill; may be repeated.")] = (
        None
    )
    polygon: Annotated[
        list[str] | None, typer.Option(metavar="X,Y,X,Y,...", help="A polygon to fill; may be repeated.")
    ] = None
    invert_mask: Annotated[bool, typer.Option("--invert-mask", help="Fill what mask, boxes and polygons leave.")] = (
        False
    )
    grow: Annotated[int, typer.Option(metavar="PX", help="Fill so many pixels around all that, too.")] = 0
    feather: Annotated[
        int,
        typer.Option(metavar="PX", help="Fade in over so many pixels, inwards: what is outside stays exact."),
    ] = 0

    @property
    def given(self) -> bool:
        """Whether anything is to be filled."""
        return self.mask is not None or bool(self.box) or bool(self.polygon)

    def check_unused(self) -> None:
        """Refuse what would be said of nothing.

        Raises: UsageError: something is said of a mask that there is none of.
        """
        for name in ("save_mask", "invert_mask", "grow", "feather"):
            if getattr(self, name):
                raise UsageError(f"--{name.replace('_', '-')}: of what? Give --mask, --box or --polygon")


def box_of(text: str) -> "Box":
    """x,y,width,height.

    Raises: UsageError: it is no such thing.
    """
    numbers = [whole_number("box", part) for part in text.split(",")]
    if len(numbers) != 4:
        raise UsageError(f"--box {text}: give four numbers, x,y,width,height")
    return numbers[0], numbers[1], numbers[2], numbers[3]


def polygon_of(text: str) -> "Polygon":
    """Return x,y,x,y,... as corners.

    Raises:
        UsageError: The text is something else.
    """
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        raise UsageError(f"--polygon {text}: give numbers, x,y of each corner") from None
    if len(numbers) % 2 or not all(abs(number) < 1e6 for number in numbers):
        raise UsageError(f"--polygon {text}: give pairs of numbers, x,y of each corner")
    return tuple(zip(numbers[::2], numbers[1::2], strict=True))
