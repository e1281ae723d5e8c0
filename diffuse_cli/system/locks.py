"""Locks on single bytes of open files, by which processes see what others work on.

The system releases a lock when its file is closed and when its process ends, even by a kill. Bytes need not exist.
"""

import errno
import os
import struct
import threading
from typing import Final

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

FIRST: Final = 1 << 30
"""Bytes from here to 2^31 are for locks: beyond any text in these files, within the offsets of Windows.

Windows lets nobody else read a locked byte.
"""
COUNT: Final = 1 << 30

_moving = threading.Lock()


def lock(file: int, byte: int = FIRST) -> bool:
    """Lock a byte for this open file. Do not wait.

    Args:
        file: descriptor, open for writing.
        byte: offset, `FIRST` to `FIRST + COUNT - 1`.

    Returns:
        False if another open file, of this process or another, holds the byte.

    Raises:
        OSError: the disk or the system has no locks.
    """
    try:
        _change(file, byte, locked=True)
    except (BlockingIOError, PermissionError):
        return False
    return True


def unlock(file: int, byte: int = FIRST) -> None:
    """Release a byte.

    Args:
        file: descriptor that holds the lock.
        byte: its offset.

    Raises:
        OSError: the disk or the system has no locks.
    """
    _change(file, byte, locked=False)


def _change(file: int, byte: int, *, locked: bool) -> None:
    if fcntl is None:
        _change_on_windows(file, byte, locked=locked)
    elif (command := getattr(fcntl, "F_OFD_SETLK", None)) is not None:  # Linux: locks belong to the open file
        request = struct.pack("hhqqi", fcntl.F_WRLCK if locked else fcntl.F_UNLCK, os.SEEK_SET, byte, 1, 0)
        fcntl.fcntl(file, command, request)
    else:  # elsewhere they belong to the process
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB if locked else fcntl.LOCK_UN, 1, byte)


def _change_on_windows(file: int, byte: int, *, locked: bool) -> None:
    try:
        import msvcrt
    except ImportError:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK)) from None
    with _moving:  # threads share the file's position, from which msvcrt counts
        before = os.lseek(file, 0, os.SEEK_CUR)
        os.lseek(file, byte, os.SEEK_SET)
        try:
            msvcrt.locking(file, msvcrt.LK_NBLCK if locked else msvcrt.LK_UNLCK, 1)  # type: ignore[attr-defined]
        finally:
            os.lseek(file, before, os.SEEK_SET)
