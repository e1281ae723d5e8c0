"""Which pictures are meant: files, folders, globs, lists. Knows names, and opens no picture."""

import codecs
import errno
import glob
import os
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from ...errors import UsageError
from ...system.files import disk_trouble, shown
from ...system.urls import Url, absolute, matching, path_of
from ...system.urls import below as files_below

PIPE: Final = Path("-")
"""stdin among the inputs, stdout as an output."""
_STDIN: Final = (PIPE, Path("/dev/stdin"), Path("/dev/fd/0"), Path("/proc/self/fd/0"))

_MAGIC = re.compile(r"[*?[]")


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """A picture that is meant.

    Attributes:
        path: the file.
        below: its name in an output folder, with the folders that are kept.
        root: the folder that was searched.
        scanned: a folder or a glob led to it. It was not named itself.
        listed: its name is from a list. If it is missing, only it fails.
    """

    path: Path
    below: Path
    root: Path
    scanned: bool = False
    listed: bool = False


@dataclass(kw_only=True, slots=True)
class Findings:
    """The result of a search.

    Attributes:
        found: the pictures, in a fixed order.
        skipped: the files that were left out, by reason.
    """

    found: list[Found] = field(default_factory=list)
    skipped: defaultdict[str, list[Path]] = field(default_factory=lambda: defaultdict(list))


def find(
    names: Sequence[Path], *, suffixes: Collection[str], recursive: bool = False, listed: Sequence[Path] = ()
) -> Findings:
    """Find the pictures that are meant.

    Args:
        names: files, folders, globs (a path that exists is not a glob), URLs of these, or `-` alone.
        suffixes: the suffixes of pictures in folders, in lower case.
        recursive: take all pictures below a folder, and keep the tree. Else only those in it.
        listed: further files, from a list. Relative names keep their folders.

    Raises:
        UsageError: what is named does not exist, or holds no picture, or `-` is not alone.
    """
    names = [PIPE if name in _STDIN else path_of(name) for name in names]
    if PIPE in names and (len(names) > 1 or listed):
        raise UsageError("-: one picture from stdin cannot be mixed with other inputs; leave one of them out")
    search = _Search(suffixes=frozenset(suffixes), recursive=recursive)
    for name in names:
        search.named(name)
    for path in listed:
        search.add(Found(path=path, below=_kept(path), root=path.parent, listed=True))
    return search.findings


def read_list(data: bytes, *, null: bool) -> list[Path]:
    """Return the names in a list: one a line, or each ended by a NUL, as `find -print0` writes them.

    A mark of UTF-8 or UTF-16 at the beginning, which Windows' programs write, belongs to no name.

    Raises:
        UsageError: the names end with NUL, and `null` does not say so.
    """
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        data = data.decode("utf-16", "replace").encode()
    data = data.removeprefix(codecs.BOM_UTF8)
    if not null and b"\0" in data:
        raise UsageError("--files-from: the names in the list end with NUL; add -0")
    parts = data.split(b"\0") if null else [line.rstrip(b"\r") for line in data.split(b"\n")]
    return [path_of(os.fsdecode(part)) for part in parts if part]


def _kept(path: Path) -> Path:
    """Return a listed file's name below an output folder: as it is, or from the root if it leads upwards.

    That of a URL is the bucket, or server, and what follows it.
    """
    if isinstance(path, Url):
        return Path(*path.parts[1:])
    if path.is_absolute() or ".." in path.parts:
        path = Path(os.path.abspath(path))
        return path.relative_to(path.anchor)
    return path


def check_length(path: Path) -> None:
    """Refuse a name that no file can have.

    Raises:
        UsageError: the name is too long for the file system.
    """
    if isinstance(path, Url):
        return
    try:
        path.lstat()
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            raise UsageError(f"{path}: the name is too long; choose a shorter one") from None


class _Search:
    """Turns names into pictures."""

    def __init__(self, *, suffixes: frozenset[str], recursive: bool) -> None:
        self.suffixes, self.recursive = suffixes, recursive
        self.findings = Findings()
        self.seen: set[str] = set()

    def named(self, name: Path) -> None:
        """Add what a name of the command line means."""
        check_length(name)
        if isinstance(name, Url):
            try:
                self.url(name)
            except OSError as error:
                raise UsageError(f"{name}: {disk_trouble(error)}") from None
        elif name == PIPE:
            self.add(Found(path=name, below=name, root=Path()))
        elif name.is_dir():
            self.folder(name)
        elif os.path.lexists(name) or not _MAGIC.search(str(name)):
            self.add(Found(path=name, below=Path(name.name), root=name.parent))
        else:
            self.pattern(name)

    def add(self, found: Found) -> None:
        """Add a picture. A scan leaves out what was found before; the plan refuses files that are named twice."""
        key = str(absolute(found.path))
        if not (found.scanned and key in self.seen):
            self.seen.add(key)
            self.findings.found.append(found)

    def url(self, url: Url) -> None:
        """Add what a URL means: a file, a folder or a glob.

        Raises:
            OSError: the store cannot be asked.
            UsageError: no picture is meant.
        """
        if _MAGIC.search(str(url)) and not url.exists():
            fixed = Url(*_fixed_parts(url))
            if not sum([self.candidate(one, fixed) for one in matching(url)]):
                raise UsageError(f"{url}: no picture matches this pattern; check it")
        elif url.is_dir():
            self.folder(url)
        else:
            self.add(Found(path=url, below=Path(url.name), root=url.parent))

    def folder(self, folder: Path) -> None:
        before = len(self.findings.found)
        count = self.scan(folder, folder)
        if count == 0 and len(self.findings.found) == before:
            left = f", but {shown_skips(self.findings.skipped)}" if self.findings.skipped else ""
            hint = "" if self.recursive else "; use -r to look in the folders below, too"
            raise UsageError(f"{shown(folder)}: no picture in this folder{left}{hint}")

    def pattern(self, pattern: Path) -> None:
        fixed = Path(*_fixed_parts(pattern))
        matches = sorted(glob.glob(str(pattern), recursive=True))
        if not matches:
            raise UsageError(f"{shown(pattern)}: no such file, and nothing matches this pattern; check it")
        count = 0
        for match in map(Path, matches):
            if not match.is_dir():
                count += self.candidate(match, fixed)
            elif self.recursive:
                count += self.scan(match, fixed)
        if count == 0:
            raise UsageError(f"{shown(pattern)}: no picture matches this pattern; check it")

    def scan(self, folder: Path, root: Path, above: frozenset[tuple[int, int]] = frozenset()) -> int:
        """Add the pictures in a folder, and return how many there are."""
        if isinstance(folder, Url):
            return sum([self.candidate(url, root) for url in files_below(folder, recursive=self.recursive)])
        try:
            info = folder.stat()
            names = sorted(os.listdir(folder))
        except OSError as error:
            if above:
                self.findings.skipped["unreadable folders"].append(folder)
                return 0
            raise UsageError(f"{shown(folder)}: the folder cannot be read ({error.strerror})") from None
        here = above | {(info.st_dev, info.st_ino)}
        count = 0
        for name in names:
            path = folder / name
            if os.path.isdir(path):
                count += self._below(path, root, here)
            else:
                count += self.candidate(path, root)
        return count

    def _below(self, folder: Path, root: Path, above: frozenset[tuple[int, int]]) -> int:
        if not self.recursive:
            return 0
        if folder.name.startswith("."):
            self.findings.skipped["hidden"].append(folder)
            return 0
        info = folder.stat()
        if (info.st_dev, info.st_ino) in above:
            self.findings.skipped["circular links"].append(folder)
            return 0
        return self.scan(folder, root, above)

    def candidate(self, path: Path, root: Path) -> bool:
        """Add a file that a scan has found if it is a picture by its name. Return whether it is."""
        if path.name.startswith("."):
            self.findings.skipped["hidden"].append(path)
        elif path.suffix.lower() not in self.suffixes:
            self.findings.skipped["not pictures"].append(path)
        elif not isinstance(path, Url) and not os.path.isfile(path):
            self.findings.skipped["not files"].append(path)
        else:
            below = Path(*path.relative_to(root).parts) if self.recursive else Path(path.name)
            self.add(Found(path=path, below=below, root=root, scanned=True))
            return True
        return False


def _fixed_parts(pattern: Path) -> Iterator[str]:
    """Yield the folders of a glob before its first wildcard."""
    for part in pattern.parts[:-1]:
        if _MAGIC.search(part):
            return
        yield part


_SKIPPED: Final = {
    "not pictures": ("file that is not a picture", "files that are not pictures"),
    "alone": ("picture without another copy", "pictures without another copy"),
    "hidden": ("hidden file", "hidden files"),
    "circular links": ("link that leads in a circle", "links that lead in a circle"),
    "own results": ("result of this command", "results of this command"),
    "not files": ("pipe, device or dead link", "pipes, devices or dead links"),
    "unreadable folders": ("folder that cannot be read", "folders that cannot be read"),
}
_MOST_NAMES: Final = 5
"""Files of one kind that are named, of those that a scan left out. Of the others, the suffixes are told."""


def shown_skips(skipped: Mapping[str, Sequence[Path]]) -> str:
    """Return what a scan left out, in words."""
    return "; ".join(
        f"{len(paths)} {_SKIPPED[reason][len(paths) > 1]} ({_shown_names(paths)})"
        for reason, paths in sorted(skipped.items())
    )


def _shown_names(paths: Sequence[Path]) -> str:
    names = [path.name for path in paths[:_MOST_NAMES]]
    more = Counter(path.suffix.lower() or "without a suffix" for path in paths[_MOST_NAMES:])
    names += [f"{count} more {suffix}" for suffix, count in more.most_common(_MOST_NAMES)]
    rest = len(paths) - _MOST_NAMES - sum(count for _, count in more.most_common(_MOST_NAMES))
    return ", ".join(names + ([f"{rest} others"] if rest > 0 else []))
