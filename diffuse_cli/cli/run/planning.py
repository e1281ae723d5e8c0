"""From the options to a plan: which pictures, where results go, what exists already. Loads no model."""

import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import typer

from ...errors import PictureError, UsageError
from ...system.files import disk_trouble, file_sha256
from ...system.streams import is_stream, opened, read_stdin
from ...system.urls import path_of
from ..batch import inputs, plan, refusals, shards
from ..batch.inputs import PIPE, Found
from ..batch.job import PICTURE, Job, Product
from ..batch.journal import Journal, usual
from ..batch.naming import Naming, common_folder, folder_for
from ..options.files import Files, Output, Sources
from .display import one_line
from .showing import Showing, showing

if TYPE_CHECKING:
    from ...images.encoding import Encoding

Chosen = Callable[[Sequence[Found], dict[str, list[Path]]], list[Found]]
"""Returns the pictures that have results of their own, and puts those that are left out where the reason says."""
Wanted = Callable[[Job], Mapping[str, Any]]
"""Returns what a job's recipe will say, as far as it is known before the input is read."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Batch:
    """What is to be done, and where it is written down.

    Attributes:
        op: the command's name.
        jobs: one for each result. This is the plan that the local engine and Ray carry out.
        place: what it writes to, or below.
        part: (i, n): this is the i-th of n parts.
        journal: None = nothing is written down.
        ignored: the files that scans left out, by reason.
        notes: what the user is told before it begins.
        showing: what is made to be looked at. None = nothing.
    """

    op: str
    jobs: list[Job]
    place: Path = Path()
    part: tuple[int, int] = (1, 1)
    journal: Journal | None = None
    ignored: dict[str, list[Path]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    showing: Showing | None = None


def plan_files(
    op: str,
    files: Files,
    encoding: "Encoding",
    wanted: Wanted,
    *,
    suffix: str | None = None,
    seed: int = 0,
    samples: int = 1,
    product: Product = PICTURE,
    beside: Mapping[Product, str] = MappingProxyType({}),
    others: Sequence[Path] = (),
    chosen: Chosen | None = None,
) -> Batch:
    """Return the plan for pictures that are named, listed or found.

    Args:
        op: the command's name.
        files: the options.
        encoding: how results are coded.
        wanted: what recipes say.
        suffix: of results, if `encoding` does not say it.
        seed: for {seed} in names.
        samples: how many pictures each input becomes.
        product: what those are.
        beside: what it becomes besides, such as a map, and the file, folder or template that this is written to.
        others: further files that must not be overwritten.
        chosen: tells which pictures have results of their own. None: all.

    Raises:
        UsageError: the plan cannot be carried out.
    """
    from ...images.encoding import WRITTEN_AS

    exists = files.exists
    part = shards.shard_of(files.shard) if files.shard is not None else (1, 1)
    findings = find_sources(files)

    def named(found: Sequence[Found]) -> Naming:
        return Naming(
            output=folder_for(files.output, found, samples), op=op, suffix=suffix or encoding.suffix, seed=seed,
            samples=samples, written_as={**WRITTEN_AS, **_dicom_without_suffix(found)}, kept=_animations(found),
        )  # fmt: skip

    naming = named(findings.found)
    place = common_folder(findings.found, naming)
    journal, note = _journal(files, op, findings.found, naming, place)
    found = _without_own_results(op, findings, journal)
    if chosen is not None:
        everything = found
        found = chosen(everything, findings.skipped)
        naming, others = named(found), [*others, *(one.path for one in everything)]
    _check_pipes(found, naming, files)
    jobs = plan.plan(
        found,
        naming,
        on_exists=exists,
        is_made=_Made(wanted, journal, encoding) if files.resume else None,
        problem=_problem(encoding),
        inputs=others,
        product=product,
        beside={
            one: Naming(output=folder_for(to, found), op=op, suffix=one.suffix, seed=seed) for one, to in beside.items()
        },
        part=part,
    )
    _check_quality(jobs, encoding)
    notes = (*note, *_notes(files, jobs, encoding), *_written_otherwise(jobs, naming))
    shows = showing(op, files, jobs, others)
    return Batch(
        op=op, jobs=jobs, place=place, part=part, journal=journal, ignored=dict(findings.skipped), notes=notes,
        showing=shows,
    )  # fmt: skip


def _dicom_without_suffix(found: Sequence[Found]) -> dict[str, str]:
    """Return suffixes of named files that are DICOM by their content: they often end in a number, or in nothing."""
    from ...images.dicom import has_dicom_content
    from ...images.encoding import PICTURE_SUFFIXES

    odd = {one.path.suffix.lower(): one.path for one in found if one.path.suffix.lower() not in PICTURE_SUFFIXES}
    return {suffix: ".dcm" for suffix, path in odd.items() if has_dicom_content(path)}


def plan_drawing(
    op: str, files: Output, encoding: "Encoding", wanted: Wanted, *, seed: int, count: int, name: str
) -> Batch:
    """Return the plan for pictures that are made from nothing.

    Args:
        op: the command's name.
        files: the options.
        encoding: how results are coded.
        wanted: what recipes say.
        seed: for {seed} in names.
        count: the number of pictures.
        name: the template for pictures that are not named one by one, such as {op}.{seed}.{k}{ext}.

    Raises:
        UsageError: the plan cannot be carried out.
    """
    suffix = encoding.suffix or ".png"
    nothing = Path(op)
    nothing_found = [Found(path=nothing, below=nothing, root=Path())]
    output = folder_for(files.output, nothing_found, count)
    if output is None or Naming(output=output, op=op).is_folder:
        folder = (output or "").replace("{", "{{").replace("}", "}}")
        output = os.path.join(folder, name)
    naming = Naming(output=output, op=op, suffix=suffix, seed=seed, samples=count)
    found = [Found(path=nothing, below=nothing, root=Path(), listed=True)]
    place = common_folder(found, naming)
    journal, note = _journal(files, op, found, naming, place)
    _check_pipes((), naming, files)
    jobs = plan.plan(
        found, naming, on_exists=files.exists, is_made=_Made(wanted, journal, encoding) if files.resume else None,
        problem=_problem(encoding),
    )  # fmt: skip
    for job in jobs:
        if job.problem:
            raise UsageError(job.problem)
    _check_quality(jobs, encoding)
    notes = (*note, *_notes(files, jobs, encoding))
    return Batch(op=op, jobs=jobs, place=place, journal=journal, notes=notes, showing=showing(op, files, jobs))


def show_plan(batch: Batch, files: Output) -> None:
    """--dry-run: print what would be done."""
    for job in batch.jobs:
        if files.json:
            line = {"type": "image", "status": "planned", "input": str(job.source), "output": str(job.output)}
            line |= {} if job.product.is_picture else {"part": job.product.name}
            reason = {"reason": job.problem or job.why} if job.problem or job.why else {}
            typer.echo(json.dumps({**line, "action": "fail" if job.problem else job.action, **reason}))
        elif job.problem:
            typer.echo(one_line(f"{job.source_name}: will fail: {job.problem}"))
        elif job.action == "skip":
            typer.echo(one_line(f"{job.source_name}: skip: {job.output_name}: {job.why}"))
        else:
            typer.echo(
                one_line(f"{job.source_name} -> {job.output_name}{' (replaced)' if job.action == 'replace' else ''}")
            )


def find_sources(files: Sources) -> inputs.Findings:
    """Return the pictures that are named, listed or found.

    Raises:
        UsageError: nothing is named, what is named does not exist, or the list cannot be read.
    """
    from ...images.encoding import PICTURE_SUFFIXES

    return inputs.find(files.inputs or (), suffixes=PICTURE_SUFFIXES, recursive=files.recursive, listed=_listed(files))


# Inputs --------------------------------------------------------------------------------------------------------------


def _listed(files: Sources) -> list[Path]:
    if files.files_from is None:
        if files.null:
            raise UsageError("-0 needs --files-from LIST, or --files-from - for stdin")
        if not files.inputs:
            raise UsageError("no pictures; name files, folders or globs, or give --files-from LIST")
        return []
    if files.files_from == str(PIPE):
        if PIPE in (files.inputs or ()):
            raise UsageError("-: stdin is either a picture or the list of names; give one of them as a file")
        return inputs.read_list(read_stdin(), null=files.null)
    try:
        with opened(path_of(files.files_from)) as file:
            return inputs.read_list(file.read(), null=files.null)
    except OSError as error:
        raise UsageError(f"{files.files_from}: the list cannot be read: {disk_trouble(error)}") from None


def _without_own_results(op: str, findings: inputs.Findings, journal: Journal | None) -> list[Found]:
    """Leave out what this command made from a picture of the same search. Results of other commands are inputs."""
    from ...provenance import recipe

    made_from = {}
    for one in findings.found:
        if one.scanned:
            record = (journal and journal.made(one.path)) or {}
            told = recipe.read(one.path) or record.get("recipe") or {}
            if told.get("operation") == op:
                made_from[one.path] = str(told.get("input"))
    if not made_from:
        return findings.found
    originals = _hashes_among(set(made_from.values()), [one for one in findings.found if one.path not in made_from])
    own = {path for path, digest in made_from.items() if digest in originals}
    if own:
        findings.skipped["own results"] = sorted(own)
    return [one for one in findings.found if one.path not in own]


def _hashes_among(wanted: set[str], found: Sequence[Found]) -> set[str]:
    """Return those of the hashes that belong to one of these files. Read no more files than necessary."""
    there: set[str] = set()
    for one in found:
        if there == wanted:
            break
        there |= {sha256_of(one.path)} & wanted
    return there


def sha256_of(path: Path) -> str:
    """Return a file's sha256, or "" if it cannot be read."""
    try:
        return file_sha256(path, PictureError)
    except PictureError:
        return ""


def _check_pipes(found: Sequence[Found], naming: Naming, files: Output) -> None:
    """Refuse pictures on a terminal, or among lines of JSON."""
    from_pipe = any(one.path == PIPE for one in found)
    if from_pipe and sys.stdin is None:
        raise UsageError("-: stdin is closed; pipe a picture in, as in: cat a.png | diffuse ...")
    if from_pipe and sys.stdin.isatty():
        raise UsageError("-: stdin is a terminal; pipe a picture in, as in: cat a.png | diffuse ...")
    if not (naming.is_pipe or (from_pipe and naming.output is None)):
        return
    if files.json:
        raise UsageError("--json: the picture goes to stdout; name an output file with -o FILE")
    if sys.stdout.isatty() and not files.dry_run:
        raise UsageError("-o -: stdout is a terminal; redirect it (> out.png), or give -o FILE")


# Outputs -------------------------------------------------------------------------------------------------------------


def coding_of(product: Product, encoding: "Encoding") -> "Encoding":
    """Return how a product is coded. The options are for pictures; other products are coded as their names say."""
    from ...images.encoding import PLAIN

    return encoding if product.is_picture else PLAIN


def _animations(found: Sequence[Found]) -> frozenset[Path]:
    """Return the animations of a format that no still picture is written as. Pipes are not looked into."""
    from ...images.encoding import only_read
    from ...images.pillow_reader import may_be_animation

    files = [one.path for one in found if only_read(one.path) == "GIF" and not is_stream(one.path)]
    return frozenset(path for path in files if may_be_animation(path))


def _problem(encoding: "Encoding") -> plan.Problem:
    from ...images.encoding import check_writable_format
    from ...images.pillow_reader import may_be_animation

    def problem(source: Path, output: Path, product: Product) -> str:
        if output == PIPE:
            return ""
        coding = coding_of(product, encoding)
        try:
            is_gif = product.is_picture and coding.kind(output) == "GIF"
            kind = check_writable_format(output, coding, animated=is_gif and may_be_animation(source))
        except UsageError as error:
            return str(error)
        if product.formats and kind not in product.formats:
            return f"{output}: {kind} cannot hold it exactly; end the name in .png or .tif"
        return ""

    return problem


def _check_quality(jobs: Sequence[Job], encoding: "Encoding") -> None:
    from ...images.encoding import check_quality

    named = [job.output for job in jobs if job.output != PIPE and not job.problem and job.product.is_picture]
    if named:
        check_quality(named, encoding)


def _notes(files: Output, jobs: Sequence[Job], encoding: "Encoding") -> tuple[str, ...]:
    if not files.resume or all(holds_recipe(job.output, files, coding_of(job.product, encoding)) for job in jobs):
        return ()
    return ("--resume: some outputs cannot hold a recipe; the journal tells which of them are done",)


def _written_otherwise(jobs: Sequence[Job], naming: Naming) -> Iterator[str]:
    """Yield a line for each format that is read and never written."""
    from ...images.encoding import only_read

    named = naming.output is not None and not (naming.is_template or naming.is_folder)
    if named or naming.suffix is not None:  # the user says what becomes of it
        return
    kinds: dict[str, list[str]] = {}
    for job in jobs:
        is_other = job.product.is_picture and job.sample == 0 and job.source not in naming.kept
        if is_other and (kind := only_read(job.source)):
            kinds.setdefault(kind, []).append(job.source.name)
    for kind, names in kinds.items():
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        yield f"{names[0]}{more}: {kind} is read but not written, so the result is {_named_as(names[0], naming)}"


def _named_as(name: str, naming: Naming) -> str:
    """Return the format of a result that is called after its input, with its article."""
    kind = naming.suffix_of(Path(name)).removeprefix(".").upper()
    return f"an {kind}" if kind.startswith("M") else f"a {kind}"


def holds_recipe(output: Path, files: Output, encoding: "Encoding") -> bool:
    """Return whether an output's metadata will hold its recipe."""
    from ...provenance import recipe

    try:
        return files.provenance and encoding.kind(output) in recipe.HOLDING and not is_stream(output)
    except UsageError:
        return False


def _journal(
    files: Output, op: str, found: Sequence[Found], naming: Naming, place: Path
) -> tuple[Journal | None, tuple[str, ...]]:
    """Return the journal, or None and what to say about that. Results in a pipe need none."""
    if files.journal is not None:
        return Journal(files.journal), ()
    if naming.is_pipe or any(one.path == PIPE for one in found) or (files.dry_run and not files.resume):
        return None, ()
    try:
        return Journal(usual(op, place)), ()
    except UsageError as error:
        return None, (f"{error}; without a journal, other processes on the same pictures go unnoticed",)


@dataclass(frozen=True, slots=True)
class _Made:
    """Tells whether an output is what its job would make."""

    wanted: Wanted
    journal: Journal | None
    encoding: "Encoding"

    def __call__(self, job: Job) -> bool:
        from ...provenance import recipe

        try:
            wanted = recipe.plain(self.wanted(job))
        except PictureError:  # its mask is missing; that is said when it is its turn
            return False
        source = {"input": sha256_of(job.source)} if "input" in wanted else {}
        found = recipe.read(job.output)
        if found is None and self.journal is not None:
            record = self.journal.made(job.output) or {}
            digest = record.get("output_sha256")
            found = record.get("recipe") if digest and digest == sha256_of(job.output) else None
        return recipe.agrees(found, wanted | source)


def check_measured(json_file: str | None, plot: Path | None, *, force: bool) -> None:
    """Check before anything is measured that the figures can be written.

    Args:
        json_file: the file for JSON, "-" for stdout, or None.
        plot: the file for the plot, or None.
        force: files that exist may be overwritten.

    Raises:
        UsageError: matplotlib is missing, it cannot draw the format, or a file exists.
    """
    written = [] if json_file is None or json_file == "-" else [Path(json_file)]
    if plot is not None:
        from ...evaluation.plot import check

        check(plot)
        written.append(plot)
    if written:
        refusals.check_outputs(written, force=force)
