"""The options that name what is to be filled, for every command that fills."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from ...errors import UsageError
from .numbers import whole_number

if TYPE_CHECKING:
    from ...tasks.inpaint import Box, Polygon


Paint = Annotated[
    bool,
    typer.Option(
        "--paint", help="Paint what is filled in the browser, on a page of this machine, and choose a result there."
    ),
]


@dataclass(frozen=True, kw_only=True, slots=True)
class MaskOptions:
    """Options for what is filled."""

    mask: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|DIR/|alpha|auto",
            help="What it marks is filled: white on black, one colour on another, or paint on transparency. A folder, "
            "or a template like 'masks/{stem}.png', has one for each picture. alpha fills the picture's transparent "
            "pixels. auto fills what looks like dust, scratches, tears or missing corners.",
        ),
    ] = None
    mask_strength: Annotated[
        float,
        typer.Option(metavar="0..1", help="For --mask auto: 0 finds only sure damage, 1 finds all that may be damage."),
    ] = 0.5
    mask_limit: Annotated[
        float, typer.Option(metavar="PERCENT", help="For --mask auto: refuse a picture if more of it looks damaged.")
    ] = 5.0
    save_mask: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|DIR/",
            help="Write the mask of what is filled. Several pictures need a folder, or a template like 'm/{stem}.png'.",
        ),
    ] = None
    show_fill: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|DIR/",
            help="Write what is filled as a transparent layer, PNG or TIFF. Laid over the input, it gives the result.",
        ),
    ] = None
    box: Annotated[list[str] | None, typer.Option(metavar="X,Y,W,H", help="Rectangle to fill. Repeat for more.")] = None
    polygon: Annotated[
        list[str] | None, typer.Option(metavar="X,Y,X,Y,...", help="Polygon to fill. Repeat for more.")
    ] = None
    invert_mask: Annotated[bool, typer.Option("--invert-mask", help="Fill all but mask, boxes and polygons.")] = False
    grow: Annotated[int, typer.Option(metavar="PX", help="Widen what is filled by this many pixels on every side.")] = 0
    feather: Annotated[
        int,
        typer.Option(
            metavar="PX", help="Fade the filling in over this many pixels, inwards. Pixels outside stay exact."
        ),
    ] = 0
    smooth_fill: Annotated[
        bool,
        typer.Option("--smooth-fill", help="Leave what is filled smooth, without the grain of the picture beside it."),
    ] = False

    @property
    def given(self) -> bool:
        """Whether anything is filled."""
        return self.mask is not None or bool(self.box) or bool(self.polygon)

    def check_unused(self) -> None:
        """Refuse options about a mask if there is no mask.

        Raises:
            UsageError: there is such an option.
        """
        for name in ("save_mask", "show_fill", "invert_mask", "grow", "feather", "smooth_fill"):
            if getattr(self, name):
                raise UsageError(f"--{name.replace('_', '-')} needs --mask, --box or --polygon")


def box_of(text: str) -> "Box":
    """Return x,y,width,height as four numbers.

    Raises:
        UsageError: the text is something else.
    """
    numbers = [whole_number("box", part) for part in text.split(",")]
    if len(numbers) != 4:
        raise UsageError(f"--box {text}: not four numbers; give x,y,width,height")
    return numbers[0], numbers[1], numbers[2], numbers[3]


def polygon_of(text: str) -> "Polygon":
    """Return x,y,x,y,... as corners.

    Raises:
        UsageError: the text is something else.
    """
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        raise UsageError(f"--polygon {text}: not numbers; give x,y of each corner") from None
    if len(numbers) % 2 or not all(abs(number) < 1e6 for number in numbers):
        raise UsageError(f"--polygon {text}: not pairs of numbers; give x,y of each corner")
    return tuple(zip(numbers[::2], numbers[1::2], strict=True))
