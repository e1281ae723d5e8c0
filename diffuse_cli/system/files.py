"""Files that are written whole or not at all, and one-line messages of what goes wrong with them."""

import errno
import hashlib
import io
import os
import secrets
import time
from collections.abc import Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Final

from ..errors import DiffuseError, PictureError
from .locks import lock
from .streams import is_stream, opened, write_into
from .urls import StoreError, Url, replaced

_ON_WINDOWS = os.name == "nt"
TEMPORARY_SUFFIX: Final = ".diffuse-tmp"
"""Ends the name of a file that is being written: `.{process id}-{random}.diffuse-tmp`."""

_ASKED_AT_ONCE: Final = 16
"""Files of a store that are asked about at once."""

_REMEDY = {
    errno.ENOENT: "there is no such file or folder (any more); check the name",
    errno.EISDIR: "this is a folder; name a file in it",
    errno.ENOTDIR: "a part of this path is a file, not a folder; check the name",
    errno.EEXIST: "a part of this path is a file, not a folder; check the name",
    errno.EACCES: "access is not permitted; change its permissions, or choose another place",
    errno.EPERM: "access is not permitted; change its permissions, or choose another place",
    errno.EROFS: "the disk is read-only; choose another place",
    errno.ENOSPC: "the disk is full; free some space, or choose another place",
    errno.EDQUOT: "the disk quota is used up; free some space, or choose another place",
    errno.EFBIG: "larger than the limit for files here; raise the limit (ulimit -f), or choose another place",
    errno.ENAMETOOLONG: "the name is too long; choose a shorter one",
    errno.ELOOP: "the symbolic link leads in a circle; name the file itself",
    errno.ENODEV: "this is a device or a socket, not a file; name a file or a pipe, or - for stdin or stdout",
    errno.EPIPE: "whoever read this pipe reads no more",
    errno.EINTR: "stopped before the other end of this pipe was ready",
}


def shown(path: Path) -> str:
    """Return a path on one line that any terminal can show. Newlines and broken encodings are escaped.

    Args:
        path: any.
    """
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in str(path))


def reason(error: BaseException) -> str:
    """Return what an exception says, on one line.

    Args:
        error: any.
    """
    return " ".join(str(error).split()) or type(error).__name__


def disk_trouble(error: OSError) -> str:
    """Return what the system refused, and the remedy.

    Args:
        error: of reading or writing.
    """
    if isinstance(error, StoreError):
        return f"{error.strerror}; check the URL and your access to it, and try again"
    return _REMEDY.get(error.errno or 0, f"{error.strerror or reason(error)}; check the disk and try again")


@contextmanager
def replaced_whole(path: Path, *, like: Path | None = None, keep_times: bool = False) -> Iterator[BinaryIO]:
    """Open a stream whose bytes become the file when all are on the disk. Before that, nothing is seen of them.

    The file gets the permissions of the one that it replaces, else those of `like`, else those of any new file. The
    writer holds a lock on the temporary file, by which `remove_stale` knows that it lives. A link stays, and the file
    that it leads to is replaced. Folders that are missing are made. A pipe or a device is written into. What a URL
    names is sent when it is whole.

    Args:
        path: the file.
        like: file that it was made from.
        keep_times: copy the time stamps of `like`, too.

    Raises:
        OSError: the disk fails. Nothing is left behind. Or nobody reads the pipe.
    """
    if isinstance(path, Url):
        with replaced(path) as stream:
            yield stream
        return
    if is_stream(path):
        whole = io.BytesIO()
        yield whole
        write_into(path, whole.getbuffer())
        return
    path = landing(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.parent / f".{os.getpid()}-{secrets.token_hex(8)}{TEMPORARY_SUFFIX}"
    try:
        with temporary.open("xb") as stream:  # opened plainly, so the umask gives it the rights of any new file
            with suppress(OSError):  # some network disks have no locks
                lock(stream.fileno())
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
            if _ON_WINDOWS:  # which renames no open file
                stream.close()
            _copy_facts(temporary, path, like, keep_times)
            temporary.replace(path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
    with suppress(OSError):  # some systems have no such thing as opening a folder
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def landing(path: Path) -> Path:
    """Return the file that is written if `path` is: where a link leads, also if nothing is there yet.

    Args:
        path: any.

    Raises:
        OSError: the link leads in a circle.
    """
    if not path.is_symlink():
        return path
    target = Path(os.path.realpath(path))
    if target.is_symlink():
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
    return target


def in_the_way(path: Path) -> bool:
    """Return whether something is there that writing would replace.

    A pipe or a device is only written into. Where a link leads to no file yet, one is made.

    Args:
        path: any.
    """
    return path.exists() if isinstance(path, Url) else os.path.exists(path) and not is_stream(path)


def all_in_the_way(paths: Collection[Path]) -> set[Path]:
    """Return those of many files that are in the way. Stores are asked about several at once.

    Args:
        paths: any.

    Raises:
        OSError: a store cannot be asked.
    """
    urls = [path for path in paths if isinstance(path, Url)]
    found = {path for path in paths if not isinstance(path, Url) and in_the_way(path)}
    if urls:
        with ThreadPoolExecutor(_ASKED_AT_ONCE) as threads:
            found |= {url for url, is_there in zip(urls, threads.map(in_the_way, urls), strict=True) if is_there}
    return found


def _copy_facts(temporary: Path, path: Path, like: Path | None, keep_times: bool) -> None:
    """Copy permissions and time stamps."""
    with suppress(OSError):  # a file that vanished, or a disk that knows no permissions: the new file's own do
        model = path if path.exists() else like
        if model is not None and not is_stream(model):
            temporary.chmod(model.stat().st_mode & 0o777)
    if like is not None and keep_times and not is_stream(like):
        info = like.stat()
        os.utime(temporary, ns=(info.st_atime_ns, info.st_mtime_ns))


def remove_stale(folders: Iterable[Path]) -> list[Path]:
    """Remove the temporary files of runs that were killed while they wrote.

    Args:
        folders: where to look. Stores have no such files.

    Returns:
        The removed files. A file whose writer may live is left alone, and so is one that cannot be removed.
    """
    removed = []
    for folder in {one for one in folders if not isinstance(one, Url)}:
        for path in folder.glob(f".*-*{TEMPORARY_SUFFIX}"):
            with suppress(OSError, ValueError):
                if _is_stale(path):
                    path.unlink()
                    removed.append(path)
    return removed


_SURELY_LOCKED_AFTER, _SURELY_DEAD_AFTER = 60.0, 86400.0
"""Seconds from the last write to a temporary.

Its writer has locked it after the first; after the second it is dead, where the disk has no locks.
"""


def _is_stale(path: Path) -> bool:
    """Return whether the writer of a temporary is dead.

    A lock tells of writers that this process cannot see, too: in another container, or on another machine.
    """
    writer, age = int(path.name[1:].split("-", 1)[0]), time.time() - path.stat().st_mtime
    if _lives(writer) and age <= _SURELY_LOCKED_AFTER:
        return False
    with path.open("r+b") as stream:
        try:
            return lock(stream.fileno())
        except OSError:
            return age > _SURELY_DEAD_AFTER


def _lives(process: int) -> bool:
    """Return whether a process may be running."""
    if _ON_WINDOWS:  # where a signal of number 0 is Ctrl-C
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def write_bytes(data: bytes, path: Path) -> None:
    """Write a small file, whole or not at all.

    Args:
        data: its content.
        path: the file.

    Raises:
        PictureError: the disk fails. Nothing is left behind.
    """
    try:
        with replaced_whole(path) as stream:
            stream.write(data)
    except OSError as error:
        raise PictureError(f"{shown(path)}: cannot be written: {disk_trouble(error)}") from error


def file_sha256(path: Path, refusal: type[DiffuseError]) -> str:
    """Return the SHA-256 of a file in hexadecimal digits. The file is read piece by piece, a pipe at once.

    Args:
        path: the file.
        refusal: error to raise where it cannot be read; it decides the exit code.
    """
    try:
        with opened(path) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise refusal(f"{shown(path)}: cannot be read: {disk_trouble(error)}") from None
