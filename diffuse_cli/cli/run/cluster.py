"""--engine ray: a plan carried out on the machines of a Ray cluster.

Ray Data streams the plan through three pools of actors: some read the inputs' files, some, with a model each, restore
them, and some write the results' files. This process, which began the batch, writes the journal and tells what becomes
of each picture, as the local engine does.
"""

import hashlib
import io
import json
import logging
import os
import pickle
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout, suppress
from dataclasses import dataclass, field, replace
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol, TextIO

from ...errors import CheckpointError, DiffuseError, OutOfMemoryError, PictureError, UsageError
from ...provenance import recipe
from ...system.files import disk_trouble, in_the_way, remove_stale, replaced_whole
from ...system.streams import opened
from ...system.urls import Url
from ...version import __version__
from ..batch import pipeline
from ..batch.job import PICTURE, Job, Product
from ..batch.pipeline import End, SkippedError, Steps
from ..batch.refusals import places
from ..options.files import Files
from .clips import may_be_clip
from .display import Display
from .planning import Batch, holds_recipe, sha256_of
from .results import Results

if TYPE_CHECKING:
    from ...images.encoding import Encoding
    from ...images.picture import Picture

INPUTS_AT_ONCE: Final = 8
"""Inputs that a worker takes in one go. Its threads read and encode some while it restores another."""
TRIES: Final = 2
"""How often the same inputs are tried again after the worker that had them died."""
READERS: Final = 4
"""Actors that read, and actors that write, at most. They wait for disks and networks. Tasks would begin a process each
time where a machine has few cores.
"""
LARGE: Final = 128 << 20
"""Bytes of a file that is handed from step to step. Workers read and write larger ones themselves."""
_REMEDY: Final = "check the address, and RAY_AUTH_MODE and RAY_AUTH_TOKEN, which all machines share"
_STORE: Final = 512 << 20
"""Bytes of the object store where no cluster runs yet."""
_ERRORS: Final[dict[int, type[DiffuseError]]] = {
    one.exit_code: one for one in (PictureError, UsageError, CheckpointError, OutOfMemoryError)
}

Row = dict[str, Any]


class Restoring(Protocol):
    """What a worker restores with. It is pickled."""

    @property
    def encoding(self) -> "Encoding":
        """How results are coded."""

    def steps(self, results: Results, given: Callable[[Path], bytes | None]) -> Steps[Any, Any]:
        """Load the model, and return the work on one picture.

        Args:
            results: where they go.
            given: returns the content of an input's file; None = it is to be read.
        """


@dataclass(frozen=True, kw_only=True, slots=True)
class Spread:
    """What every machine is told.

    Attributes:
        op: the command's name.
        files: the options.
        restoring: what is restored with.
        products: the products of the plan, which its jobs name by number.
        folder: where relative names begin.
        version: of this program.
    """

    op: str
    files: Files
    restoring: Restoring
    products: tuple[Product, ...]
    folder: Path
    version: str = __version__


def check_engine(files: Files, op: str) -> None:
    """Refuse options that the engine does not carry out.

    Raises:
        UsageError: there are such options, or Ray is not installed.
    """
    from importlib.util import find_spec

    if files.engine == "local":
        asked = {
            "address": files.address is not None, "workers": files.workers is not None,
            "worker-cpus": files.worker_cpus != 1, "worker-gpus": files.worker_gpus != 0,
        }  # fmt: skip
        for name, is_given in asked.items():
            if is_given:
                raise UsageError(f"--{name} is for --engine ray; add it, or leave --{name} out")
        return
    if op in ("degrade", "stylize"):
        raise UsageError(f"--engine ray: {op} runs on this machine only; leave the option out")
    for name in ("compare", "report"):
        if getattr(files, name) is not None:
            raise UsageError(f"--engine ray shows no pictures; leave --{name} out")
    if find_spec("ray") is None:
        raise UsageError("--engine ray needs an extra: pip install 'diffuse-cli[ray]'")


def run(
    batch: Batch,
    restoring: Restoring,
    files: Files,
    display: Display,
    on_end: Callable[[End], None],
    is_stopped: Callable[[], bool],
) -> None:
    """Carry out a plan, as `pipeline.run` does, on the machines of a cluster.

    A picture whose worker dies is tried again by another one, and then alone. If that fails, it is told as a failure.

    Args:
        batch: the plan, and its journal.
        restoring: what is restored with.
        files: the options.
        display: where warnings go.
        on_end: gets what became of each picture, in this thread.
        is_stopped: once it returns True, results are taken no more, and the workers are stopped.

    Raises:
        UsageError: the cluster cannot be reached.
    """
    left: dict[int, Job] = {}
    for index, job in enumerate(batch.jobs):
        end = _known(job)
        if end is None:
            left[index] = job
        else:
            on_end(end)
    products = tuple(dict.fromkeys(job.product for job in left.values()))
    spread = Spread(op=batch.op, files=files, restoring=restoring, products=products, folder=Path.cwd())
    if not left:
        return
    with _cluster(files):
        for at_once in (INPUTS_AT_ONCE, 1):
            for row in _rows(spread, left, at_once) if left and not is_stopped() else ():
                _take(json.loads(row["end"]), left, batch, display, on_end)
                if is_stopped():
                    break
    remove_stale(places(job.output for job in batch.jobs))
    for job in () if is_stopped() else list(left.values()):
        what = f"its worker died {TRIES + 1} times while it restored this picture alone; try it with --engine local"
        on_end(End(job=job, status="failed", error=PictureError(f"{job.source_name}: {what}")))


def _known(job: Job) -> End | None:
    """Return what is known of a picture before any machine looks at it."""
    if job.action == "skip" and not job.problem:
        return End(job=job, status="skipped", why=job.why)
    problem = job.problem
    if not problem and may_be_clip(job.source):
        problem = f"{job.source_name}: clips, and pictures from stdin, are restored by --engine local"
    return End(job=job, status="failed", error=PictureError(problem)) if problem else None


def _take(
    told: Mapping[str, Any], left: dict[int, Job], batch: Batch, display: Display, on_end: Callable[[End], None]
) -> None:
    """Note what became of a picture."""
    job = left.pop(told["index"], None)
    for line in told["lines"]:
        display.say(line)
    if job is None:
        return
    facts = {} if told["recipe"] is None else {"recipe": told["recipe"]}
    error = None if told["error"] is None else _ERRORS[told["exit_code"]](told["error"])
    if told["status"] == "done" and batch.journal is not None:
        digest = {} if told["holds_recipe"] else {"output_sha256": told["sha256"]}
        try:
            batch.journal.add("done", job.output, **facts, **digest)
        except OSError as trouble:
            display.say(f"{batch.journal.path}: cannot be written ({trouble.strerror})")
    on_end(End(job=job, status=told["status"], seconds=told["seconds"], why=told["why"], error=error, facts=facts))


# The cluster ---------------------------------------------------------------------------------------------------------


@contextmanager
def _cluster(files: Files) -> Iterator[None]:
    """Be connected to the cluster. Where none is named, start one of this machine alone, and stop it in the end.

    Raises:
        UsageError: it cannot be reached, or does not start.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    import ray

    address = files.address or os.environ.get("RAY_ADDRESS")
    own = {} if address else {"object_store_memory": _STORE, "include_dashboard": False}
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        ray.init(address=address or "local", log_to_driver=False, logging_level="error", **own)
    except Exception as error:  # Ray raises what it likes
        said = " ".join(str(error).split()) or type(error).__name__
        where = f"--address {address}: " if address else ""
        raise UsageError(f"--engine ray: {where}{said}; {_REMEDY if address else 'see /tmp/ray'}") from None
    try:
        for number, handler in handlers.items():  # which Ray replaces
            signal.signal(number, handler)
        with redirect_stdout(_Ours(sys.stdout)):
            yield
    finally:
        with suppress(KeyboardInterrupt):
            ray.shutdown()


class _Ours(io.TextIOBase):
    """stdout for the thread that tells results. What Ray's own threads print goes to stderr."""

    def __init__(self, stdout: TextIO) -> None:
        self.stdout, self.thread = stdout, threading.get_ident()

    def write(self, text: str) -> int:
        ours = threading.get_ident() == self.thread
        return (self.stdout if ours else sys.stderr).write(text)

    def flush(self) -> None:
        self.stdout.flush()


def _workers(files: Files, groups: int) -> int:
    """Return how many workers there are.

    Raises:
        UsageError: the cluster has no GPU, and workers need one.
    """
    import ray

    there = ray.cluster_resources()
    if files.worker_gpus and not there.get("GPU"):
        raise UsageError(f"--worker-gpus {files.worker_gpus:g}: the cluster has no GPU; leave the option out")
    needs = {"CPU": files.worker_cpus, "GPU": files.worker_gpus}
    room = min(int(there.get(what, 0) / needed) for what, needed in needs.items() if needed)
    return min(max(files.workers or room, 1), groups)


def _rows(spread: Spread, left: Mapping[int, Job], at_once: int) -> Iterator[Row]:
    """Yield a row for each result, in the order in which they are written."""
    import ray.data

    for name in ("ray", "ray.data"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.max_errored_blocks = -1  # their pictures are tried alone, and told as failures in the end
    files, inputs = spread.files, _inputs(spread, left)
    blocks = -(-len(inputs) // at_once)
    workers = _workers(files, blocks)
    data = (
        ray.data.from_items(inputs, override_num_blocks=blocks)
        .map(Reader, fn_constructor_args=(spread,), num_cpus=0, concurrency=(1, READERS))
        .map_batches(
            Worker, fn_constructor_args=(spread,), batch_size=at_once, batch_format="numpy",
            concurrency=(1, workers, workers), num_cpus=files.worker_cpus, num_gpus=files.worker_gpus,
            ray_remote_args_fn=lambda: {"max_restarts": -1, "max_task_retries": TRIES},
        )
        .map(Writer, fn_constructor_args=(spread,), num_cpus=0, concurrency=(1, READERS))
    )  # fmt: skip
    try:
        yield from data.iter_rows()
    except ray.exceptions.RayError as error:  # no worker begins at all
        said = str(error).strip().splitlines()
        what = said[-1] if said else type(error).__name__
        raise UsageError(f"--engine ray: {what}; every machine needs the same diffuse-cli and Ray") from None


def _inputs(spread: Spread, left: Mapping[int, Job]) -> list[Row]:
    """Return a row for each input, with all of its results, so that it is read and computed on once."""
    number = {product: k for k, product in enumerate(spread.products)}
    plain = [(index, number[job.product], replace(job, product=PICTURE)) for index, job in left.items()]
    return [{"jobs": pickle.dumps(list(group))} for _, group in groupby(plain, key=lambda one: one[2].source)]


# On the other machines -----------------------------------------------------------------------------------------------


def _enter(folder: Path, paths: Iterable[Path]) -> None:
    """Go to the folder where relative names begin.

    Raises:
        UsageError: it is not on this machine.
    """
    try:
        os.chdir(folder)
    except OSError:
        if not all(isinstance(path, Url) or path.is_absolute() for path in paths):
            raise UsageError(
                f"{folder}: no such folder on {socket.gethostname()}; all machines must share it, or give URLs"
            ) from None


def _fetch(folder: Path, row: Row) -> Row:
    """Read an input's file."""
    source: Path = pickle.loads(row["jobs"])[0][2].source
    data, trouble = b"", ""
    try:
        _enter(folder, [source])
        if isinstance(source, Url) or source.stat().st_size <= LARGE:
            with opened(source) as file:
                data = file.read()
    except OSError as error:
        trouble = f"{source}: cannot be read: {disk_trouble(error)}"
    except DiffuseError as error:
        trouble = str(error)
    return {"jobs": row["jobs"], "data": data, "trouble": trouble}


class Reader:
    """An actor that reads files."""

    def __init__(self, spread: Spread) -> None:
        """Remember what every machine is told."""
        self.spread = spread

    def __call__(self, row: Row) -> Row:
        """Read one."""
        return _fetch(self.spread.folder, row)


class Writer:
    """An actor that writes files."""

    def __init__(self, spread: Spread) -> None:
        """Remember what every machine is told."""
        self.spread = spread

    def __call__(self, row: Row) -> Row:
        """Write one."""
        return _put(self.spread, row)


class _Lines(Display):
    """What is said on another machine, kept for the one that began the batch."""

    def __init__(self, *, quiet: bool) -> None:
        super().__init__(quiet=quiet, total=0)
        self.lines: list[str] = []

    def say(self, line: str) -> None:
        """Keep a line."""
        self.lines.append(line)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Encoded(Results):
    """Results that are kept as bytes.

    Attributes:
        data: the bytes of each output.
        before: the recipes of outputs that are there already, from a try whose worker died after it.
    """

    data: dict[Path, bytes] = field(default_factory=dict)
    before: dict[Path, dict[str, Any]] = field(default_factory=dict)

    def claim(self, job: Job) -> None:
        """Claim nothing: the machine that began the batch gives each picture away once."""

    def let_go(self, job: Job) -> None:
        """Release nothing."""

    def check_still_due(self, job: Job, wanted: Mapping[str, Any]) -> None:
        """Check again what the plan found.

        Raises:
            SkippedError: an earlier try has made it, or it exists and is kept.
            PictureError: there is a file now that must not be overwritten.
        """
        if job.action != "make" or not in_the_way(job.output):
            return
        found = recipe.read(job.output)
        if found is not None and recipe.agrees(found, recipe.plain(wanted)):
            self.before[job.output] = found
            raise SkippedError("made before")
        if self.files.exists == "skip":
            raise SkippedError("exists")
        if holds_recipe(job.output, self.files, self.encoding):
            raise _came_into_being(job)

    def write(self, job: Job, pages: "Iterable[Picture]", made: Mapping[str, Any], encoding: "Encoding") -> None:
        """Keep a result."""
        from ...images.image_io import encode_pages

        def tell(note: str) -> None:
            if not self.files.quiet:
                self.display.say(f"{job.output_name}: {note}")

        self.data[job.output] = encode_pages(pages, job.output, encoding=encoding, tell=tell)


def _came_into_being(job: Job) -> PictureError:
    return PictureError(
        f"{job.output_name}: came into being during the batch, and is not overwritten; run the command again"
    )


class Worker:
    """An actor with a model in its memory."""

    def __init__(self, spread: Spread) -> None:
        """Load the model. What goes wrong is told with each picture.

        Args:
            spread: what every machine is told.
        """
        self.spread = spread
        self.display = _Lines(quiet=spread.files.quiet)
        self.given: dict[Path, bytes] = {}
        self.results = _Encoded(
            batch=Batch(op=spread.op, jobs=[]), files=spread.files, encoding=spread.restoring.encoding,
            display=self.display,
        )  # fmt: skip
        self.trouble: DiffuseError | None = None
        try:
            if spread.version != __version__:
                raise UsageError(
                    f"{socket.gethostname()} has diffuse {__version__}, not {spread.version}; install the same version"
                )
            _enter(spread.folder, ())
            self.steps = spread.restoring.steps(self.results, self.given.get)
        except DiffuseError as error:
            self.trouble = error

    def __call__(self, batch: Mapping[str, Sequence[Any]]) -> Row:
        """Restore some inputs.

        Args:
            batch: their jobs, files, and what went wrong with them, as `_fetch` returns it.

        Returns:
            A row for each result, for `_put`.
        """
        ends: list[End] = []
        indices: dict[int, int] = {}
        jobs: list[Job] = []
        for pickled, data, trouble in zip(batch["jobs"], batch["data"], batch["trouble"], strict=True):
            for index, number, plain in pickle.loads(pickled):
                job = replace(plain, product=self.spread.products[number], problem=str(trouble))
                indices[id(job)] = index
                jobs.append(job)
                if data:
                    self.given[job.source] = data
        if self.trouble is None:
            pipeline.run(jobs, self.steps, ends.append)
        else:
            ends = [End(job=job, status="failed", error=self.trouble) for job in jobs]
        rows = [self._row(indices[id(end.job)], end) for end in ends]
        self.given.clear()
        self.display.lines.clear()
        return {name: [row[name] for row in rows] for name in ("job", "data", "end")}

    def _row(self, index: int, end: End) -> Row:
        """Return what became of a picture, and its file. The first row has what was said."""
        job, data = end.job, self.results.data.pop(end.job.output, b"")
        made = self.results.before.pop(job.output, None)
        status = "done" if made is not None else end.status
        lines, self.display.lines[:] = list(self.display.lines), []
        told = {
            "index": index, "status": status, "seconds": end.seconds, "why": end.why, "lines": lines,
            "recipe": made or end.facts.get("recipe"), "error": None if end.error is None else str(end.error),
            "exit_code": 0 if end.error is None else end.error.exit_code,
            "holds_recipe": made is not None or b"diffuse:recipe" in data, "sha256": "",
        }  # fmt: skip
        row = {"job": pickle.dumps(replace(job, product=PICTURE)), "data": data, "end": json.dumps(told)}
        return {**_put(self.spread, row), "job": row["job"], "data": b""} if len(data) > LARGE else row


def _put(spread: Spread, row: Row) -> Row:
    """Write a result's file. One that is there already with the same bytes is from an earlier try."""
    told = json.loads(row["end"])
    data: bytes = row["data"]
    if not data or told["status"] != "done":
        return {"end": row["end"]}
    job: Job = pickle.loads(row["job"])
    try:
        _enter(spread.folder, [job.output])
        told["sha256"] = hashlib.sha256(data).hexdigest()
        if job.action != "make" or not in_the_way(job.output):
            like = job.source if not isinstance(job.source, Url) and job.source.exists() else None
            keep_times = spread.restoring.encoding.keep_times
            with replaced_whole(job.output, like=like, keep_times=keep_times) as stream:
                stream.write(data)
        elif sha256_of(job.output) != told["sha256"]:
            raise _came_into_being(job)
    except (OSError, DiffuseError) as error:
        said = str(error)
        if isinstance(error, OSError):
            said = f"{job.output_name}: cannot be written: {disk_trouble(error)}"
        told |= {"status": "failed", "error": said, "recipe": None, "exit_code": getattr(error, "exit_code", 1)}
    return {"end": json.dumps(told)}
