"""Files that URLs name, such as s3://bucket/scan.png. fsspec reaches them. Some stores need an extra."""

import errno
import hashlib
import os
import re
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from io import BufferedReader, BytesIO, RawIOBase
from pathlib import Path, PosixPath
from typing import Any, BinaryIO, Final, Self, TypeVar, cast

from ..errors import UsageError

_URL = re.compile(r"([a-z][a-z0-9+.-]+):/+(.+)", re.DOTALL)
_HEAD: Final = 1 << 16
"""Bytes that hold the header of a picture."""
_WHOLE: Final = frozenset({"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "oss", "memory"})
"""Stores in which a file appears when all of it is there. Elsewhere it gets another name until then."""
_EXTRAS: Final = {"s3": "s3", "s3a": "s3", "gs": "gs", "gcs": "gs"}

T = TypeVar("T")


class StoreError(OSError):
    """Raised if a store does not do what is asked, and it is not for want of the file or of permission."""


class Url(PosixPath):
    """A path whose text is a URL. What asks the disk of other paths asks the store here.

    `os.path` knows nothing of it: use `absolute` of this module, `in_the_way` and `opened`.
    """

    __slots__ = ()

    def __str__(self) -> str:
        """Return the URL."""
        scheme, _, rest = super().__str__().partition(":/")
        return f"{scheme.removesuffix(':')}://{rest}"

    def is_absolute(self) -> bool:
        """Return True."""
        return True

    def is_symlink(self) -> bool:
        """Return False: stores have no links."""
        return False

    def resolve(self, strict: bool = False) -> Self:
        """Return the URL itself."""
        return self

    def stat(self, *, follow_symlinks: bool = True) -> os.stat_result:
        """Return the kind and the size. The number is the hash of the name.

        Raises:
            OSError: there is no such file, or the store cannot be asked.
        """
        about = _ask(lambda store, name: store.info(name), self)
        mode = stat.S_IFDIR | 0o755 if about["type"] == "directory" else stat.S_IFREG | 0o644
        number = int.from_bytes(hashlib.sha256(str(self).encode()).digest()[:7], "big")
        return os.stat_result((mode, number, 0, 1, 0, 0, about.get("size") or 0, 0, 0, 0))

    lstat = stat

    def exists(self, *, follow_symlinks: bool = True) -> bool:
        """Return whether there is such a file or folder.

        Raises:
            OSError: the store cannot be asked.
        """
        return self._mode() != 0

    def is_file(self, *, follow_symlinks: bool = True) -> bool:
        """Return whether there is such a file."""
        return stat.S_ISREG(self._mode())

    def is_dir(self, *, follow_symlinks: bool = True) -> bool:
        """Return whether there is such a folder."""
        return stat.S_ISDIR(self._mode())

    def _mode(self) -> int:
        try:
            return self.stat().st_mode
        except FileNotFoundError:
            return 0

    def open(self, *arguments: Any, **options: Any) -> Any:  # noqa: ANN401 - as Path.open
        """Open the file for reading its bytes; see `content`."""
        return BytesIO(content(self))

    def mkdir(self, mode: int = 0o777, parents: bool = False, exist_ok: bool = False) -> None:
        """Do nothing: a folder is there when a file in it is."""


def path_of(name: str | Path) -> Path:
    """Return what a name means: a `Url` if it is a URL that fsspec knows, else a path. A file:// URL is a path.

    Args:
        name: as it was given. A path may have lost one of the slashes after the scheme.
    """
    found = _URL.fullmatch(str(name))
    if found is None or isinstance(name, Url) or "::" in str(name):
        return Path(name) if isinstance(name, str) else name
    scheme, rest = found.groups()
    if scheme in ("file", "local"):
        return Path(f"/{rest}")
    return Url(f"{scheme}://{rest}") if scheme in _schemes() and not os.path.lexists(name) else Path(name)


def absolute(path: Path) -> Path:
    """Return a path from the root, without asking the disk. A URL is that already."""
    return path if isinstance(path, Url) else Path(os.path.abspath(path))


@lru_cache(maxsize=1)
def _schemes() -> frozenset[str]:
    from fsspec.registry import known_implementations

    return frozenset(known_implementations)


# Reading -------------------------------------------------------------------------------------------------------------


def content(url: Url) -> bytes:
    """Return the bytes of a file.

    Raises:
        OSError: there is no such file, or the store cannot be asked.
    """
    return cast(bytes, _ask(lambda store, name: store.cat_file(name), url))


def head(url: Url) -> bytes:
    """Return the first bytes of a file, which hold the header of most pictures.

    Raises:
        OSError: as `content`.
    """
    return cast(bytes, _ask(lambda store, name: store.cat_file(name, start=0, end=_HEAD), url))


def opened_in_parts(url: Url) -> BufferedReader:
    """Open a file of which little is read: only the parts that are looked at. It has no descriptor.

    Raises:
        OSError: as `content`.
    """
    return BufferedReader(_Parts(url), _HEAD)


class _Parts(RawIOBase):
    """A file in a store."""

    def __init__(self, url: Url) -> None:
        self.url, self.size, self.at = url, url.stat().st_size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self.at = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self.at, os.SEEK_END: self.size}[whence]
        return self.at

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401 - as RawIOBase.readinto
        end = min(self.at + len(buffer), self.size)
        if end <= self.at:
            return 0
        part = _ask(lambda store, name: store.cat_file(name, start=self.at, end=end), self.url)
        buffer[: len(part)] = part
        self.at += len(part)
        return len(part)


def below(folder: Url, *, recursive: bool) -> list[Url]:
    """Return the files in a folder, or all below it, in the order of their names.

    Raises:
        OSError: as `content`.
    """

    def listed(store: Any, name: str) -> list[str]:  # noqa: ANN401 - of fsspec, which has no types
        if recursive:
            return list(store.find(name))
        return [one["name"] for one in store.ls(name, detail=True) if one["type"] == "file"]

    return _named(folder, _ask(listed, folder))


def matching(pattern: Url) -> list[Url]:
    """Return the files that match a glob, in the order of their names.

    Raises:
        OSError: as `content`.
    """
    found = _ask(lambda store, name: store.glob(name, detail=True), pattern)
    return _named(pattern, [name for name, about in found.items() if about["type"] == "file"])


def _named(url: Url, names: list[str]) -> list[Url]:
    """Return what a store calls its files as URLs."""
    scheme = url.parts[0].removesuffix(":")
    found = [Url(f"{scheme}://{str(name).removeprefix(f'{scheme}://').lstrip('/')}") for name in names]
    return sorted(found, key=lambda one: one.parts)


# Writing -------------------------------------------------------------------------------------------------------------


@contextmanager
def replaced(url: Url) -> Iterator[BinaryIO]:
    """Open a stream whose bytes become the file when all are there. Before that, nothing is seen of them.

    Raises:
        OSError: the store does not take the file, or the disk that holds it until then fails.
    """
    with tempfile.NamedTemporaryFile(prefix="diffuse-") as file:
        yield cast(BinaryIO, file)
        file.flush()

        def put(store: Any, name: str) -> None:  # noqa: ANN401 - as above
            if url.parts[0].removesuffix(":") in _WHOLE:
                store.put_file(file.name, name)
                return
            folder, _, last = name.rpartition("/")
            store.makedirs(folder, exist_ok=True)
            hidden = f"{folder}/.{os.path.basename(file.name)}-{last}"
            store.put_file(file.name, hidden)
            store.mv(hidden, name)

        _ask(put, url)


# Stores --------------------------------------------------------------------------------------------------------------


def _ask(what: Callable[[Any, str], T], url: Url) -> T:
    """Ask the store of a URL, and tell what goes wrong as the disk would."""
    try:
        store, name = _store(str(url))
        return what(store, name)
    except UsageError:
        raise
    except FileNotFoundError:
        raise FileNotFoundError(errno.ENOENT, "no such file", str(url)) from None
    except PermissionError:
        raise PermissionError(errno.EACCES, "access is not permitted", str(url)) from None
    except (MemoryError, AssertionError):
        raise
    except Exception as error:  # each store has errors of its own
        said = " ".join(str(error).split()) or type(error).__name__
        raise StoreError(errno.EIO, f"the store says: {said}", str(url)) from error


def _store(url: str) -> tuple[Any, str]:
    """Return a store and what it calls a file. Lists of names are asked for anew: other machines add to them.

    Raises:
        UsageError: a package is missing.
    """
    from fsspec.core import url_to_fs

    try:
        store, name = url_to_fs(url, use_listings_cache=False)
    except ImportError:
        scheme = url.partition(":")[0]
        raise UsageError(f"{url}: {_remedy(scheme)}") from None
    return store, name


def _remedy(scheme: str) -> str:
    extra = _EXTRAS.get(scheme)
    if extra is not None:
        return f"URLs like this need an extra: pip install 'diffuse-cli[{extra}]'"
    from fsspec.registry import known_implementations

    return f"a package for {scheme}:// is missing: {known_implementations[scheme].get('err', 'see fsspec')}"
