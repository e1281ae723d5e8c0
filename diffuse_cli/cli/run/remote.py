"""Pictures that a server restores: planned, read and written here, computed there."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

from ...errors import CheckpointError, PictureError, ServerError, UsageError
from ...system.files import disk_trouble, file_sha256
from ...system.streams import opened, read_stdin
from ...system.urls import Url, content
from ...tasks.as_options import OPERATIONS, to_options
from ...version import __version__
from ..batch import pipeline
from ..batch.inputs import PIPE
from ..batch.job import Job
from ..options.clips import ClipOptions
from ..options.coding import MetadataOptions
from ..options.compute import Compute, Computing
from ..options.files import Files
from ..options.sampling import SamplingOptions
from ..options.server import ServerOptions
from .connection import Connection, Reply
from .display import Display
from .planning import plan_files, show_plan
from .products import RestoredPicture
from .results import Results
from .steps import header_pixels
from .task_source import TaskSource
from .wanted import Wanted
from .working import PictureWork, begin, working

if TYPE_CHECKING:
    from ...images.encoding import Encoding
    from ...restoration.sampling_request import SamplingRequest

_DECIDED_THERE: Final = ("device", "dtype", "compile", "backend", "tile", "memory", "threads")
_ONLY_HERE: Final = ("uncertainty", "uncertainty_view", "trace")
_SHOWN_HERE: Final = ("compare", "report")


def restore_on_server(
    op: str, tasks: TaskSource, files: Files, keeping: MetadataOptions, compute: Compute, which: SamplingOptions,
    clips: ClipOptions | None, server: ServerOptions,
) -> None:  # fmt: skip
    """Have a server carry out a task on every input. Exits with the batch's code.

    Args:
        op: the command's name.
        tasks: what is asked for each picture.
        files: which pictures, and where results go.
        keeping: how results are coded, and what they keep of the inputs' metadata.
        compute: how to compute.
        which: which samples are the results.
        clips: refused, if there are any.
        server: where it is.

    Raises:
        UsageError: the server cannot do what an option asks for, or the plan cannot be carried out.
        ServerError: there is no server, or it has another version or model.
    """
    encoding, request = keeping.encoding(), which.answers()
    _check(op, tasks, files, compute, which)
    if clips is not None:
        clips.check_used(has_clips=False)
        if clips.sequence:
            raise UsageError("--sequence: a server takes each picture alone; leave --server out")
    with Connection(str(server.server), server.secret()) as connection:
        _check_same(connection, compute)
        _restore(op, tasks, files, encoding, request, compute, connection)


def _restore(
    op: str, tasks: TaskSource, files: Files, encoding: "Encoding", request: "SamplingRequest", compute: Compute,
    connection: Connection,
) -> None:  # fmt: skip
    """Plan, and have the pictures restored. Exits with the batch's code."""
    about = connection.about
    base = replace(compute.settings(1), backend=about["backend"], tile=about["tile"], memory=about["memory"])
    picture = RestoredPicture(op=op, request=request, base=base, fills_holes=tasks.fills_holes)
    there = about["checkpoint"]
    wanted = Wanted(
        tasks=tasks, compute=compute, encoding=encoding, damaged=files.damaged,
        known=(there["sha256"], there["dtype"], there["compile"]),
    )  # fmt: skip
    batch = plan_files(
        op, files, encoding, wanted, seed=compute.seed, samples=request.pictures, product=picture, others=tasks.reads,
    )  # fmt: skip
    if files.dry_run:
        show_plan(batch, files)
        return
    with Display(quiet=files.quiet, total=len(batch.jobs)) as display:
        begin(batch, files, display)
        work = PictureWork(batch, files, display)
        steps = _Sending(
            results=Results(batch=batch, files=files, encoding=encoding, display=display), wanted=wanted,
            request=request, connection=connection, work=work,
        )  # fmt: skip
        with working(work):
            pipeline.run(batch.jobs, steps, work.end, work.is_stopped)


def _check(op: str, tasks: TaskSource, files: Files, compute: Compute, which: SamplingOptions) -> None:
    """Refuse what a server cannot do.

    Raises:
        UsageError: an option asks for it.
    """
    defaults = {one.name: one.default for one in Computing.__dataclass_fields__.values()}
    for name in _DECIDED_THERE:
        if getattr(compute, name) != defaults[name]:
            raise UsageError(f"--{name}: with --server, diffuse serve decides this; give it there, or leave it out")
    asked = [name for name in _ONLY_HERE if getattr(which, name) is not None]
    asked += [name for name in _SHOWN_HERE if getattr(files, name) is not None]
    asked += ["show_fill"] if tasks.show_fill is not None else []
    asked += ["save_mask"] if tasks.saves_masks else []
    if asked:
        option = asked[0].replace("_", "-")
        raise UsageError(f"--{option}: a server gives the restored picture alone; leave out --server or --{option}")
    if files.engine != "local":
        raise UsageError(f"--engine {files.engine}: a server is one machine; leave --server or --engine out")
    refused = tasks.refused_by_servers(OPERATIONS[op].kind)
    if refused:
        raise UsageError(f"{refused}: a server does not do this; leave --server out")


def _check_same(connection: Connection, compute: Compute) -> None:
    """Refuse a server of another version, or with another model.

    Raises:
        ServerError: it is another one.
    """
    about, model = connection.about, compute.model
    if about["diffuse"] != __version__:
        raise ServerError(f"--server {connection.url}: is diffuse {about['diffuse']}, not {__version__}; update one")
    is_file = Path(model).is_file()
    same = file_sha256(Path(model), CheckpointError) == about["checkpoint"]["sha256"] if is_file else False
    if not (same or model == about["model"]) or (is_file and not same):
        raise ServerError(
            f"--server {connection.url}: it has the model {about['model']}, not {model}; give --model "
            f"{about['model']}, or start a server with --model {model}"
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Read:
    """A picture on its way to the server."""

    content: bytes
    parts: Mapping[str, tuple[str, bytes]]
    options: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class _Sending:
    """How each picture is read, sent and written."""

    results: Results
    wanted: Wanted
    request: "SamplingRequest"
    connection: Connection
    work: PictureWork

    waiting: ClassVar[str] = "reading"

    def weight(self, job: Job) -> int:
        """Return the picture's number of pixels, by its header."""
        return header_pixels(job.source)

    def read(self, job: Job) -> _Read:
        """Claim and read the picture, and the pictures that belong to it."""
        from hashlib import sha256

        from ...images.encoding import is_clip_name

        if is_clip_name(job.source):
            raise PictureError(f"{job.source_name}: a clip, which a server does not take; leave --server out")
        self.results.claim(job)
        content = read_stdin() if job.source == PIPE else _content(job.source)
        wanted = {**self.wanted(job), "input": sha256(content).hexdigest()}
        self.results.check_still_due(job, wanted)
        task, _ = self.wanted.tasks.of(job)
        files = self.wanted.tasks.parts(job)
        parts = {name: (f"{name}{_suffix(path)}", _content(path)) for name, path in files.items()}
        options = {**to_options(self.results.batch.op, task), **self._options(job)}
        return _Read(content=content, parts=parts, options=options)

    def _options(self, job: Job) -> dict[str, Any]:
        """Return what is said beside the task."""
        from ...provenance.recipe import IN_ROUNDS

        how, coding, request = self.wanted.compute, self.results.encoding, self.request
        output = {} if job.output == PIPE else {"format": _format(job.output, coding)}
        asked = {
            "fidelity": request.fidelity, "steps": request.steps, "samples": request.samples,
            "average": request.average or None, "quality": coding.quality, "format": coding.format, **output,
        }  # fmt: skip
        rounds = {"rounds": how.settings(1).rounds} if self.results.batch.op in IN_ROUNDS else {}
        return {
            **{name: value for name, value in asked.items() if value is not None},
            **rounds, "seed": how.seed, "sample": job.sample, "solver": how.solver, "ensemble": how.ensemble,
            "depth": coding.depth, "metadata": coding.metadata, "damaged": self.wanted.damaged,
            "provenance": self.results.files.provenance,
        }  # fmt: skip

    def wait(self, job: Job) -> None:
        """Show that it is read."""
        self.results.display.show(Path(job.source_name).name, self.waiting, counted=False)

    def restore(self, job: Job, read: _Read) -> Reply:
        """Have the picture restored, and tell what the server says of it."""
        self.results.display.show(Path(job.source_name).name, "on the server")
        size, most = sum(len(part) for part in (read.content, *(part for _, part in read.parts.values()))), self._most
        if size > most:
            raise PictureError(
                f"{job.source_name}: has {size:,} bytes, and the server takes {most:,}; leave --server out"
            )
        sent = {"picture": (f"picture{_suffix(job.source)}", read.content), **read.parts}
        reply = self.connection.restore(self.results.batch.op, sent, read.options, self.work.is_stopped)
        if not self.results.files.quiet:
            for line in reply.notes:
                self.results.display.say(_named(line, job))
        return reply

    @property
    def _most(self) -> int:
        return int(self.connection.about["limits"]["body"])

    def write(self, job: Job, restored: Reply) -> dict[str, Any]:
        """Write the result."""
        self.results.write_content(job, restored.content, restored.recipe, self.results.encoding)
        return {"recipe": restored.recipe}

    def let_go(self, job: Job) -> None:
        """Release the claim."""
        self.results.let_go(job)


def _content(path: Path) -> bytes:
    """Return a file's content.

    Raises:
        PictureError: it cannot be read.
    """
    try:
        if isinstance(path, Url):
            return content(path)
        with opened(path) as file:
            return file.read()
    except OSError as error:
        raise PictureError(f"{path}: {disk_trouble(error)}") from None


def _suffix(path: Path) -> str:
    """Return what the server is told of a file's name."""
    suffix = path.suffix.lower()
    return suffix if suffix.isascii() and suffix[1:].isalnum() else ""


def _format(output: Path, encoding: "Encoding") -> str:
    """Return the name of a result's format."""
    return "pgm" if output.suffix.lower() == ".pgm" else encoding.kind(output).lower()


def _named(line: str, job: Job) -> str:
    """Return a line of the server with the names of this job's files."""
    what, _, rest = line.partition(": ")
    names = {"picture": job.source_name, "result": job.output_name}
    return f"{names[what]}: {rest}" if what in names else line
