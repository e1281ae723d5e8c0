"""`diffuse replay`."""

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ...errors import CheckpointError, UsageError
from ...version import __version__
from ..options.options import DeviceName, DtypeName, shared
from ..run.display import one_line

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ...provenance.replay import Option


@dataclass(frozen=True, kw_only=True, slots=True)
class Given:
    """What a recipe knows by its hash alone."""

    input: Annotated[Path | None, typer.Option(metavar="FILE", help="The picture that it was made from.")] = None
    mask: Annotated[Path | None, typer.Option(metavar="FILE", help="The mask that was used, if one was.")] = None
    noise_map: Annotated[Path | None, typer.Option(metavar="FILE", help="The noise map, if one was used.")] = None
    insert: Annotated[Path | None, typer.Option(metavar="FILE", help="What was put in, by compose.")] = None
    join: Annotated[Path | None, typer.Option(metavar="FILE", help="What was joined, by compose.")] = None
    style: Annotated[Path | None, typer.Option(metavar="FILE", help="The style, of stylize.")] = None
    recipe: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A JSON with the recipe, where the file does not tell its own.")
    ] = None
    model: Annotated[
        str | None,
        typer.Option(metavar="NAME|FILE", help="The checkpoint.", show_default="the known one with the recipe's hash"),
    ] = None

    @property
    def files(self) -> dict[str, Path]:
        """The files beside the input, by the option that they were given with."""
        names = ("mask", "noise_map", "insert", "join", "style")
        named: dict[str, Path | None] = {name: getattr(self, name) for name in names}
        return {name: path for name, path in named.items() if path is not None}


@shared
def replay(
    ctx: typer.Context,
    made: Annotated[Path, typer.Argument(metavar="OUT", help="What was made, with its recipe.")],
    given: Given,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", metavar="FILE", help="Where to write it.", show_default="{stem}.replay{ext} beside it"
        ),
    ] = None,
    force: Annotated[
        bool, typer.Option("-f", "--force", help="Replace an output that exists (never an input).")
    ] = False,
    device: Annotated[DeviceName, typer.Option(help="Where to compute.")] = DeviceName.auto,
    dtype: Annotated[DtypeName | None, typer.Option(help="Number type.", show_default="the recipe's")] = None,
    threads: Annotated[int | None, typer.Option(metavar="N", min=1, help="CPU threads.", show_default="all")] = None,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Warnings and errors alone.")] = False,
) -> None:
    """Make a result again from the recipe in it, and compare: exits with 0 if the bytes are the same, else with 1.

    What it was made from is given again: the input, a mask. The recipe knows their hashes, and others are refused.
    Equal bytes need the same version, checkpoint, thread count and type of CPU; what differs is said.
    """
    from ...provenance import recipe as recipes

    recipe = _told(given.recipe) if given.recipe is not None else recipes.read(made)
    if recipe is None:
        raise UsageError(f"{made}: {_nothing_told(made)}; give it with --recipe FILE")
    target = _target(made, output, given, force=force)
    _check_input(made, given.input, recipe)
    command, options = _command(ctx, str(recipe.get("operation")), made)
    words = _arguments(recipe, options, given, dtype)
    if "--threads" not in words and threads is not None and "threads" in options:
        words += ["--threads", str(threads)]
    words += ["--device", device.value] if "device" in options else []
    words += [] if recipes.read(made) is not None else ["--no-provenance"]
    again = _run(ctx, command, words, given.input, target, _sample(recipe, options), recipe.get("part"))
    _compare(made, again, recipe, quiet=quiet)


def _told(path: Path) -> dict[str, Any]:
    """A recipe from a file of its own: as it is, or in a line of --json or of a journal."""
    import json

    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: is no JSON with a recipe ({error})") from None
    inner = found.get("recipe", found) if isinstance(found, dict) else None
    if not isinstance(inner, dict) or "operation" not in inner:
        raise UsageError(f"{path}: holds no recipe")
    return inner


def _nothing_told(path: Path) -> str:
    return "holds no recipe" if path.is_file() else "no such file"


def _target(made: Path, output: Path | None, given: Given, *, force: bool) -> Path:
    target = output or made.with_name(f"{made.stem}.replay{made.suffix}")
    for path in (made, given.input, given.recipe, *given.files.values()):
        if path is not None and target.exists() and path.exists() and target.samefile(path):
            raise UsageError(f"{target}: is one of the files that are read; name another with -o FILE")
    if target.is_dir():
        raise UsageError(f"{target}: is a folder; name a file with -o FILE")
    if os.path.lexists(target) and not force:
        raise UsageError(f"{target}: exists already; -f replaces it")
    if not target.parent.is_dir():
        raise UsageError(f"{target}: there is no folder {target.parent}")
    return target


def _check_input(made: Path, source: Path | None, recipe: "Mapping[str, Any]") -> None:
    from ...system.files import file_sha256

    wanted = recipe.get("input")
    if not wanted:
        if source is not None:
            raise UsageError(f"{made}: was made from no picture; leave --input out")
        return
    if source is None:
        raise UsageError(f"{made}: what was it made from? Give --input FILE; its sha256 is {wanted}")
    if (found := file_sha256(source, UsageError)) != wanted:
        raise UsageError(f"{source}: {made} was not made from it; its sha256 is {found}, not {wanted}")


def _command(ctx: typer.Context, name: str, made: Path) -> "tuple[Any, dict[str, Option]]":
    """The command that a recipe names, and its options."""
    from ...provenance.replay import Option

    group: Any = ctx.parent.command if ctx.parent is not None else None
    command = group.commands.get(name)
    if command is None or name == "replay":
        raise UsageError(f"{made}: its recipe says {name}, which this version of diffuse ({__version__}) does not know")
    options = {
        parameter.name: Option(flag=parameter.opts[-1], switch=parameter.is_flag, many=parameter.multiple)
        for parameter in command.params
        if parameter.param_type_name == "option" and parameter.name != "help"
    }
    return command, options


def _arguments(
    recipe: "Mapping[str, Any]", options: "Mapping[str, Option]", given: Given, dtype: DtypeName | None
) -> list[str]:
    from ...provenance.replay import arguments

    if recipe.get("diffuse") != __version__:
        _warn(f"it was made by diffuse {recipe.get('diffuse')}, this is {__version__}: the bytes may differ")
    told = dict(recipe)
    if dtype is not None and dtype.value != recipe.get("dtype"):
        _warn(f"it was made in {recipe.get('dtype')}, not in {dtype.value}: the bytes will differ")
        told["dtype"] = dtype.value
    words = arguments(told, options, given.files)
    return words if "checkpoint" not in recipe else [*words, "--model", _model(str(recipe["checkpoint"]), given.model)]


def _model(sha256: str, model: str | None) -> str:
    """The checkpoint of this hash, or the one that was asked for."""
    from ...diffusion import checkpoint

    if model is not None:
        if (found := checkpoint.file_sha256(checkpoint.find(model))) != sha256:
            _warn(f"it was made with the checkpoint of sha256 {sha256}, not with {model} ({found}): pixels will differ")
        return model
    for name, path in checkpoint.named().items():
        if checkpoint.file_sha256(path) == sha256:
            return name
    raise CheckpointError(f"it was made with a checkpoint of sha256 {sha256}, which is not here; give --model FILE")


def _sample(recipe: "Mapping[str, Any]", options: "Mapping[str, Option]") -> tuple[str, int] | None:
    """The option that says how many pictures are made, and which of them this is; None = there is but one."""
    if "sample" not in recipe or "samples" in recipe or "part" in recipe:
        return None
    name = next((name for name in ("count", "samples") if name in options), None)
    return None if name is None else (options[name].flag, int(recipe["sample"]))


def _run(
    ctx: typer.Context,
    command: Any,  # noqa: ANN401 - the parser's, not exported by typer
    words: list[str],
    source: Path | None,
    target: Path,
    sample: tuple[str, int] | None,
    part: str | None,
) -> Path:
    """Run the command into a folder of its own, and put the one file that is asked for where it belongs.

    Args: sample: as `_sample` says; part: what the file shows beside the restored picture, None = that picture.
    """
    with tempfile.TemporaryDirectory(prefix=".diffuse-replay-", dir=target.parent) as folder:
        escaped = [part.replace("{", "{{").replace("}", "}}") for part in (folder, target.suffix)]
        place = os.path.join(escaped[0], "{k}" + escaped[1])
        beside = [] if part is None else ["-o", os.path.join(folder, "pictures", ""), f"--{part}", place]
        words = [*words, "-q", *(beside or ["-o", place])]
        words += [
            "--journal",
            os.path.join(folder, "journal"),
            *([] if sample is None else [sample[0], str(sample[1] + 1)]),
        ]
        words += [] if source is None else ["--", str(source)]
        with command.make_context(command.name, words, parent=ctx.parent, default_map={}) as context:
            command.invoke(context)
        made = Path(folder) / f"{0 if sample is None else sample[1]}{target.suffix}"
        os.replace(made, target)
    return target


def _compare(made: Path, again: Path, recipe: "Mapping[str, Any]", *, quiet: bool) -> None:
    from ...provenance import recipe as recipes
    from ...provenance.replay import differences, pixel_difference

    if made.read_bytes() == again.read_bytes():
        if not quiet:
            typer.echo(one_line(f"{again}: the same bytes as {made}"))
        return
    said = recipes.read(again)
    found = differences(recipe, said) if said is not None else []
    why = f"; the recipes differ: {', '.join(found)}" if found else ""
    typer.echo(one_line(f"{again}: not the bytes of {made}: {pixel_difference(made, again)}{why}"))
    raise typer.Exit(1)


def _warn(text: str) -> None:
    typer.echo(f"diffuse: {one_line(text)}", err=True)


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(replay)
