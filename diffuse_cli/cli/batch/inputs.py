"""Which pictures are meant: files, folders, globs, lists. Knows names, opens no picture."""

import errno
import glob
import os
import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from ...errors import UsageError
from ...system.files import shown

PIPE: Final = Path("-")
"""stdin among the inputs, stdout as an output."""

_MAGIC = re.compile(r"[*?[]")


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """A picture that is meant.

    Attributes:
        path: the file.
        below: its name in an output folder, with the folders that are kept.
        root: the folder that it was looked for in.
        scanned: a folder or a glob led to it; it was not named itself.
        listed: its name stood in a list; that it is missing is its own problem, not the batch's.
    """

    path: Path
    below: Path
    root: Path
    scanned: bool = False
    listed: bool = False


@dataclass(kw_only=True, slots=True)
class Findings:
    """What a search has led to.

    Attributes:
        found: in a fixed order.
        skipped: how many names were left out, by reason.
    """

    found: list[Found] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)


def find(
    names: Sequence[Path], *, suffixes: Collection[str], recursive: bool = False, listed: Sequence[Path] = ()
) -> Findings:
    """The pictures that are meant.

    Args:
        names: files, folders, globs (a path that exists is no glob), or `-` alone.
        suffixes: what a folder's pictures are told by, in small letters.
        recursive: all pictures below a folder, whose tree is kept; else its own.
        listed: further files, from a list; relative names keep their folders.
    Raises: UsageError: nothing is named, or what is named is not there; `-` beside others.
    """
    if PIPE in names and (len(names) > 1 or listed):
        raise UsageError("-: is one picture from stdin, and goes with no other input; name files, or leave them out")
    search = _Search(suffixes=frozenset(suffixes), recursive=recursive)
    for name in names:
        search.named(name)
    for path in listed:
        search.add(Found(path=path, below=_kept(path), root=path.parent, listed=True))
    return search.findings


def read_list(data: bytes, *, null: bool) -> list[Path]:
    """The names in a list: one a line, or each ended by a NUL, as `find -print0` does."""
    parts = data.split(b"\0") if null else [line.rstrip(b"\r") for line in data.split(b"\n")]
    return [Path(os.fsdecode(part)) for part in parts if part]


def _kept(path: Path) -> Path:
    """The name of a listed file below an output folder: as it stands, or from the root where it leads upwards."""
    if path.is_absolute() or ".." in path.parts:
        path = Path(os.path.abspath(path))
        return path.relative_to(path.anchor)
    return path


def check_length(path: Path) -> None:
    """Refuse a name that no file can have.

    Raises: UsageError: the file system takes none that long.
    """
    try:
        path.lstat()
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            raise UsageError(f"{path}: the name is too long; choose a shorter one") from None


class _Search:
    """Names on their way to pictures."""

    def __init__(self, *, suffixes: frozenset[str], recursive: bool) -> None:
        self.suffixes, self.recursive = suffixes, recursive
        self.findings = Findings()
        self.seen: set[str] = set()

    def named(self, name: Path) -> None:
        """A name of the command line."""
        check_length(name)
        if name == PIPE:
            self.add(Found(path=name, below=name, root=Path()))
        elif name.is_dir():
            self.folder(name)
        elif os.path.lexists(name) or not _MAGIC.search(str(name)):
            self.add(Found(path=name, below=Path(name.name), root=name.parent))
        else:
            self.pattern(name)

    def add(self, found: Found) -> None:
        """A scan leaves out what it or a name has led to before; naming a file twice is for the plan to refuse."""
        key = os.path.abspath(found.path)
        if not (found.scanned and key in self.seen):
            self.seen.add(key)
            self.findings.found.append(found)

    def folder(self, folder: Path) -> None:
        before = len(self.findings.found)
        count = self.scan(folder, folder)
        if count == 0 and len(self.findings.found) == before:
            hint = "" if self.recursive else "; -r looks in the folders below, too"
            raise UsageError(f"{shown(folder)}: there is no picture in this folder{hint}")

    def pattern(self, pattern: Path) -> None:
        fixed = Path(*_fixed_parts(pattern))
        matches = sorted(glob.glob(str(pattern), recursive=True))
        if not matches:
            raise UsageError(f"{shown(pattern)}: no such file, and no name is like that")
        count = 0
        for match in map(Path, matches):
            if not match.is_dir():
                count += self.candidate(match, fixed)
            elif self.recursive:
                count += self.scan(match, fixed)
        if count == 0:
            raise UsageError(f"{shown(pattern)}: no picture has a name like that")

    def scan(self, folder: Path, root: Path, above: frozenset[tuple[int, int]] = frozenset()) -> int:
        """How many pictures lie in a folder, by their suffixes."""
        try:
            info = folder.stat()
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError as error:
            raise UsageError(f"{shown(folder)}: cannot be searched: {error.strerror}") from None
        here = above | {(info.st_dev, info.st_ino)}
        count = 0
        for entry in entries:
            path = folder / entry.name
            if entry.is_dir():
                count += self._below(path, root, here)
            else:
                count += self.candidate(path, root)
        return count

    def _below(self, folder: Path, root: Path, above: frozenset[tuple[int, int]]) -> int:
        if not self.recursive:
            return 0
        if folder.name.startswith("."):
            self.findings.skipped["hidden"] += 1
            return 0
        info = folder.stat()
        if (info.st_dev, info.st_ino) in above:
            self.findings.skipped["circular links"] += 1
            return 0
        return self.scan(folder, root, above)

    def candidate(self, path: Path, root: Path) -> bool:
        """A file that a scan has led to: whether it is a picture, by its name."""
        if path.name.startswith("."):
            self.findings.skipped["hidden"] += 1
        elif path.suffix.lower() not in self.suffixes:
            self.findings.skipped["not pictures"] += 1
        else:
            below = path.relative_to(root) if self.recursive else Path(path.name)
            self.add(Found(path=path, below=below, root=root, scanned=True))
            return True
        return False


def _fixed_parts(pattern: Path) -> Iterator[str]:
    """The folders of a glob before its first wildcard."""
    for part in pattern.parts[:-1]:
        if _MAGIC.search(part):
            return
        yield part
