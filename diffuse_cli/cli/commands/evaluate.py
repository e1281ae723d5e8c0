"""`diffuse evaluate`."""

from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ...errors import UsageError
from ..options.options import Compute, shared
from ..run.display import Display
from ..run.planning import check_measured
from ..run.working import report_failures

if TYPE_CHECKING:
    from ...evaluation.report import Report


class TaskName(StrEnum):
    """Values of --task."""

    denoise = "denoise"
    inpaint = "inpaint"
    super_resolve = "super-resolve"
    jpeg = "jpeg"
    deblur = "deblur"
    restore = "restore"
    generate = "generate"


@shared
def evaluate(
    task: Annotated[TaskName | None, typer.Option(help="What to measure.")] = None,
    data: Annotated[
        list[Path] | None, typer.Option(metavar="DIR", help="A folder of clean pictures; several may be given.")
    ] = None,
    level: Annotated[
        list[float] | None, typer.Option(metavar="N", help="How strong the damage is; by default all the usual ones.")
    ] = None,
    gray: Annotated[bool, typer.Option("--gray", help="Make colour pictures gray first.")] = False,
    as_files: Annotated[
        bool, typer.Option("--as-files", help="denoise: clip and round the noise, as files do.")
    ] = False,
    blind: Annotated[
        bool, typer.Option("--blind", help="The damage is estimated, not told (denoise: implies --as-files).")
    ] = False,
    limit: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="N pictures of each folder, evenly spread.")
    ] = None,
    steps: Annotated[
        int | None,
        typer.Option(metavar="N", help="Samples in N steps too.", show_default="1, or as measured; generate: 24"),
    ] = None,
    fidelity: Annotated[
        list[float] | None,
        typer.Option(metavar="F", help="Also what lies between a sample (0) and the mean (1); may be repeated."),
    ] = None,
    samples: Annotated[
        int,
        typer.Option(metavar="K", min=1, help="K samples, the means of 4, 8, 16, ... of them, and how they spread."),
    ] = 1,
    baseline: Annotated[
        bool, typer.Option("--baseline", help="The published classics too, as far as they are installed.")
    ] = False,
    json_file: Annotated[
        str | None, typer.Option("--json", metavar="FILE|-", help="All figures of every picture, as JSON.")
    ] = None,
    compare: Annotated[
        tuple[Path, Path] | None, typer.Option(metavar="A.json B.json", help="Compare two such files, B against A.")
    ] = None,
    plot: Annotated[Path | None, typer.Option(metavar="FILE.png|.svg|.pdf", help="Draw the figures, too.")] = None,
    force: Annotated[bool, typer.Option("-f", "--force", help="Replace existing files.")] = False,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="No progress; the table and errors still show.")] = False,
    *,
    compute: Compute,
) -> None:
    """Measure quality on folders of clean pictures, by the literature's protocols.

    denoise: white noise of std 15, 25, 50 levels from numpy's RandomState(0) for each picture, neither clipped nor
    rounded (--as-files: both); the nominal level is told. super-resolve: x2, x3, x4; cropped to multiples of the
    factor, shrunk by antialiased bicubic (a = -0.5), rounded; PSNR and SSIM on Y (BT.601, 16..235), a border of the
    factor cropped. jpeg: quality 10, 20, 40 by Pillow, 4:2:0. deblur: a Gaussian of std 0.8, 1.6, 2.4 pixels, rounded.
    inpaint: text on 13 %, strokes on 21 %, boxes on 10 %, dust on 5 % of the picture (--level: the share), seeded by
    its name. restore: mixtures (1) noise 15, JPEG 75; (2) blur 1.2, noise 10, JPEG 60; (3) blur 0.8, x2, noise 10,
    JPEG 60, described to the core. generate: sliced Wasserstein distance of patches, to crops of the pictures.

    Results are rounded to 8 bits. PSNR counts all channels together, equal pictures as 100 dB; SSIM has an 11x11
    Gaussian window. Means come with 95 % bootstrap intervals, seconds are per megapixel of the result.
    """
    if compare is not None:
        _print_differences(*compare)
        return
    if task is None or not data:
        raise UsageError("what is to be measured? Give --task and --data DIR, or --compare A.json B.json")
    check_measured(json_file, plot, force=force)
    from ...diffusion.checkpoint import find, read_info
    from ...diffusion.settings import GENERATE_STEPS, SAMPLE_STEPS
    from ...evaluation.evaluate import Evaluation, evaluate, sets_of
    from ...evaluation.generation_quality import evaluate_generation
    from ...evaluation.protocol import conditions, task_named

    sets, total = sets_of(data, limit)
    info = read_info(find(compute.model))
    info.check_task(task.value)
    if task is TaskName.generate:
        _refuse({"level": level, "gray": gray, "as-files": as_files, "blind": blind, "baseline": baseline})
        settings = compute.settings(steps or GENERATE_STEPS)
        with Display(quiet=quiet, total=total) as display:
            outcome = evaluate_generation(sets, settings, compute.load(), info, display.turn)
    else:
        chosen = conditions(task_named(task.value), tuple(level or ()), as_files=as_files, blind=blind)
        drawn = samples > 1 or bool(fidelity)
        settings = compute.settings(steps or (SAMPLE_STEPS if drawn else 1))
        if drawn and settings.steps == 1:
            raise UsageError("--steps 1 is the posterior mean: give more for --samples and --fidelity, or leave it out")
        for value in fidelity or ():
            replace(settings, fidelity=value)  # checks it
        what = Evaluation(
            sets=sets,
            conditions=chosen,
            settings=settings,
            samples=samples,
            fidelities=fidelity or (),
            gray=gray,
            baseline=baseline,
        )
        with Display(quiet=quiet, total=total) as display:
            outcome = evaluate(what, compute.load(), info, display.turn, display.say)
    _write(outcome.report, json_file)
    if plot is not None:
        from ...evaluation.plot import draw_evaluation

        draw_evaluation(outcome.report, plot)
    report_failures(outcome.failed, total)


def _refuse(given: dict[str, object]) -> None:
    for name, value in given.items():
        if value:
            raise UsageError(f"--{name} means nothing for --task generate")


def _write(report: "Report", json_file: str | None) -> None:
    """The table to stdout, or the JSON in its place; the JSON to its file."""
    from ...evaluation.report import aligned, dump, table
    from ...system.files import write_bytes

    if json_file == "-":
        typer.echo(dump(report).decode(), nl=False)
        return
    for line in aligned(table(report)):
        typer.echo(line)
    if json_file is not None:
        write_bytes(dump(report), Path(json_file))


def _print_differences(a: Path, b: Path) -> None:
    """What is better, what worse and what within noise, as a table."""
    from ...evaluation.report import aligned, differences, load

    heads = ["row", "measure", "change", "95 %", "n", ""]
    found = [difference.cells() for difference in differences(load(a), load(b))]
    typer.echo(f"{b} against {a}:")
    for line in aligned([heads, *found]):
        typer.echo(line)


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(evaluate)
