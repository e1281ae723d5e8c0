"""What a batch will do, as data: which output each input gets. Knows names, and no pixels."""

import functools
import hashlib
import os
import string
import unicodedata
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import ClassVar, Final, Literal

from ...errors import UsageError
from ...system.files import all_in_the_way, disk_trouble, landing
from ...system.streams import is_pipe, is_stream, is_writable_stream
from ...system.urls import Url, absolute, path_of
from .inputs import PIPE, Found, check_length

OnExists = Literal["fail", "skip", "overwrite", "rename"]
Action = Literal["make", "replace", "skip"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Naming:
    """How outputs are called.

    Attributes:
        output: -o as given. None = `{stem}.{op}{ext}` beside the input.
        op: the command's name.
        suffix: of outputs that are not named one by one. None = the inputs'.
        seed: for `{seed}`.
        samples: outputs per input. Several have their number in their names.
        written_as: suffixes of inputs, in lower case, whose outputs have another one.
        kept: inputs whose outputs keep their suffix nevertheless.
    """

    output: str | None
    op: str
    suffix: str | None = None
    seed: int = 0
    samples: int = 1
    written_as: Mapping[str, str] = field(default_factory=dict)
    kept: Collection[Path] = ()

    @property
    def is_pipe(self) -> bool:
        """Whether results go to stdout."""
        return self.output in _STDOUT

    def suffix_of(self, path: Path) -> str:
        """Return the suffix of an input's output, if nothing names it."""
        if self.suffix is not None:
            return self.suffix
        return path.suffix if path in self.kept else self.written_as.get(path.suffix.lower(), path.suffix)

    @property
    def is_template(self) -> bool:
        """Whether -o is a template: it holds a brace, and is not an existing folder."""
        return self.output is not None and "{" in self.output and not path_of(self.output).is_dir()

    @property
    def is_folder(self) -> bool:
        """Whether -o is a folder: it exists as one, or ends with a slash."""
        if self.output is None or self.is_template:
            return False
        return self.output.endswith(("/", os.sep, os.altsep or os.sep)) or path_of(self.output).is_dir()


class Product:
    """One of the files that a picture becomes.

    Attributes:
        name: the option that asks for it, without dashes. "" = the picture itself.
        suffix: the suffix of its file, if nothing else says it. None = the picture's.
        depth: bits per channel. None = the picture's.
        formats: the formats that can hold it. () = any.
        shown_over: the report lays it over the picture.
    """

    name: ClassVar[str] = ""
    suffix: ClassVar[str | None] = None
    depth: ClassVar[int | None] = None
    formats: ClassVar[tuple[str, ...]] = ()
    shown_over: ClassVar[bool] = False

    @property
    def is_picture(self) -> bool:
        """Whether it is the picture itself, and not something beside it."""
        return not self.name


PICTURE: Final = Product()
MADE_BEFORE: Final = "made before by the same recipe from the same input"
"""Why a job is skipped under --resume."""
Problem = Callable[[Path, Path, Product], str]
"""Returns why a product of an input cannot be written to an output; "" = it can."""
_STDOUT: Final = (str(PIPE), "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1")
_MOST_LINES: Final = 20
"""Problems of a plan that are told. The others are counted."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """One picture to read and one to write.

    Attributes:
        found: the input.
        output: the file that is written.
        sample: the result's number, if an input has several.
        product: what the output shows.
        action: what will be done. "replace" is "make" over a file that exists.
        why: why it is skipped.
        problem: why it will fail, if that is known already.
    """

    found: Found
    output: Path
    sample: int = 0
    product: Product = PICTURE
    action: Action = "make"
    why: str = ""
    problem: str = ""

    @property
    def source(self) -> Path:
        """The input's file."""
        return self.found.path

    @property
    def source_name(self) -> str:
        """The input, as messages call it."""
        return "stdin" if self.source == PIPE else str(self.source)

    @property
    def output_name(self) -> str:
        """The output, as messages call it."""
        return "stdout" if self.output == PIPE else str(self.output)


def plan(
    found: Sequence[Found],
    naming: Naming,
    *,
    on_exists: OnExists = "fail",
    is_made: Callable[[Job], bool] | None = None,
    problem: Problem = lambda _source, _output, _product: "",
    inputs: Sequence[Path] = (),
    product: Product = PICTURE,
    beside: Mapping[Product, Naming] = MappingProxyType({}),
    part: tuple[int, int] = (1, 1),
) -> list[Job]:
    """Plan what is read and written.

    Args:
        found: the inputs.
        naming: how outputs are called.
        on_exists: what happens if an output exists.
        is_made: tells whether an existing output is what its job would make. Such jobs are skipped. None = ask nothing.
        problem: tells why that product of that input cannot be written to that output. "" = it can.
        inputs: further files that must not be overwritten.
        product: what each input becomes.
        beside: what it becomes besides, and how that is named. It comes after the pictures.
        part: (i, n): the i-th of n parts is planned. Outputs of other parts may appear meanwhile.

    Raises:
        UsageError: an input is missing, two outputs have one name, an output is an input or exists under "fail", or a
            folder cannot be written. All of it is told at once. Problems of files that were found in a folder or a
            list are in their jobs instead.
    """
    names = {product: naming, **beside}
    jobs = _jobs(found, names, problem)
    missing = {one.path: line for one in found if (line := _missing(one))}
    own = [job for job in jobs if job.source not in missing and not _fails_alone(job, names[job.product])]
    lines = [*missing.values(), *(job.problem for job in own if job.problem)]
    piped, jobs = [job for job in jobs if job.output == PIPE], [job for job in jobs if job.output != PIPE]
    with _noting(lines):
        check_collisions(jobs)
    sources = [*(one.path for one in found if one.path != PIPE), *inputs]
    not_free = dict(_not_free([job.output for job in jobs if not job.problem], sources))
    lines += not_free.values()
    piped, jobs = shard(piped, *part), shard([job for job in jobs if job.output not in not_free], *part)
    with _noting(lines):
        jobs = _settle(jobs, on_exists, is_made)
    with _noting(lines):
        check_folders(job.output for job in jobs if job.action != "skip" and not job.problem)
    refuse(lines)
    return piped + jobs


@contextmanager
def _noting(lines: list[str]) -> Iterator[None]:
    """Note what a check refuses, so that the other checks are made as well."""
    try:
        yield
    except UsageError as error:
        lines += map(str, error.args)


def refuse(lines: Iterable[str]) -> None:
    """Refuse to go on, if there are problems.

    Args:
        lines: what is wrong. What is said twice is told once.

    Raises:
        UsageError: there are any.
    """
    told = list(dict.fromkeys(lines))
    more = [f"and {len(told) - _MOST_LINES} more problems"] if len(told) > _MOST_LINES else []
    if told:
        raise UsageError(*told[:_MOST_LINES], *more)


def _jobs(found: Sequence[Found], names: Mapping[Product, Naming], problem: Problem) -> list[Job]:
    """Return an input's pictures, then what is written beside them, then the next input's."""
    for product, naming in names.items():
        if naming.is_pipe and not product.is_picture:
            raise UsageError(f"--{product.name} -: only pictures go to stdout; name a file")
    outputs = {product: targets(found, naming) for product, naming in names.items()}
    return [
        Job(found=one, output=target, sample=k, product=product, problem=_problem(one.path, target, product, problem))
        for number, one in enumerate(found)
        for product in names
        for k, target in enumerate(outputs[product][number])
    ]


def _problem(source: Path, output: Path, product: Product, problem: Problem) -> str:
    """Return why an output cannot be written. "" = nothing is known against it."""
    try:
        check_length(output)
    except UsageError as error:
        return str(error)
    return problem(source, output, product)


def _fails_alone(job: Job, naming: Naming) -> bool:
    """Return whether a problem is the file's own: a folder or a list led to it, and its output is named after it."""
    own = naming.suffix is None and job.output.suffix == naming.suffix_of(job.source)
    return job.found.listed or (job.found.scanned and own)


# Names ---------------------------------------------------------------------------------------------------------------


def folder_for(output: str | None, found: Sequence[Found], samples: int = 1) -> str | None:
    """Return -o, or another such option, with a slash if it must be a folder: it has no suffix, and is for several.

    Args:
        output: what the option was given.
        found: the inputs. What a folder or a list led to counts as several.
        samples: outputs per input.
    """
    several = len(found) * samples > 1 or any(one.scanned or one.listed for one in found)
    if output is None or not several or output in _STDOUT or "{" in output or os.path.lexists(output):
        return output
    return output if Path(output).suffix or output.endswith(("/", os.sep)) else f"{output}/"


def targets(found: Sequence[Found], naming: Naming) -> list[list[Path]]:
    """Return the outputs of each input.

    Raises:
        UsageError: several outputs have one name, or an output has no name.
    """
    output = naming.output
    if naming.is_pipe or (output is None and [one.path for one in found] == [PIPE]):
        if len(found) * naming.samples > 1:
            raise UsageError(
                f"-o -: only one picture goes to stdout; {_fewer(found, naming)}, or give a folder (-o DIR/)"
            )
        return [[PIPE]]
    if output is not None and not naming.is_template and not naming.is_folder:
        if len(found) * naming.samples > 1:
            many = f"{len(found)} inputs" if len(found) > 1 else f"{naming.samples} pictures"
            raise UsageError(f"{output}: one output file for {many}; give a folder ({output}/) or a template")
        return [[path_of(output)]]
    if any(one.path == PIPE for one in found) and not naming.is_template:
        raise UsageError(f"{output}: a picture from stdin has no name; name the output file")
    named = [[_target(one, naming, k) for k in range(naming.samples)] for one in found]
    if naming.is_template:
        return named
    times = Counter(_key(outputs[0]) for outputs in named)
    return [
        # a.png and a.jpg would both become a.webp
        [_target(one, naming, k, whole_name=True) for k in range(naming.samples)]
        if times[_key(outputs[0])] > 1 and one.path.suffix != naming.suffix_of(one.path)
        else outputs
        for one, outputs in zip(found, named, strict=True)
    ]


def _fewer(found: Sequence[Found], naming: Naming) -> str:
    """Return the remedy for too many pictures."""
    return "name one input" if len(found) > 1 else f"--average makes one of {naming.samples} samples"


def _target(found: Found, naming: Naming, k: int, *, whole_name: bool = False) -> Path:
    """Return the k-th output of an input, named after its stem, or after its whole name."""
    suffix = naming.suffix_of(found.path)
    number = f".{k}" if naming.samples > 1 else ""
    if naming.output is None:
        stem = found.path.name if whole_name else found.path.stem
        return found.path.with_name(f"{stem}.{naming.op}{number}{suffix}")
    if naming.is_folder:
        stem = found.below.name if whole_name else found.below.stem
        return path_of(naming.output) / found.below.with_name(f"{stem}{number}{suffix}")
    values = {
        "dir": str(found.path.parent), "stem": found.path.stem, "ext": suffix, "op": naming.op, "seed": naming.seed,
        "k": k,
    }  # fmt: skip
    template = naming.output + ("{stem}{ext}" if naming.output.endswith(("/", os.sep)) else "")
    path = path_of(filled(template, values, "-o"))
    return path if "{k}" in template else path.with_name(f"{path.stem}{number}{path.suffix}")


def filled(template: str, values: dict[str, object], option: str) -> str:
    """Return a template with its fields filled in. `{{` is a brace. `.{ext}` and `{ext}` are the same.

    Args:
        template: what the option was given.
        values: the fields.
        option: the option, for messages.

    Raises:
        UsageError: there is an unknown field, or a brace without its other half.
    """
    try:
        parts = list(string.Formatter().parse(template))
        for _, name, form, conversion in parts:
            if name is not None and (name not in values or form or conversion):
                known = " ".join(f"{{{key}}}" for key in values)
                raise UsageError(f"{option} {template}: {{{name}}} is not a field; use {known}, or {{{{ for a brace")
    except ValueError as error:
        raise UsageError(f"{option} {template}: {error}; write {{{{ for a brace") from None
    return "".join(text + ("" if name is None else _value(name, values, text)) for text, name, _, _ in parts)


def _value(name: str, values: dict[str, object], before: str) -> str:
    value = str(values[name])
    return value.removeprefix(".") if name == "ext" and before.endswith(".") else value


# What is refused -----------------------------------------------------------------------------------------------------


def check_inputs(found: Iterable[Found]) -> None:
    """Refuse inputs that do not exist, except for files of folders and lists, which fail one by one.

    Raises:
        UsageError: there is no such file, or it is a folder or a device.
    """
    refuse(filter(None, map(_missing, found)))


def _missing(found: Found) -> str:
    """Return why an input that was named cannot be read. "" = it may well be."""
    path = found.path
    if path == PIPE or found.listed or found.scanned:
        return ""
    try:
        check_length(path)
    except UsageError as error:
        return str(error)
    if path.is_dir():
        return f"{path}: is a folder; name the pictures in it"
    if not path.exists():
        return f"{path}: no such file; check the name"
    if is_stream(path) and not is_pipe(path):
        return f"{path}: is a device or a socket, not a picture; name a file or a pipe, or - for stdin"
    return ""


def check_collisions(jobs: Iterable[Job]) -> None:
    """Refuse two outputs of one name, or of names that differ only in case: on some file systems one would be lost.

    Raises:
        UsageError: there are two.
    """
    seen: dict[str, Path] = {}
    lines = []
    for job in jobs:
        key = _key(job.output)
        if key not in seen:
            seen[key] = job.source
        elif seen[key] == job.source:
            lines.append(f"{job.output}: would be written twice from {job.source}; give each result its own name")
        else:
            lines.append(
                f"{job.output}: would be written from both {seen[key]} and {job.source}; "
                f"{_apart(seen[key], job.source)}"
            )
    refuse(lines)


def _apart(one: Path, other: Path) -> str:
    """Return how the outputs of two inputs are kept apart."""
    if one.stem == other.stem and one.suffix != other.suffix:
        return "give a folder, like -o out/, where they are kept apart"
    return "use -r to keep folders apart, or a template like -o 'out/{dir}/{stem}{ext}'"


def check_free(outputs: Sequence[Path], inputs: Sequence[Path]) -> None:
    """Refuse outputs that are folders or inputs.

    Args:
        outputs: the files to write.
        inputs: the files that are read.

    Raises:
        UsageError: one is a folder, an input, a disk, or a link that leads in a circle.
    """
    refuse(line for _, line in _not_free(outputs, inputs))


_OVERWRITTEN: Final = "{}: is an input, which is never overwritten; choose another output"


def _not_free(outputs: Sequence[Path], inputs: Sequence[Path]) -> Iterator[tuple[Path, str]]:
    """Yield the outputs that `check_free` refuses, and why."""
    sources = {identity for path in inputs if (identity := _identity(path)) is not None}
    names = {_key(path) for path in inputs}
    for path in outputs:
        if isinstance(path, Url):  # a store has no links, and may hold a file and a folder of one name
            if _key(path) in names:
                yield path, _OVERWRITTEN.format(path)
            continue
        try:
            check_length(path)
            landing(path)
        except UsageError as error:
            yield path, str(error)
            continue
        except OSError as error:
            yield path, f"{path}: {disk_trouble(error)}"
            continue
        if path.is_dir():
            yield path, f"{path}: is a folder; give a file name, or {path}/ for files in it"
        elif is_stream(path) and not is_writable_stream(path):
            yield path, f"{path}: is a disk or a socket, not a file; choose another output"
        # The same name in another case is the same file where the picture may be copied to, if not here.
        elif _key(path) in names or ((identity := _identity(path)) is not None and identity in sources):
            yield path, _OVERWRITTEN.format(path)


def check_outputs(outputs: Sequence[Path], *, force: bool, inputs: Sequence[Path] = ()) -> None:
    """Refuse outputs that would overwrite something, or that cannot be written.

    Args:
        outputs: the files to write.
        force: files that exist may be overwritten.
        inputs: files that may not.

    Raises:
        UsageError: there is such an output.
    """
    check_free(outputs, inputs)
    refuse_existing(_existing(outputs) if not force else [], "use -f to overwrite it")
    check_folders(outputs)


def refuse_existing(
    paths: Collection[Path], choices: str = "use -f to overwrite, --on-exists skip to keep it, or --resume to go on"
) -> None:
    """Refuse to overwrite these.

    Args:
        paths: files that exist.
        choices: what the command offers instead.

    Raises:
        UsageError: there are any.
    """
    if paths:
        more = f", and {len(paths) - 1} more outputs exist" if len(paths) > 1 else ""
        raise UsageError(f"{min(paths)}: exists{more}; {choices}")


def _settle(jobs: Sequence[Job], on_exists: OnExists, is_made: Callable[[Job], bool] | None) -> list[Job]:
    """Decide what is done about outputs that exist."""
    settled: list[Job] = []
    existing: list[Path] = []
    taken = {_key(job.output) for job in jobs}
    there = _existing([job.output for job in jobs if not job.problem])
    for job in jobs:
        if job.output not in there:
            settled.append(job)
        elif is_made is not None and is_made(job):
            settled.append(replace(job, action="skip", why=MADE_BEFORE))
        elif on_exists == "fail":
            existing.append(job.output)
        elif on_exists == "skip":
            settled.append(replace(job, action="skip", why="exists"))
        elif on_exists == "overwrite":
            settled.append(replace(job, action="replace"))
        else:
            settled.append(replace(job, output=_free_name(job.output, taken)))
    refuse_existing(existing)
    return settled


def _existing(outputs: Sequence[Path]) -> set[Path]:
    """Return the outputs that exist.

    Raises:
        UsageError: a store cannot be asked.
    """
    try:
        return all_in_the_way(outputs)
    except OSError as error:
        raise UsageError(f"{error.filename}: {disk_trouble(error)}") from None


def _free_name(path: Path, taken: set[str]) -> Path:
    """Return the first of name.1.png, name.2.png, ... that is free."""
    number = 1
    while True:
        free = path.with_name(f"{path.stem}.{number}{path.suffix}")
        if _key(free) not in taken and not (free.exists() if isinstance(free, Url) else os.path.lexists(free)):
            taken.add(_key(free))
            return free
        number += 1


def check_folders(outputs: Iterable[Path]) -> None:
    """Refuse folders, pipes and devices that cannot be written to. Missing folders are made when a file is written.

    Args:
        outputs: the files to write. Links in a circle are left to `check_free`.

    Raises:
        UsageError: there is one.
    """
    refuse(filter(None, map(_unwritable, sorted(one for one in places(outputs) if not isinstance(one, Url)))))


def places(outputs: Iterable[Path]) -> set[Path]:
    """Return what is written to: the folders of files, of links where they lead, and pipes and devices themselves.

    Args:
        outputs: the files to write. A link that leads in a circle has no place.
    """
    found = set()
    for path in outputs:
        with suppress(OSError):
            found.add(path if is_stream(path) else landing(path).parent)
    return found


def _unwritable(place: Path) -> str:
    there = place
    while not os.path.lexists(there):
        there = there.parent
    if not there.is_dir() and not is_stream(there):
        return f"{there}: is a file, not a folder; choose another output"
    if not os.access(there, os.W_OK | (os.X_OK if there.is_dir() else 0)):
        return f"{there}: cannot be written to; choose another output"
    return ""


def _key(path: Path) -> str:
    """Return a key that is the same for names which are one file on some file system. A link is where it leads."""
    with suppress(OSError):
        path = landing(path)
    return unicodedata.normalize("NFC", str(_resolved(path.parent) / path.name)).casefold()


@functools.lru_cache(maxsize=4096)
def _resolved(folder: Path) -> Path:
    return folder.resolve()


def _identity(path: Path) -> tuple[int, int] | None:
    if isinstance(path, Url):  # which has one name
        return None
    try:
        info = path.stat()
    except OSError:
        return None
    return info.st_dev, info.st_ino


# Parts and places ----------------------------------------------------------------------------------------------------


def shard_of(text: str) -> tuple[int, int]:
    """Return i/n as (i, n).

    Raises:
        UsageError: the text is something else, or i is not in 1 .. n.
    """
    first, _, second = text.partition("/")
    if not (first.isdecimal() and second.isdecimal() and 1 <= int(first) <= int(second)):
        raise UsageError(f"--shard {text}: not a part of a batch; give i/n with i from 1 to n, like 2/8")
    return int(first), int(second)


def shard(jobs: Iterable[Job], i: int, n: int) -> list[Job]:
    """Return the i-th of n parts of a plan, i from 1.

    A job's part depends only on its name below the folder where it was found. So it is the same on every machine,
    whatever is added or finished meanwhile.

    Args:
        jobs: the plan.
        i: the number of the part.
        n: how many parts there are.
    """
    return [job for job in jobs if is_in_part(job.found, i, n)]


def is_in_part(found: Found, i: int, n: int) -> bool:
    """Return whether a picture belongs to the i-th of n parts, i from 1."""
    return int.from_bytes(hashlib.sha256(os.fsencode(found.below)).digest()[:8], "big") % n == i - 1


def place(found: Sequence[Found], naming: Naming) -> Path:
    """Return the folder that a batch writes to, or below. It is the same for two runs of one command line."""
    if naming.output is not None and naming.is_folder:
        return absolute(path_of(naming.output))
    if naming.output is not None:
        before = naming.output.split("{")[0]
        return absolute(path_of(os.path.dirname(before) or "."))
    roots = {absolute(one.root) for one in found} or {Path.cwd()}
    return Path(os.path.commonpath([f"/{root}" if isinstance(root, Url) else str(root) for root in roots]))
