"""--try: one picture made with several values of an option, and a sheet of the results to choose from.

Of a clip that is the frame in the middle, computed with the fast network unless another one is named.
"""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import typer

from ...errors import UsageError
from ...images.encoding import CLIP_SUFFIXES
from ..batch.inputs import PIPE
from ..batch.refusals import check_outputs
from ..options.clips import ClipOptions

USUAL: Final = {
    "denoise": "noise", "restore": "noise", "deblur": "blur", "dejpeg": "jpeg", "super-resolve": "fidelity",
    "inpaint": "seed", "repair": "saturation", "enhance": "exposure", "compose": "seed", "extend": "seed",
    "stylize": "strength", "fuse": "fidelity",
}  # fmt: skip
"""The option whose values are tried, by command, where --try does not name one."""
MOST: Final = 12
"""Values at once."""
_ALONE: Final = (
    "compare",
    "report",
    "uncertainty",
    "uncertainty_view",
    "trace",
    "samples",
    "save_mask",
    "show_fill",
    "paint",
    "shard",
    "json",
)
"""Options that make no sense where results are only tried."""


_OF_CLIPS: Final = {"start": None, "end": None, "frames": None, "codec": None, "crf": None, "preset": None}
"""Options that a frame alone does not have."""


def try_values(context: typer.Context, text: str, arguments: Sequence[str]) -> None:
    """Make a picture once for each value, lay the results out on one sheet, and print the command of each.

    Args:
        context: of the command, with all of its values but --try.
        text: what --try was given: values, or NAME=values.
        arguments: of the command, as they were given.

    Raises:
        UsageError: the option is unknown, a value makes no sense, or there is not one picture.
        PictureError: the sheet cannot be written.
    """
    import numpy as np

    from ...images.comparison import choices
    from ...images.image_io import Encoding, read_picture, write_picture
    from ...images.picture import Picture, Source, to_unit
    from ...images.rendering import rendered

    name, values = _asked(context, text)
    source, target = _files(context)
    with TemporaryDirectory(prefix="diffuse-try-") as folder:
        shown, params = source, context.params
        if source.suffix.lower() in CLIP_SUFFIXES:
            shown, params = _of_clip(context, source, Path(folder) / "frame.png")
        made = [_made(context, params, name, value, Path(folder) / str(k)) for k, value in enumerate(values)]
        before = read_picture(shown, max_pixels=context.params["max_pixels"])
        results = [rendered(read_picture(path)) for path in made]
    titles = [f"{name.replace('_', '-')} {value}" for value in values]
    sheet = choices(rendered(before), results, ["before", *titles])
    picture = Picture(pixels=to_unit(np.asarray(sheet), 8), source=Source(icc=before.source.icc))
    write_picture(picture, target, encoding=Encoding(format="png"))
    typer.echo(f"{source} -> {target}", err=True)
    for value in values:
        typer.echo(_command(context, name, value, arguments))


def _asked(context: typer.Context, text: str) -> tuple[str, list[str]]:
    """Return the option that is tried, and its values."""
    named, equals, listed = text.rpartition("=")
    command = str(context.command.name)
    name = (named if equals else USUAL.get(command, "")).replace("-", "_").strip()
    values = [value.strip() for value in listed.split(",") if value.strip()]
    parameters: list[Any] = list(context.command.params)
    options = [p.name for p in parameters if p.param_type_name == "option" and not p.is_flag]
    if name not in options:
        raise UsageError(f"--try {text}: {command} has no option --{name.replace('_', '-')}; see diffuse {command} -h")
    if not 2 <= len(values) <= MOST:
        raise UsageError(f"--try {text}: give 2 to {MOST} values, like --try 5,10,20")
    return name, values


def _files(context: typer.Context) -> tuple[Path, Path]:
    """Return the picture and the sheet's file.

    Raises:
        UsageError: there is not one picture, another option contradicts, or the sheet cannot be written there.
    """
    given, inputs = context.params, context.params["inputs"] or []
    for name in _ALONE:
        if given.get(name):
            raise UsageError(f"--try only shows results, so --{name.replace('_', '-')} has nothing to do; leave it out")
    single = len(inputs) == 1 and inputs[0] != PIPE and inputs[0].is_file() and not given["files_from"]
    if not single or (inputs[0].suffix.lower() in CLIP_SUFFIXES and not given.keys() >= _OF_CLIPS.keys()):
        raise UsageError("--try takes one picture; name its file")
    named = given["output"]
    target = inputs[0].with_name(f"{inputs[0].stem}.try.png") if named is None else Path(named)
    if target.suffix.lower() != ".png":
        raise UsageError(f"-o {named}: --try writes one sheet; give a file like choices.png")
    check_outputs([target], force=given["force"], inputs=inputs)
    return inputs[0], target


def _of_clip(context: typer.Context, clip: Path, target: Path) -> tuple[Path, dict[str, Any]]:
    """Write the frame in the middle of a clip, or of its part. Return its file, and the options for it.

    Raises:
        UsageError: the part is empty, or a time is none.
        PictureError: the clip cannot be read.
    """
    from ...diffusion.checkpoint import FAST_MODEL
    from ...images.image_io import read_pages, write_picture
    from ...images.picture import Source

    given = context.params
    part = ClipOptions(start=given["start"], end=given["end"], frames=given["frames"]).part()
    first = next(read_pages(clip, max_pixels=given["max_pixels"], part=part))
    assert first.source.clip is not None
    frame = next(read_pages(clip, max_pixels=given["max_pixels"], part=first.source.clip.clip.middle))
    write_picture(replace(frame, source=Source()), target)
    source = context.get_parameter_source("model")
    is_named = source is not None and source.name != "DEFAULT"
    model = given["model"] if is_named else FAST_MODEL
    typer.echo(f"{clip}: the frame in the middle, computed with {model}", err=True)
    return target, {**given, **_OF_CLIPS, "inputs": [target], "model": model}


def _made(context: typer.Context, params: Mapping[str, Any], name: str, value: str, folder: Path) -> Path:
    """Return the result of one value."""
    option: Any = next(p for p in context.command.params if p.name == name)
    folder.mkdir()
    target = folder / "result.png"
    changed: Mapping[str, Any] = {
        **params, name: option.process_value(context, value), "output": str(target), "format": "png",
        "quiet": True, "resume": False,
    }  # fmt: skip
    callback: Any = context.command.callback
    context.invoke(callback, **changed)
    return target


def _command(context: typer.Context, name: str, value: str, arguments: Sequence[str]) -> str:
    """Return the command line that makes one of the results."""
    kept, skip = [], False
    for argument in arguments:
        head = argument.split("=")[0]
        if not skip and head not in ("--try", "-o", "--output"):
            kept.append(argument)
        skip = not skip and head in ("--try", "-o", "--output") and "=" not in argument
    flag = f"--{name.replace('_', '-')}"
    return shlex.join(["diffuse", str(context.command.name), *kept, flag, value])
