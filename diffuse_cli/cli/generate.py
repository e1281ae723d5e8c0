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
    count: Annotated[int, typer.Option("-n", "--count", metavar="N", min=1, help="How many pictures.")] = 1,
    size: Annotated[str, typer.Option(metavar="WxH", help="Beyond 96 pixels: small first, then enlarged.")] = "64x64",
    label: Annotated[
        str | None, typer.Option(metavar="NAME", help="What they show, where the checkpoint has labels.")
    ] = None,
    grid: Annotated[bool, typer.Option("--grid", help="Write one contact sheet, to -o, instead.")] = False,
    steps: Annotated[int, typer.Option(metavar="N", help="Solver steps of each stage.")] = GENERATE_STEPS,
    *,
    coding: Coding,
    compute: Compute,
) -> None:
    """Draw pictures from what the checkpoint has learnt: generate.{seed}.{k}.png, k = 0, 1, ..."""
    from .. import checkpoint

    width, height = two_numbers("size", size)
    settings = [compute.settings(steps, sample=k) for k in range(count)]
    encoding = coding.encoding()
    outputs = _outputs(files.output, compute.seed, count, encoding, grid=grid)
    batch.check_outputs(outputs, force=files.force)
    check_results(outputs, encoding)
    labels = checkpoint.read_info(checkpoint.find(compute.model)).labels
    if label is not None:
        checkpoint.label_index(label, labels)
    model = compute.load()

    from ..generation import generate as draw
    from ..image_io import Picture, write_picture
    from ..restoration import to_array

    with Display(quiet=files.quiet, total=count) as display:
        sheet = []
        for k, setting in enumerate(settings):
            with display.turn(f"sample {k}"):
                x = draw((height, width), setting, model, label=label, progress=display.progress)
                picture = Picture(pixels=to_array(x, 3))
                if grid:
                    sheet.append(picture.pixels)
                else:
                    write_picture(picture, outputs[k], encoding=encoding)
                    display.finish(str(outputs[k]))
        if grid:
            write_picture(Picture(pixels=_sheet(sheet)), outputs[0], encoding=encoding)
            display.finish(str(outputs[0]))


def _outputs(output: str | None, seed: int, count: int, encoding: "Encoding", *, grid: bool) -> list[Path]:
    if grid and (output is None or batch.is_folder(output)):
        raise UsageError("--grid writes one picture; name it with -o sheet.png")
    names = [f"generate.{seed}.{k}{encoding.suffix or '.png'}" for k in range(count)]
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
