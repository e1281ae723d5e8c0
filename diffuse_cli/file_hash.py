"""The hash by which a recipe names a file."""

import hashlib
from pathlib import Path

from .errors import DiffuseError


def file_sha256(path: Path, refusal: type[DiffuseError]) -> str:
    """Of a file, read piece by piece.

    Args: refusal: what is raised where it cannot be read: that decides the exit code.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise refusal(f"{path}: cannot be read: {error.strerror}") from None
