"""Arrays of whole pictures, in memory or in mapped files, and work on them in blocks of rows."""

import errno
import math
import mmap
import os
import tempfile
from collections.abc import Iterator
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import DTypeLike, NDArray

MAPPED_FROM: Final = 64 << 20
"""Bytes from which an array lies in a file of the folder for temporary ones (TMPDIR): 5.6 megapixels of RGB floats."""
_BLOCK_NUMBERS: Final = 1 << 20

Number = TypeVar("Number", bound=np.generic)


def empty_array(shape: tuple[int, ...], dtype: type[Number]) -> NDArray[Number]:
    """Return an array of arbitrary content, like `numpy.empty`.

    A large one is mapped from a file without a name, whose pages the system may write out and drop. So the disk limits
    the size of a picture. Where the folder for temporary files has no room, the array is in memory.

    Args:
        shape: as for numpy.
        dtype: type of the numbers.
    """
    size = math.prod(shape) * np.dtype(dtype).itemsize
    if size < MAPPED_FROM:
        return np.empty(shape, dtype)
    try:
        return np.frombuffer(_mapped(size), dtype).reshape(shape)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EFBIG, errno.ENOENT):
            raise
        return np.empty(shape, dtype)


def _mapped(size: int) -> mmap.mmap:
    with tempfile.TemporaryFile(prefix="diffuse-") as file:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, size)  # or a full disk would be a bus error later
        else:
            file.truncate(size)
        return mmap.mmap(file.fileno(), size)


def row_blocks(array: NDArray[Any]) -> Iterator[slice]:
    """Yield first indices of an array in blocks of about a million numbers, so that temporaries stay small.

    Args:
        array: of any shape.
    """
    height = len(array)
    step = max(_BLOCK_NUMBERS * height // max(array.size, 1), 1)
    for top in range(0, height, step):
        yield slice(top, min(top + step, height))


def equal_channels(array: NDArray[Any]) -> bool:
    """Return whether the numbers along the last axis are the same everywhere. In colour, few rows are looked at.

    Args:
        array: (H, ..., C).
    """
    return all(bool((array[rows] == array[rows, ..., :1]).all()) for rows in row_blocks(array))


def copied(array: NDArray[Number], dtype: DTypeLike | None = None) -> NDArray[Number]:
    """Return a contiguous copy in an `empty_array`.

    Args:
        array: (H, W, ...).
        dtype: type of the copy; None = the same.
    """
    out: NDArray[Any] = empty_array(array.shape, np.dtype(dtype or array.dtype).type)
    for rows in row_blocks(array):
        out[rows] = array[rows]
    return out
