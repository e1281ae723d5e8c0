"""`diffuse bench`."""

import json
from pathlib import Path
from typing import Annotated

import typer

from ...diffusion.settings import Dtype
from ...errors import UsageError
from ..options.compute import Fast
from ..run.display import Display
from ..run.planning import check_measured


def bench(
    full: Annotated[
        bool, typer.Option("--full", help="Also measure pictures of 100 megapixels (many minutes).")
    ] = False,
    json_file: Annotated[
        str | None, typer.Option("--json", metavar="FILE|-", help="Write all figures as JSON.")
    ] = None,
    plot: Annotated[Path | None, typer.Option(metavar="FILE.png|.svg|.pdf", help="Draw the figures.")] = None,
    force: Annotated[bool, typer.Option("-f", "--force", help="Overwrite files that exist.")] = False,
    model: Annotated[
        str, typer.Option(metavar="NAME|FILE", help="Checkpoint or imported model (see diffuse models).")
    ] = "photo",
    fast: Fast = False,
    dtype: Annotated[Dtype, typer.Option(help="Number type of the commands. The core is timed in each.")] = "auto",
    threads: Annotated[int | None, typer.Option(metavar="N", min=1, help="CPU threads.", show_default="all")] = None,
    quiet: Annotated[
        bool, typer.Option("-q", "--quiet", help="Show no progress. Tables and errors still show.")
    ] = False,
) -> None:
    """Measure speed and memory on this machine. Takes at most fifteen minutes on two cores.

    The first table is about the program: start-up, and the commands on synthetic pictures of 0.25, 1 and 12 megapixels.
    Times per megapixel of the result include files, but not start-up. The next tables are about the bare core: its
    multiply-accumulates per pixel, and its speed as a fraction of the fastest 3x3 convolution in the same run. Networks
    of FFDNet's, SPAN's and DnCNN's shape, with random weights and at their best tile, layout and dtype, are measured
    beside it. Further tables show where the time of the core and of whole commands goes, the backends that are
    installed beside each other, and the devices. Of an imported model, its network and its commands are measured.
    """
    check_measured(json_file, plot, force=force)
    from ...diffusion.checkpoint import find, read_info
    from ...diffusion.foreign.model import ForeignModel, load_any
    from ...diffusion.model import Model
    from ...evaluation.benchmark import benchmark, tables
    from ...evaluation.report import aligned
    from ...system.files import write_bytes
    from ...system.process import keep_buffers

    keep_buffers()
    info = read_info(find(model))
    if info.foreign is not None and info.foreign.generates:
        raise UsageError(f"--model {model}: draws pictures ({info.foreign.words}), and is not measured")
    with Display(quiet=quiet, total=1) as display:
        loaded = load_any(info.path, device="cpu", dtype=dtype, threads=threads)
        assert isinstance(loaded, Model | ForeignModel)
        report = benchmark(loaded, info, full=full, say=lambda line: None if quiet else display.say(line))
    if plot is not None:
        from ...evaluation.plot import draw_benchmark

        draw_benchmark(report, plot)
    data = (json.dumps(report, indent=1) + "\n").encode()
    if json_file == "-":
        typer.echo(data.decode(), nl=False)
        return
    for cells in tables(report):
        typer.echo("\n".join(aligned(cells)) + "\n")
    if json_file is not None:
        write_bytes(data, Path(json_file))


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(bench)
