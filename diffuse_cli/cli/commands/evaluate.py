"""`diffuse evaluate`."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ...errors import UsageError
from ...evaluation.conditions import MeasuredTask
from ..options.compute import ComputeSeveral
from ..options.shared import shared
from ..run.display import Display
from ..run.planning import check_measured
from ..run.working import report_failures

if TYPE_CHECKING:
    from ...evaluation.evaluate import Evaluation
    from ...evaluation.report import Difference, Report


@dataclass(frozen=True, kw_only=True, slots=True)
class EvaluateOptions:
    """What to measure, and where the figures go."""

    task: Annotated[
        Literal[MeasuredTask, "dejpeg"] | None, typer.Option(help="What to measure. dejpeg and jpeg are one.")
    ] = None
    data: Annotated[
        list[Path] | None, typer.Option(metavar="DIR", help="A folder of clean pictures. Repeat for more.")
    ] = None
    pairs: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="DIR",
            help="A folder of real pairs, NAME_real and NAME_mean, in the place of --task. With --data: a folder of "
            "noisy pictures, the clean ones have the same names. Repeat for more.",
        ),
    ] = None
    level: Annotated[
        list[float] | None,
        typer.Option(metavar="N", help="Strength of the damage. Repeat for more.", show_default="the usual ones"),
    ] = None
    jpeg: Annotated[
        list[int] | None,
        typer.Option(
            metavar="Q", help="denoise, camera, film: store the noisy picture as JPEG of this quality. Repeat for more."
        ),
    ] = None
    gray: Annotated[bool, typer.Option("--gray", help="Make colour pictures gray first.")] = False
    as_files: Annotated[
        bool, typer.Option("--as-files", help="denoise: clip the noise and round it to 8 bits, as files do.")
    ] = False
    blind: Annotated[
        bool, typer.Option("--blind", help="Estimate the damage instead of telling it. denoise: with --as-files.")
    ] = False
    crop: Annotated[
        int | None, typer.Option(metavar="PX", min=11, help="Use the middle of each picture, PX pixels a side.")
    ] = None
    limit: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Use N pictures of each folder, evenly spread.")
    ] = None
    steps: Annotated[
        int | None,
        typer.Option(
            metavar="N", help="Also measure samples in N steps.", show_default="1, or as measured; generate: 24"
        ),
    ] = None
    fidelity: Annotated[
        list[float] | None,
        typer.Option(metavar="F", help="Also measure what lies between a sample (0) and the mean (1)."),
    ] = None
    samples: Annotated[
        int,
        typer.Option(
            metavar="K", min=1, help="Draw K samples; measure them, the means of 4, 8, 16, ... and their spread."
        ),
    ] = 1
    baseline: Annotated[
        bool, typer.Option("--baseline", help="Also measure the published classics that are installed.")
    ] = False
    json_file: Annotated[
        str | None, typer.Option("--json", metavar="FILE|-", help="Write all figures of every picture as JSON.")
    ] = None
    compare: Annotated[
        tuple[Path, Path] | None, typer.Option(metavar="A.json B.json", help="Compare two such files, B against A.")
    ] = None
    plot: Annotated[Path | None, typer.Option(metavar="FILE.png|.svg|.pdf", help="Also draw the figures.")] = None
    force: Annotated[bool, typer.Option("-f", "--force", help="Overwrite files that exist.")] = False
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Show no progress. The table and errors still show.")] = (
        False
    )

    @property
    def measured(self) -> MeasuredTask | None:
        """The task, by its own name."""
        return "jpeg" if self.task == "dejpeg" else self.task

    def plan(self, compute: ComputeSeveral) -> "Evaluation":
        """Return what is measured.

        Args:
            compute: how to compute.

        Raises:
            UsageError: --task or --data is missing, or an option means nothing for the task.
        """
        if not self.pairs and (self.task is None or not self.data):
            raise UsageError(
                "what is to be measured? Give --task and --data DIR, or --pairs DIR, or --compare A.json B.json"
            )
        check_measured(self.json_file, self.plot, force=self.force)
        if self.pairs:
            return self._plan_pairs(self.pairs, compute)
        assert self.measured is not None
        assert self.data is not None
        from ...evaluation.plan import plan

        return plan(
            self.measured, self.data, compute.settings, levels=self.level or (), jpegs=self.jpeg or (),
            limit=self.limit, steps=self.steps, fidelities=self.fidelity or (), samples=self.samples,
            gray=self.gray, crop=self.crop, as_files=self.as_files, blind=self.blind, baseline=self.baseline,
        )  # fmt: skip

    def _plan_pairs(self, pairs: list[Path], compute: ComputeSeveral) -> "Evaluation":
        from ...evaluation.plan import plan_pairs, refuse

        damaging = {
            "task": self.task, "level": self.level, "jpeg": self.jpeg, "gray": self.gray, "as-files": self.as_files,
            "blind": self.blind, "crop": self.crop,
        }  # fmt: skip
        refuse(damaging, "--pairs, which takes pictures as they are")
        return plan_pairs(
            pairs, self.data or (), compute.settings, limit=self.limit, steps=self.steps,
            fidelities=self.fidelity or (), samples=self.samples, baseline=self.baseline,
        )  # fmt: skip


@shared
def evaluate(*, options: EvaluateOptions, compute: ComputeSeveral) -> None:
    """Measure quality on folders of clean pictures, by the protocols of the literature.

    Every picture is damaged, restored and compared with the original. With --pairs, real noisy photographs are
    restored and compared with their clean partners. Several --model are measured on the same pictures; a second table
    has the differences to the first, paired by picture. Results are rounded to 8 bits first. Tables have means with
    95 % bootstrap intervals, and seconds per megapixel of the result.
    docs/evaluation.md has the protocol of each task.
    """
    if options.compare is not None:
        _print_differences(*options.compare)
        return
    what = options.plan(compute)
    from ...evaluation.plan import measure, models_of

    named = models_of(compute.model or ["photo"], what, options.measured)
    with Display(quiet=options.quiet, total=what.total) as display:
        loaded = [(info, compute.load_model(str(info.path))) for info in named]
        outcome = measure(what, loaded, display.turn, display.say)
    _write(outcome.report, options.json_file)
    if options.plot is not None:
        from ...evaluation.plot import draw_evaluation

        draw_evaluation(outcome.report, options.plot)
    report_failures(outcome.failed, what.total)


def _write(report: "Report", json_file: str | None) -> None:
    """Write the table or, with --json -, the JSON to stdout; and the JSON to its file."""
    from ...evaluation.report import aligned, between_models, dump, table
    from ...system.files import write_bytes

    if json_file == "-":
        typer.echo(dump(report).decode(), nl=False)
        return
    for line in aligned(table(report)):
        typer.echo(line)
    if several := between_models(report):
        typer.echo(f"against {report['models'][0]['name']}, on the same pictures:")
        _print_changes(several)
    if json_file is not None:
        write_bytes(dump(report), Path(json_file))


def _print_differences(a: Path, b: Path) -> None:
    """Print a table of what is better, worse and within noise."""
    from ...evaluation.report import differences, load

    found = differences(load(a), load(b))
    typer.echo(f"{b} against {a}:")
    _print_changes(found)


def _print_changes(found: "list[Difference]") -> None:
    from ...evaluation.report import aligned

    heads = ["row", "measure", "change", "95 %", "n", ""]
    for line in aligned([heads, *(difference.cells() for difference in found)]):
        typer.echo(line)


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(evaluate)
