"""`diffuse verify`."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ...errors import UsageError
from ..options.masking import box_of
from ..options.options import shared, two_numbers
from ..run.display import one_line

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ...provenance.verification import Figure


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """What was done, where no recipe says it."""

    op: Annotated[
        str | None,
        typer.Option(metavar="COMMAND", help="What was done, where OUT has no recipe: denoise, inpaint, ..."),
    ] = None
    noise: Annotated[float | None, typer.Option(metavar="LEVEL", help="Std of the noise removed, 8-bit levels.")] = None
    strength: Annotated[float | None, typer.Option(metavar="0..1", help="As for denoise.")] = None
    chroma_strength: Annotated[float | None, typer.Option(metavar="0..1", help="As for denoise.")] = None
    jpeg: Annotated[float | None, typer.Option(metavar="Q", help="Quality of the JPEG that was repaired.")] = None
    blur: Annotated[float | None, typer.Option(metavar="PX", help="Std of the blur removed, in pixels.")] = None
    scale: Annotated[float | None, typer.Option(metavar="S", help="Factor enlarged by.")] = None
    to_size: Annotated[str | None, typer.Option(metavar="WxH", help="Size enlarged to, as OUT has it.")] = None
    box: Annotated[list[str] | None, typer.Option(metavar="X,Y,W,H", help="A rectangle filled; may be repeated.")] = (
        None
    )
    invert_mask: Annotated[bool, typer.Option("--invert-mask", help="Mask and boxes were kept, the rest filled.")] = (
        False
    )

    def recipe(self) -> dict[str, Any] | None:
        """The same as a recipe; None = --op is not given.

        Raises: UsageError: other options without it.
        """
        given = {
            "noise": self.noise, "strength": self.strength, "chroma_strength": self.chroma_strength, "jpeg": self.jpeg,
            "blur": self.blur, "scale": self.scale, "invert_mask": self.invert_mask or None,
            "size": None if self.to_size is None else list(two_numbers("to-size", self.to_size)),
            "boxes": None if self.box is None else [list(box_of(text)) for text in self.box],
        }  # fmt: skip
        told = {key: value for key, value in given.items() if value is not None}
        if self.op is None:
            if told:
                raise UsageError("these options say what was done in the place of a recipe; give --op COMMAND, too")
            return None
        return {"operation": self.op, **told}


@shared
def verify(
    made: Annotated[Path, typer.Argument(metavar="OUT", help="The result.")],
    against: Annotated[Path, typer.Option("--against", metavar="IN", help="The picture that it was made from.")],
    told: Told,
    mask: Annotated[
        str | None, typer.Option(metavar="FILE|alpha", help="The mask used; a recipe's is checked by its hash.")
    ] = None,
    noise_map: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The noise map used; a recipe's is checked by its hash.")
    ] = None,
    quality: Annotated[
        int | None,
        typer.Option(metavar="1..100", help="Of a lossy WebP, AVIF, ... without recipe.", show_default="95"),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One line of JSON on stdout.")] = False,
) -> None:
    """Check that what a result changed is explained by what is said to have been done. Exits with 0 or 1.

    What was done is read from the recipe in OUT, or said by --op and its options. Untouched pixels must be untouched
    (in a lossy file: up to what its coder does); noise removed must have the declared size and be white; and whatever
    was restored, blurred, shrunk, made noisy and compressed again as declared it must give IN.
    """
    from ...images.encoding import Encoding
    from ...images.image_io import read_picture
    from ...provenance import recipe as recipes
    from ...provenance.declared import from_recipe
    from ...provenance.verification import verify as figures_of

    recipe = told.recipe() or recipes.read(made)
    if recipe is None:
        raise UsageError(
            f"{made}: {'holds no recipe; say what was done by --op' if made.is_file() else 'no such file'}"
        )
    notes = _notes(recipe, against)
    hole, std = _maps(recipe, mask, noise_map)
    if mask == "alpha" and told.op is not None:
        recipe = {**recipe, "mask": "alpha"}
    before, after = read_picture(against), read_picture(made)
    declared = from_recipe(recipe, before, hole, std)
    figures = figures_of(after, before, declared, Encoding(quality=quality or recipe.get("quality")))
    fine = all(figure.is_fine for figure in figures)
    if as_json:
        typer.echo(json.dumps(_line(made, against, recipe, figures, notes)))
    else:
        for line in (*notes, *map(_words, figures)):
            typer.echo(one_line(line))
        verdict = "explained by" if fine else "NOT explained by"
        typer.echo(one_line(f"{made}: {verdict} {recipe['operation']} of {against}"))
    if not fine:
        raise typer.Exit(1)


def _notes(recipe: dict[str, Any], against: Path) -> list[str]:
    """What is worth knowing, but decides nothing: pixels do."""
    from ...system.files import file_sha256

    found = file_sha256(against, UsageError)
    if recipe.get("input") in (None, found):
        return []
    return [f"{against}: the recipe names another file (sha256 {recipe['input']}); its pixels are what is checked"]


def _maps(
    recipe: dict[str, Any], mask: str | None, noise_map: Path | None
) -> "tuple[NDArray[np.bool_] | None, NDArray[np.float32] | None]":
    """Mask and noise map, read, where they were used."""
    from ...degradation.estimation.noise_map import map_of
    from ...images.image_io import read_picture
    from ...images.mask_picture import mask_of
    from ...provenance.replay import Option, arguments

    named = {"mask": None if mask in (None, "alpha") else Path(str(mask)), "noise_map": noise_map}
    given = {name: path for name, path in named.items() if path is not None}
    wanted = {name: recipe[name] for name in named if name in recipe}
    options = {name: Option(flag=f"--{name.replace('_', '-')}") for name in named}
    arguments(wanted, options, given)  # refuses what is missing or another one
    hole = mask_of(read_picture(given["mask"])) if "mask" in given else None
    return hole, map_of(read_picture(given["noise_map"])) if "noise_map" in given else None


def _words(figure: "Figure") -> str:
    limits = [f"at least {figure.at_least:.3g}"] if figure.at_least is not None else []
    limits += [f"at most {figure.at_most:.3g}"] if figure.at_most is not None else []
    verdict = "" if figure.is_fine else "   <- outside"
    value = f"{figure.value:.3g} {figure.unit}".strip()
    return f"{figure.name}: {value} ({', '.join(limits)}){verdict}"


def _line(
    made: Path, against: Path, recipe: dict[str, Any], figures: "Sequence[Figure]", notes: list[str]
) -> dict[str, Any]:
    from dataclasses import asdict

    return {
        "type": "verify",
        "output": str(made),
        "against": str(against),
        "operation": recipe["operation"],
        "explained": all(figure.is_fine for figure in figures),
        "figures": [{**asdict(figure), "fine": figure.is_fine} for figure in figures],
        "notes": notes,
    }


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(verify)
