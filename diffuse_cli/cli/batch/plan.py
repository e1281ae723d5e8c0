"""What a batch will do, as data: which output each input gets. Knows names, and no pixels."""

import functools
import hashlib
import os
import string
import unicodedata
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import ClassVar, Final, Literal

from ...errors import UsageError
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
    """

    output: str | None
    op: str
    suffix: str | None = None
    seed: int = 0
    samples: int = 1

    @property
    def is_pipe(self) -> bool:
        """Whether results go to stdout."""
        return self.output == str(PIPE)

    @property
    def is_template(self) -> bool:
        """Whether -o is a template: it holds a brace, and is not an existing folder."""
        return self.output is not None and "{" in self.output and not Path(self.output).is_dir()

    @property
    def is_folder(self) -> bool:
        """Whether -o is a folder: it exists as one, or ends with a slash."""
        if self.output is None or self.is_template:
            return False
        return self.output.endswith(("/", os.sep, os.altsep or os.sep)) or Path(self.output).is_dir()


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


def plan(
    found: Sequence[Found],
    naming: Naming,
    *,
    on_exists: OnExists = "fail",
    is_made: Callable[[Job], bool] | None = None,
    problem: Callable[[Path, Product], str] = lambda _output, _product: "",
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
        problem: tells why that product cannot be written to that output. "" = it can.
        inputs: further files that must not be overwritten.
        product: what each input becomes.
        beside: what it becomes besides, and how that is named. It comes after the pictures.
        part: (i, n): the i-th of n parts is planned. Outputs of other parts may appear meanwhile.

    Raises:
        UsageError: an input is missing, two outputs have one name, an output is an input or exists under "fail", or a
            folder is missing or cannot be written. Problems of listed files are in their jobs instead.
    """
    check_inputs(found)
    names = {product: naming, **beside}
    jobs = _jobs(found, names, problem)
    piped, jobs = [job for job in jobs if job.output == PIPE], [job for job in jobs if job.output != PIPE]
    check_collisions(jobs)
    check_free([job.output for job in jobs], [*(one.path for one in found if one.path != PIPE), *inputs])
    piped, jobs = shard(piped, *part), _settle(shard(jobs, *part), on_exists, is_made)
    for one, own in names.items():
        check_folders(
            [job.output for job in jobs if job.action != "skip" and job.product is one],
            may_create=own.is_folder or own.is_template,
        )
    return piped + jobs


def _jobs(
    found: Sequence[Found], names: Mapping[Product, Naming], problem: Callable[[Path, Product], str]
) -> list[Job]:
    """Return an input's pictures, then what is written beside them, then the next input's."""
    for product, naming in names.items():
        if naming.is_pipe and not product.is_picture:
            raise UsageError(f"--{product.name} -: only pictures go to stdout; name a file")
    outputs = {product: targets(found, naming) for product, naming in names.items()}
    return [
        Job(found=one, output=target, sample=k, product=product, problem=_problem(one, target, product, problem))
        for number, one in enumerate(found)
        for product in names
        for k, target in enumerate(outputs[product][number])
    ]


def _problem(found: Found, output: Path, product: Product, problem: Callable[[Path, Product], str]) -> str:
    """Return the problem of a listed file, which fails alone. Refuse what the command line names."""
    if text := problem(output, product):
        if not found.listed:
            raise UsageError(text)
        return text
    return ""


# Names ---------------------------------------------------------------------------------------------------------------


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
        return [[Path(output)]]
    if any(one.path == PIPE for one in found) and not naming.is_template:
        raise UsageError(f"{output}: a picture from stdin has no name; name the output file")
    return [[_target(one, naming, k) for k in range(naming.samples)] for one in found]


def _fewer(found: Sequence[Found], naming: Naming) -> str:
    """Return the remedy for too many pictures."""
    return "name one input" if len(found) > 1 else f"--average makes one of {naming.samples} samples"


def _target(found: Found, naming: Naming, k: int) -> Path:
    suffix = found.path.suffix if naming.suffix is None else naming.suffix
    number = f".{k}" if naming.samples > 1 else ""
    if naming.output is None:
        return found.path.with_name(f"{found.path.stem}.{naming.op}{number}{suffix}")
    if naming.is_folder:
        return Path(naming.output) / found.below.with_name(f"{found.below.stem}{number}{suffix}")
    values = {
        "dir": str(found.path.parent), "stem": found.path.stem, "ext": suffix, "op": naming.op, "seed": naming.seed,
        "k": k,
    }  # fmt: skip
    template = naming.output + ("{stem}{ext}" if naming.output.endswith(("/", os.sep)) else "")
    path = Path(filled(template, values, "-o"))
    return path if "{k}" in template else path.with_name(f"{path.stem}{number}{path.suffix}")


def filled(template: str, values: dict[str, object], option: str) -> str:
    """Return a template with its fields filled in. `{{` is a brace.

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
    return "".join(text + ("" if name is None else str(values[name])) for text, name, _, _ in parts)


# What is refused -----------------------------------------------------------------------------------------------------


def check_inputs(found: Iterable[Found]) -> None:
    """Refuse inputs that do not exist, except for listed files, which fail one by one.

    Raises:
        UsageError: there is no such file, or it is a folder.
    """
    for one in found:
        if one.listed or one.path == PIPE:
            continue
        check_length(one.path)
        if one.path.is_dir():
            raise UsageError(f"{one.path}: is a folder; name the pictures in it")
        if not one.path.exists():
            raise UsageError(f"{one.path}: no such file; check the name")


def check_collisions(jobs: Iterable[Job]) -> None:
    """Refuse two outputs of one name, or of names that differ only in case: on some file systems one would be lost.

    Raises:
        UsageError: there are two.
    """
    seen: dict[str, Path] = {}
    for job in jobs:
        key = _key(job.output)
        if key in seen and seen[key] == job.source:
            raise UsageError(f"{job.output}: would be written twice from {job.source}; give each result its own name")
        if key in seen:
            raise UsageError(
                f"{job.output}: would be written from both {seen[key]} and {job.source}; use -r to keep folders "
                "apart, or a template like -o 'out/{stem}{ext}'"
            )
        seen[key] = job.source


def check_free(outputs: Sequence[Path], inputs: Sequence[Path]) -> None:
    """Refuse outputs that are folders or inputs.

    Args:
        outputs: the files to write.
        inputs: the files that are read.

    Raises:
        UsageError: one is a folder or an input.
    """
    sources = {identity for path in inputs if (identity := _identity(path)) is not None}
    names = {_key(path) for path in inputs}
    for path in outputs:
        check_length(path)
        if path.is_dir():
            raise UsageError(f"{path}: is a folder; give a file name, or {path}/ for files in it")
        # The same name in another case is the same file where the picture may be copied to, if not here.
        if _key(path) in names or ((identity := _identity(path)) is not None and identity in sources):
            raise UsageError(f"{path}: is an input, which is never overwritten; choose another output")


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
    refuse_existing([path for path in outputs if os.path.lexists(path)] if not force else [], "use -f to overwrite it")
    check_folders(outputs, may_create=False)


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
    settled, in_the_way = [], []
    taken = {_key(job.output) for job in jobs}
    for job in jobs:
        if job.problem or not os.path.lexists(job.output):
            settled.append(job)
        elif is_made is not None and is_made(job):
            settled.append(replace(job, action="skip", why="made before by the same recipe from the same input"))
        elif on_exists == "fail":
            in_the_way.append(job.output)
        elif on_exists == "skip":
            settled.append(replace(job, action="skip", why="exists"))
        elif on_exists == "overwrite":
            settled.append(replace(job, action="replace"))
        else:
            settled.append(replace(job, output=_free_name(job.output, taken)))
    refuse_existing(in_the_way)
    return settled


def _free_name(path: Path, taken: set[str]) -> Path:
    """Return the first of name.1.png, name.2.png, ... that is free."""
    number = 1
    while True:
        free = path.with_name(f"{path.stem}.{number}{path.suffix}")
        if _key(free) not in taken and not os.path.lexists(free):
            taken.add(_key(free))
            return free
        number += 1


def check_folders(outputs: Iterable[Path], *, may_create: bool) -> None:
    """Refuse folders that are missing and may not be created, or that cannot be written.

    Args:
        outputs: the files to write.
        may_create: folders may be created.

    Raises:
        UsageError: there is such a folder.
    """
    for folder in sorted({path.parent for path in outputs}):
        there = folder
        while may_create and not os.path.lexists(there):
            there = there.parent
        if not there.is_dir():
            if os.path.lexists(there):
                raise UsageError(f"{there}: is a file, not a folder; choose another output")
            raise UsageError(f"{folder}: no such folder; create it, or end the output with a slash")
        if not os.access(there, os.W_OK | os.X_OK):
            raise UsageError(f"{there}: cannot be written to; choose another output")


def make_folders(jobs: Iterable[Job]) -> None:
    """Create the folders of the outputs.

    Raises:
        UsageError: a folder cannot be created.
    """
    for folder in sorted({job.output.parent for job in jobs if job.action != "skip" and not job.problem}):
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(
                f"{folder}: the folder cannot be created ({error.strerror}); choose another output"
            ) from None


def _key(path: Path) -> str:
    """Return a key that is the same for names which are one file on some file system."""
    return unicodedata.normalize("NFC", str(_resolved(path.parent) / path.name)).casefold()


@functools.lru_cache(maxsize=4096)
def _resolved(folder: Path) -> Path:
    return folder.resolve()


def _identity(path: Path) -> tuple[int, int] | None:
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
        return Path(os.path.abspath(naming.output))
    if naming.output is not None:
        before = naming.output.split("{")[0]
        return Path(os.path.abspath(os.path.dirname(before) or "."))
    return Path(os.path.commonpath([os.path.abspath(one.root) for one in found] or [os.getcwd()]))


_SKIPPED: Final = {
    "not pictures": ("file that is not a picture", "files that are not pictures"),
    "hidden": ("hidden file", "hidden files"),
    "circular links": ("link that leads in a circle", "links that lead in a circle"),
    "own results": ("result of this command", "results of this command"),
}


def shown_skips(skipped: Mapping[str, int]) -> str:
    """Return what a scan left out, in words."""
    return ", ".join(f"{count} {_SKIPPED[reason][count > 1]}" for reason, count in sorted(skipped.items()))
