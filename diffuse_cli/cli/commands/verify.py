"""`diffuse verify`."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ...errors import UsageError
from ..options.masking import box_of
from ..options.numbers import two_numbers
from ..options.shared import shared
from ..run.display import one_line
from ..run.mask_source import mask_at

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ...provenance.verification import Figure


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """Options for what was done, if no recipe says it."""

    op: Annotated[
        str | None,
        typer.Option(metavar="COMMAND", help="What was done, if OUT has no recipe: denoise, inpaint, ..."),
    ] = None
    noise: Annotated[float | None, typer.Option(metavar="LEVEL", help="Std of the removed noise in 8-bit levels.")] = (
        None
    )
    strength: Annotated[float | None, typer.Option(metavar="0..1", help="As for denoise.")] = None
    chroma_strength: Annotated[float | None, typer.Option(metavar="0..1", help="As for denoise.")] = None
    jpeg: Annotated[float | None, typer.Option(metavar="Q", help="Quality of the repaired JPEG.")] = None
    blur: Annotated[float | None, typer.Option(metavar="PX", help="Std of the removed blur in pixels.")] = None
    scale: Annotated[float | None, typer.Option(metavar="S", help="Factor of the enlargement.")] = None
    to_size: Annotated[str | None, typer.Option(metavar="WxH", help="Size after enlarging, which is OUT's.")] = None
    box: Annotated[list[str] | None, typer.Option(metavar="X,Y,W,H", help="Filled rectangle. Repeat for more.")] = None
    invert_mask: Annotated[
        bool, typer.Option("--invert-mask", help="Mask and boxes were kept, the rest was filled.")
    ] = False

    def recipe(self) -> dict[str, Any] | None:
        """Return the options as a recipe, or None without --op.

        Raises:
            UsageError: other options are given without it.
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
                raise UsageError("options for what was done need --op COMMAND")
            return None
        return {"operation": self.op, **told}


@shared
def verify(
    made: Annotated[Path, typer.Argument(metavar="OUT", help="Result to check.")],
    against: Annotated[Path, typer.Option("--against", metavar="IN", help="Picture that it was made from.")],
    told: Told,
    mask: Annotated[
        str | None, typer.Option(metavar="FILE|alpha", help="Mask that was used. Its hash must be the recipe's.")
    ] = None,
    noise_map: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Noise map that was used. Its hash must be the recipe's.")
    ] = None,
    quality: Annotated[
        int | None,
        typer.Option(
            metavar="1..100", help="Quality of a lossy OUT (WebP, AVIF, ...) without recipe.", show_default="95"
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one line of JSON.")] = False,
) -> None:
    """Check whether a result is explained by its input and what was done. Exits with 0 if it is, else with 1.

    The recipe in OUT says what was done, or --op and its options do. Pixels that were kept must be equal (in a lossy
    file: except for what its coder does). Removed noise must be white and of the declared size. A restored picture must
    give IN when it is blurred, shrunk, made noisy and compressed as declared.
    """
    from ...images.encoding import Encoding
    from ...images.image_io import read_picture
    from ...images.white_level import on_scale_of
    from ...provenance import recipe as recipes
    from ...provenance.declared import from_recipe
    from ...provenance.verification import verify as figures_of

    recipe = told.recipe() or recipes.read(made)
    if recipe is None:
        raise UsageError(
            f"{made}: {'holds no recipe; say what was done with --op' if made.exists() else 'no such file'}"
        )
    notes = _notes(recipe, against)
    hole, std = _maps(recipe, mask, noise_map)
    if mask == "alpha" and told.op is not None:
        recipe = {**recipe, "mask": "alpha"}
    before = read_picture(against)
    after = on_scale_of(read_picture(made), before)
    if before.source.dicom is not None and after.source.dicom is None:
        raise UsageError(f"{made}: shows only the window of {against}; verify the DICOM result")
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
    """Return what is worth knowing but does not decide. The pixels decide."""
    from ...system.files import file_sha256

    found = file_sha256(against, UsageError)
    if recipe.get("input") in (None, found):
        return []
    return [f"{against}: the recipe names another file (sha256 {recipe['input']}); only the pixels are checked"]


def _maps(
    recipe: dict[str, Any], mask: str | None, noise_map: Path | None
) -> "tuple[NDArray[np.bool_ | np.float32] | None, NDArray[np.float32] | None]":
    """Read the mask and the noise map, if they were used."""
    from ...degradation.estimation.noise_map import map_of
    from ...images.image_io import MAX_PIXELS, read_picture
    from ...provenance.replay import Option, arguments

    named = {"mask": None if mask in (None, "alpha") else Path(str(mask)), "noise_map": noise_map}
    given = {name: path for name, path in named.items() if path is not None}
    wanted = {name: recipe[name] for name in named if name in recipe}
    options = {name: Option(flag=f"--{name.replace('_', '-')}") for name in named}
    arguments(wanted, options, given)  # refuses what is missing or another one
    hole = mask_at(given["mask"], MAX_PIXELS).marks if "mask" in given else None
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
