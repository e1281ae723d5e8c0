"""`diffuse replay`."""

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ...diffusion.settings import Device, Dtype
from ...errors import CheckpointError, UsageError
from ...system.files import file_sha256, landing
from ...system.streams import is_stream
from ...version import __version__
from ..batch import refusals
from ..options.shared import shared
from ..run.display import one_line

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ...provenance.replay import Option


@dataclass(frozen=True, kw_only=True, slots=True)
class Given:
    """Files that a recipe knows only by their hashes."""

    input: Annotated[Path | None, typer.Option(metavar="FILE", help="Picture that the result was made from.")] = None
    mask: Annotated[Path | None, typer.Option(metavar="FILE", help="Mask, if one was used.")] = None
    noise_map: Annotated[Path | None, typer.Option(metavar="FILE", help="Noise map, if one was used.")] = None
    kernel: Annotated[Path | None, typer.Option(metavar="FILE", help="Kernel of deblur.")] = None
    insert: Annotated[Path | None, typer.Option(metavar="FILE", help="Cut-out of compose.")] = None
    join: Annotated[Path | None, typer.Option(metavar="FILE", help="Joined picture of compose.")] = None
    style: Annotated[Path | None, typer.Option(metavar="FILE", help="Style of stylize.")] = None
    copy: Annotated[list[Path] | None, typer.Option(metavar="FILE", help="Other copy of fuse. Repeat for each.")] = None
    recipe: Annotated[
        Path | None, typer.Option(metavar="FILE", help="JSON file with the recipe, if the result holds none.")
    ] = None
    model: Annotated[
        str | None,
        typer.Option(metavar="NAME|FILE", help="Checkpoint.", show_default="the known one with the recipe's hash"),
    ] = None

    @property
    def files(self) -> dict[str, Path]:
        """The files beside the input, by option."""
        names = ("mask", "noise_map", "kernel", "insert", "join", "style")
        named: dict[str, Path | None] = {name: getattr(self, name) for name in names}
        return {name: path for name, path in named.items() if path is not None}


@shared
def replay(
    ctx: typer.Context,
    made: Annotated[Path, typer.Argument(metavar="OUT", help="Result to make again.")],
    given: Given,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", metavar="FILE", help="Where to write it.", show_default="{stem}.replay{ext} beside it"
        ),
    ] = None,
    force: Annotated[
        bool, typer.Option("-f", "--force", help="Overwrite an output that exists, but never an input.")
    ] = False,
    device: Annotated[
        Device, typer.Option(metavar="auto|cpu|cuda|mps|xpu|vulkan[:N]", help="Where to compute.")
    ] = "auto",
    dtype: Annotated[Dtype | None, typer.Option(help="Number type.", show_default="the recipe's")] = None,
    threads: Annotated[int | None, typer.Option(metavar="N", min=1, help="CPU threads.", show_default="all")] = None,
    quiet: Annotated[
        bool, typer.Option("-q", "--quiet", help="Show no progress. Warnings and errors still show.")
    ] = False,
) -> None:
    """Make a result again from its recipe, and compare. Exits with 0 if the bytes are the same, else with 1.

    Give the files that it was made from: the input, a mask. The recipe knows their hashes, and other files are refused.
    Equal bytes need the same version, checkpoint, thread count and type of CPU. Differences are printed.
    """
    from ...provenance import recipe as recipes

    recipe = recipes.current(_told(given.recipe)) if given.recipe is not None else recipes.read(made)
    if recipe is None:
        raise UsageError(f"{made}: {_nothing_told(made)}; give it with --recipe FILE")
    target = _target(made, output, given, force=force)
    _check_input(made, given.input, recipe)
    command, options = _command(ctx, str(recipe.get("operation")), made)
    words = _arguments(recipe, options, given, dtype)
    if "--threads" not in words and threads is not None and "threads" in options:
        words += ["--threads", str(threads)]
    words += ["--device", device] if "device" in options else []
    words += [] if recipes.read(made) is not None else ["--no-provenance"]
    sources = [*([] if given.input is None else [given.input]), *_copies(made, given.copy or [], recipe)]
    again = _run(ctx, command, words, sources, target, _sample(recipe, options), recipe.get("part"))
    _compare(made, again, recipe, quiet=quiet)


def _told(path: Path) -> dict[str, Any]:
    """Read a recipe from a JSON file, which holds it alone or as a line of --json or of a journal does."""
    import json

    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: not a JSON file ({error}); give one that holds a recipe") from None
    inner = found.get("recipe", found) if isinstance(found, dict) else None
    if not isinstance(inner, dict) or "operation" not in inner:
        raise UsageError(f"{path}: holds no recipe; give another file")
    return inner


def _nothing_told(path: Path) -> str:
    return "holds no recipe" if path.exists() else "no such file"


def _target(made: Path, output: Path | None, given: Given, *, force: bool) -> Path:
    target = output or made.with_name(f"{made.stem}.replay{made.suffix}")
    for path in (made, given.input, given.recipe, *given.files.values(), *(given.copy or [])):
        if path is not None and target.exists() and path.exists() and target.samefile(path):
            raise UsageError(f"{target}: is read as an input; name another file with -o FILE")
    if target.is_dir():
        raise UsageError(f"{target}: is a folder; name a file with -o FILE")
    if os.path.lexists(target) and not force:
        raise UsageError(f"{target}: exists; use -f to overwrite it")
    if is_stream(target):
        raise UsageError(f"{target}: is no file, and its bytes are compared; name a file with -o FILE")
    refusals.check_folders([target])
    return landing(target)


def _check_input(made: Path, source: Path | None, recipe: "Mapping[str, Any]") -> None:
    wanted = recipe.get("input")
    if not wanted:
        if source is not None:
            raise UsageError(f"{made}: was not made from a picture; leave --input out")
        return
    if source is None:
        raise UsageError(f"{made}: needs the picture that it was made from; give --input FILE with sha256 {wanted}")
    if (found := file_sha256(source, UsageError)) != wanted:
        raise UsageError(f"{source}: {made} was not made from it: sha256 {found}, not {wanted}; give the right file")


def _copies(made: Path, given: list[Path], recipe: "Mapping[str, Any]") -> list[Path]:
    """Return the other copies that were fused, in the order of the recipe."""
    by_hash = {file_sha256(path, UsageError): path for path in given}
    wanted: list[str] = recipe.get("copies", [])
    if missing := [sha256 for sha256 in wanted if sha256 not in by_hash]:
        raise UsageError(f"{made}: needs the copies that were fused; give --copy FILE with sha256 {', '.join(missing)}")
    if len(given) > len(wanted):
        raise UsageError(f"{made}: was made of {len(wanted)} other copies, not of {len(given)}; leave the others out")
    return [by_hash[sha256] for sha256 in wanted]


def _command(ctx: typer.Context, name: str, made: Path) -> "tuple[Any, dict[str, Option]]":
    """Return the command that a recipe names, and its options."""
    from ...provenance.replay import Option

    group: Any = ctx.parent.command if ctx.parent is not None else None
    command = group.commands.get(name)
    if command is None or name == "replay":
        raise UsageError(f"{made}: its recipe names the command {name}, which diffuse {__version__} does not have")
    options = {
        parameter.name: Option(flag=parameter.opts[-1], switch=parameter.is_flag, many=parameter.multiple)
        for parameter in command.params
        if parameter.param_type_name == "option" and parameter.name != "help"
    }
    return command, options


def _arguments(
    recipe: "Mapping[str, Any]", options: "Mapping[str, Option]", given: Given, dtype: Dtype | None
) -> list[str]:
    from ...provenance.replay import arguments

    if recipe.get("diffuse") != __version__:
        _warn(f"made by diffuse {recipe.get('diffuse')}, and this is {__version__}; the bytes may differ")
    told = dict(recipe)
    if dtype is not None and dtype != recipe.get("dtype"):
        _warn(f"made in {recipe.get('dtype')}, not in {dtype}; the bytes will differ")
        told["dtype"] = dtype
    words = arguments(told, options, given.files)
    return words if "checkpoint" not in recipe else [*words, "--model", _model(str(recipe["checkpoint"]), given.model)]


def _model(sha256: str, model: str | None) -> str:
    """Return the checkpoint of this hash, or the one that was asked for."""
    from ...diffusion import checkpoint

    if model is not None:
        if (found := checkpoint.file_sha256(checkpoint.find(model))) != sha256:
            _warn(f"made with the checkpoint of sha256 {sha256}, not with {model} ({found}); the pixels will differ")
        return model
    for name, path in checkpoint.named().items():
        if checkpoint.file_sha256(path) == sha256:
            return name
    raise CheckpointError(f"made with a checkpoint of sha256 {sha256}, which is not installed; give --model FILE")


def _sample(recipe: "Mapping[str, Any]", options: "Mapping[str, Option]") -> tuple[str, int] | None:
    """Return the option for the number of pictures, and which of them this is, or None if there is only one."""
    if "sample" not in recipe or "samples" in recipe or "part" in recipe:
        return None
    name = next((name for name in ("count", "samples") if name in options), None)
    return None if name is None else (options[name].flag, int(recipe["sample"]))


def _run(
    ctx: typer.Context,
    command: Any,  # noqa: ANN401 - the parser's, not exported by typer
    words: list[str],
    sources: list[Path],
    target: Path,
    sample: tuple[str, int] | None,
    part: str | None,
) -> Path:
    """Run the command into a folder of its own, and move the one file that is asked for to its place.

    Args:
        ctx: the program's context.
        command: the command that the recipe names.
        words: its arguments.
        sources: its inputs.
        target: where the file belongs.
        sample: what `_sample` returned.
        part: what the file shows beside the restored picture. None = that picture.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
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
        words += ["--", *map(str, sources)] if sources else []
        with command.make_context(command.name, words, parent=ctx.parent, default_map={}) as context:
            command.invoke(context)
        made = Path(folder) / f"{0 if sample is None else sample[1]}{target.suffix}"
        os.replace(made, target)
    return target


def _compare(made: Path, again: Path, recipe: "Mapping[str, Any]", *, quiet: bool) -> None:
    from ...provenance import recipe as recipes
    from ...provenance.replay import differences, pixel_difference

    if file_sha256(made, UsageError) == file_sha256(again, UsageError):
        if not quiet:
            typer.echo(one_line(f"{again}: the same bytes as {made}"))
        return
    said = recipes.read(again)
    found = differences(recipe, said) if said is not None else []
    pixels = pixel_difference(made, again)
    if not pixels and not found and recipes.is_old(made):
        if not quiet:
            typer.echo(one_line(f"{again}: the same pixels and recipe as {made}, which has an older form of recipe"))
        return
    why = f"; the recipes differ: {', '.join(found)}" if found else ""
    how = pixels or "the pixels are the same, but not what the file says beside them"
    typer.echo(one_line(f"{again}: not the bytes of {made}: {how}{why}"))
    raise typer.Exit(1)


def _warn(text: str) -> None:
    typer.echo(f"diffuse: {one_line(text)}", err=True)


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(replay)
