"""How the outputs of a batch are called."""

import os
import string
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from ...errors import UsageError
from ...system.urls import Url, absolute, path_of
from .inputs import PIPE, Found
from .same_file import file_key


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


_STDOUT: Final = (str(PIPE), "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1")


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
    times = Counter(file_key(outputs[0]) for outputs in named)
    return [
        # a.png and a.jpg would both become a.webp
        [_target(one, naming, k, whole_name=True) for k in range(naming.samples)]
        if times[file_key(outputs[0])] > 1 and one.path.suffix != naming.suffix_of(one.path)
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


def common_folder(found: Sequence[Found], naming: Naming) -> Path:
    """Return the folder that a batch writes to, or below. It is the same for two runs of one command line."""
    if naming.output is not None and naming.is_folder:
        return absolute(path_of(naming.output))
    if naming.output is not None:
        before = naming.output.split("{")[0]
        return absolute(path_of(os.path.dirname(before) or "."))
    roots = {absolute(one.root) for one in found} or {Path.cwd()}
    return Path(os.path.commonpath([f"/{root}" if isinstance(root, Url) else str(root) for root in roots]))
