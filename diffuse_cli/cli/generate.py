"""`diffuse generate`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .. import batch
from ..errors import UsageError
from ..settings import GENERATE_STEPS
from .display import Display
from .options import Coding, Compute, Output, shared, two_numbers
from .restorer import check_results

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ..encoding import Encoding


@shared
def generate(
    files: Output,
    count: Annotated[
        int | None,
        typer.Option("-n", "--count", metavar="N", min=1, help="How many.", show_default="1; 16 with --grid"),
    ] = None,
    size: Annotated[
        str | None,
        typer.Option(metavar="WxH", help="Beyond the training crops: small, then enlarged.", show_default="64x64"),
    ] = None,
    label: Annotated[
        str | None, typer.Option(metavar="NAME", help="What they show, where the checkpoint has labels.")
    ] = None,
    grid: Annotated[bool, typer.Option("--grid", help="Write one contact sheet instead: generate.{seed}.png.")] = False,
    steps: Annotated[int, typer.Option(metavar="N", help="Solver steps of each stage.")] = GENERATE_STEPS,
    *,
    coding: Coding,
    compute: Compute,
) -> None:
    """Draw pictures from what the checkpoint has learnt: generate.{seed}.{k}.png, k = 0, 1, ..."""
    from .. import checkpoint

    count = count or (16 if grid else 1)
    wanted = None if size is None else two_numbers("size", size)
    settings = [compute.settings(steps, sample=k) for k in range(count)]
    encoding = coding.encoding()
    outputs = _outputs(files.output, compute.seed, count, encoding, grid=grid)
    batch.check_outputs(outputs, force=files.force)
    check_results(outputs, encoding)
    if label is not None:
        checkpoint.label_index(label, checkpoint.read_info(checkpoint.find(compute.model)).labels)
    model = compute.load()

    from ..generation import generate as draw
    from ..generation import natural_size
    from ..image_io import Picture, write_picture
    from ..restoration import to_array

    config = model.network.config
    shape = natural_size(config.crop) if wanted is None else (wanted[1], wanted[0])
    with Display(quiet=files.quiet, total=count) as display:
        sheet = []
        for k, setting in enumerate(settings):
            with display.turn(f"sample {k}"):
                x = draw(shape, setting, model, label=label, progress=display.progress)
                picture = Picture(pixels=to_array(x, 1 if config.gray else 3))
                if grid:
                    sheet.append(picture.pixels)
                else:
                    write_picture(picture, outputs[k], encoding=encoding)
                    display.finish(str(outputs[k]))
        if grid:
            write_picture(Picture(pixels=_sheet(sheet)), outputs[0], encoding=encoding)
            display.finish(str(outputs[0]))


def _outputs(output: str | None, seed: int, count: int, encoding: "Encoding", *, grid: bool) -> list[Path]:
    suffix = encoding.suffix or ".png"
    names = [f"generate.{seed}{suffix}"] if grid else [f"generate.{seed}.{k}{suffix}" for k in range(count)]
    if output is None:
        return [Path(name) for name in names]
    if batch.is_folder(output):
        batch.make_folder(Path(output))
        return [Path(output) / name for name in names]
    if count > 1 and not grid:
        raise UsageError(f"{output}: one output file for {count} pictures; give a folder ({output}/) or --grid")
    return [Path(output)]


def _sheet(arrays: "list[NDArray[np.float32]]") -> "NDArray[np.float32]":
    """A contact sheet, as square as it gets, with two pixels of mid-gray between the pictures."""
    import numpy as np

    h, w, channels = arrays[0].shape
    columns = int(np.ceil(np.sqrt(len(arrays))))
    rows = -(-len(arrays) // columns)
    gap = 2
    sheet = np.zeros((rows * (h + gap) - gap, columns * (w + gap) - gap, channels), np.float32)
    for k, array in enumerate(arrays):
        top, left = (k // columns) * (h + gap), (k % columns) * (w + gap)
        sheet[top : top + h, left : left + w] = array
    return sheet


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(generate)
