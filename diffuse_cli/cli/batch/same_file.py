"""Whether two paths are one file."""

import functools
import unicodedata
from contextlib import suppress
from pathlib import Path

from ...system.files import landing
from ...system.urls import Url


def file_key(path: Path) -> str:
    """Return a key that is the same for names which are one file on some file system. A link is where it leads."""
    with suppress(OSError):
        path = landing(path)
    return unicodedata.normalize("NFC", str(_resolved(path.parent) / path.name)).casefold()


@functools.lru_cache(maxsize=4096)
def _resolved(folder: Path) -> Path:
    return folder.resolve()


def file_identity(path: Path) -> tuple[int, int] | None:
    """Return the device and number of a local file. None: it does not exist, or lies in a store."""
    if isinstance(path, Url):  # which has one name
        return None
    try:
        info = path.stat()
    except OSError:
        return None
    return info.st_dev, info.st_ino
