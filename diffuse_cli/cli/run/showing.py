"""--compare and --report: where they are written, and what is kept for them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import UsageError
from ...system.files import in_the_way
from ...system.streams import is_stream
from ...system.urls import path_of
from ..batch import refusals
from ..batch.inputs import PIPE
from ..batch.job import Job
from ..batch.naming import Naming, folder_for, targets
from ..options.files import Files, Output

if TYPE_CHECKING:
    from ...images.picture import Picture
    from ...restoration.problem import Problem
    from ..report.report import Report


@dataclass(frozen=True, kw_only=True, slots=True)
class Showing:
    """What is made to be looked at.

    Attributes:
        report: None = there is none.
        comparisons: the file of each output that gets one.
        provenance: comparisons tell how they were made.
    """

    report: "Report | None" = None
    comparisons: Mapping[Path, Path]
    provenance: bool = True

    @property
    def targets(self) -> list[Path]:
        """The files that are written."""
        return [*self.comparisons.values(), *(() if self.report is None else [self.report.target])]

    def wants(self, job: Job) -> bool:
        """Return whether a picture is needed until its result is written."""
        if not job.product.is_picture:
            return self.report is not None and job.product.shown_over
        return self.report is not None or job.output in self.comparisons

    def comparison(self, job: Job) -> Path | None:
        """Return the file of a job's comparison; None = it gets none."""
        return self.comparisons.get(job.output)

    def show(
        self,
        job: Job,
        before: "Picture | None",
        after: "Picture",
        made: Mapping[str, Any],
        problem: "Problem | None" = None,
    ) -> None:
        """Show a picture and its result, which is written. The comparison of a clip is written with its frames.

        Args:
            job: the result.
            before: the picture. None = the result was made from nothing.
            after: the result.
            made: its recipe.
            problem: what was known of the picture.

        Raises:
            PictureError: the comparison cannot be written.
        """
        if not job.product.is_picture:
            self._lay_over(job, after)
            return
        if self.report is not None:
            notes = () if problem is None else (*problem.findings.notes, *problem.findings.warnings)
            hole = problem.hole if problem is not None and problem.has_hole else None
            self.report.show(job, before, after, notes=notes, hole=hole)
        target = self.comparison(job)
        if target is not None and before is not None and before.source.clip is None:
            self._compare(target, job, before, after, made)

    def _lay_over(self, job: Job, shown: "Picture") -> None:
        """Lay the map of where samples differ over the picture in the report."""
        from ...restoration.uncertainty import coloured_std, std_of

        if self.report is not None:
            std, top = std_of(shown)
            note = f"from black, where the samples agree, to light yellow, where their std is {top:g} levels"
            self.report.lay_over(job, coloured_std(std, top), note)

    def _compare(self, target: Path, job: Job, before: "Picture", after: "Picture", made: Mapping[str, Any]) -> None:
        import numpy as np

        from ...images.comparison import comparison
        from ...images.image_io import Encoding, write_picture
        from ...images.picture import Picture, Source, to_unit
        from ...images.rendering import rendered
        from ...provenance import recipe

        sheet = comparison(rendered(before), rendered(after), ("before", _title(made)))
        provenance = recipe.to_rdf(made) if self.provenance else b""
        pixels = to_unit(np.asarray(sheet), 8)
        sheet_picture = Picture(pixels=pixels, source=Source(icc=before.source.icc, provenance=provenance))
        write_picture(sheet_picture, target, encoding=Encoding(format="png"))


def _title(made: Mapping[str, Any]) -> str:
    """Return the result's label: the operation, and what was set or estimated."""
    words = [str(made.get("operation"))]
    for key in ("noise", "scale", "jpeg_quality", "blur"):
        value = made.get(key)
        if isinstance(value, int | float) and value:
            words.append(f"{key.replace('_', ' ')} {value:.3g}")
    return " ".join(words)


def showing(op: str, files: Output, jobs: Sequence[Job], others: Sequence[Path] = ()) -> Showing | None:
    """Return what the options ask for, or None.

    Args:
        op: the command's name.
        files: the options.
        jobs: the plan.
        others: further files that must not be overwritten.

    Raises:
        UsageError: a file cannot be written, exists, is an input or a result, or stands for several pictures.
    """
    compare = files.compare if isinstance(files, Files) else None
    if compare is None and files.report is None:
        return None
    taken = [*(job.source for job in jobs), *(job.output for job in jobs if job.output != PIPE), *others]
    overlaid = any(job.product.shown_over for job in jobs)
    jobs = [job for job in jobs if job.product.is_picture]
    comparisons = {} if compare is None else _comparisons(compare, op, files, jobs, taken)
    taken += comparisons.values()
    report = None if files.report is None else _report(op, files, path_of(files.report), jobs, taken, overlaid=overlaid)
    return Showing(report=report, comparisons=comparisons, provenance=files.provenance)


def _comparisons(compare: str, op: str, files: Output, jobs: Sequence[Job], taken: Sequence[Path]) -> dict[Path, Path]:
    """Name comparisons as -o names results. They are PNG, and those of clips are clips."""
    due = [job for job in jobs if job.action != "skip" and not job.problem]
    samples = 1 + max((job.sample for job in jobs), default=0)
    output = folder_for(compare, [job.found for job in jobs])
    named: list[tuple[Job, Path]] = []
    for suffix, alike in _by_suffix(compare, due).items():
        naming = Naming(output=output, op=op, suffix=suffix, samples=samples)
        _check_name(compare, naming, len(jobs))
        names = targets([job.found for job in alike], naming)
        named += [(job, outputs[job.sample]) for job, outputs in zip(alike, names, strict=True)]
    refusals.check_collisions([replace(job, output=target) for job, target in named])
    written = [target for _, target in named]
    refusals.check_free(written, taken)
    if files.exists == "fail" and not files.resume:
        refusals.refuse_existing([path for path in written if in_the_way(path)])
    refusals.check_folders(written)
    return {job.output: target for job, target in named}


def _by_suffix(compare: str, jobs: Sequence[Job]) -> dict[str, list[Job]]:
    """Return the jobs by the suffix of their comparisons. A clip's is that of its result."""
    from ...images.encoding import is_clip_name, is_coded_clip_name

    found: dict[str, list[Job]] = {}
    for job in jobs:
        is_clip = is_clip_name(job.source) or (job.source == PIPE and is_coded_clip_name(Path(compare)))
        suffix = ".png" if not is_clip else job.output.suffix if is_coded_clip_name(job.output) else ".mkv"
        found.setdefault(suffix, []).append(job)
    return found


def _check_name(compare: str, naming: Naming, count: int) -> None:
    """Refuse a name that comparisons cannot have.

    Raises:
        UsageError: it is stdout, of another format, or one file for several.
    """
    from ...images.encoding import is_coded_clip_name

    if naming.is_pipe:
        raise UsageError("--compare -: a comparison needs a file; name one")
    if naming.is_template or naming.is_folder:
        return
    is_png = compare.lower().endswith(".png") or is_stream(path_of(compare))
    if naming.suffix != ".png" and not is_coded_clip_name(Path(compare)):
        raise UsageError(f"--compare {compare}: the comparison of a clip is one; name it {compare}{naming.suffix}")
    if naming.suffix == ".png" and not is_png:
        raise UsageError(f"--compare {compare}: a comparison is a PNG; name it {compare}.png")
    if count > 1:
        raise UsageError(f"--compare {compare}: one file for {count} pictures; give a folder ({compare}/), or --report")


def _report(
    op: str, files: Output, target: Path, jobs: Sequence[Job], taken: Sequence[Path], *, overlaid: bool
) -> "Report":
    from ..report.report import Report, is_report

    if target.suffix.lower() not in (".html", ".htm") and not is_stream(target):
        raise UsageError(f"--report {target}: a report is HTML; name it {target}.html")
    refusals.check_free([target], taken)
    if in_the_way(target) and not files.force:
        again = files.exists != "fail" or files.resume
        if not (again and is_report(target)):
            what = "exists" if is_report(target) else "exists, and is not a report"
            raise UsageError(f"{target}: {what}; use -f to overwrite it")
    refusals.check_folders([target])
    return Report(target=target, op=op, count=len(jobs), megabytes=files.report_size, overlaid=overlaid)
