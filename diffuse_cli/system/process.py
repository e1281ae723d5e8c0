"""Memory, threads and stderr of the process. These are process-wide: for programs, not for libraries."""

import logging
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_MMAP_THRESHOLD, _TRIM_THRESHOLD = -3, -1
_KEPT: Final = 256 << 20


def keep_buffers() -> None:
    """Have glibc reuse the memory of large tensors. Other systems are left alone.

    glibc returns blocks above 32 MiB to the system at each free. Each page of the next block is then cleared and
    faulted in anew, which costs as much as the arithmetic. Tensors of a tile are below the new limit.
    """
    if sys.platform != "linux":
        return
    import ctypes

    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_MMAP_THRESHOLD, _KEPT)
        mallopt(_TRIM_THRESHOLD, 2 * _KEPT)


def give_back() -> None:
    """Have glibc return free memory to the system, where a large picture's decoder or tiles left much of it."""
    if sys.platform != "linux":
        return
    import ctypes

    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def wait_passively() -> None:
    """Have OpenMP's threads sleep while they wait for each other, unless the user says otherwise.

    They spin by default. That is hardly faster on an idle machine, and many times slower beside another program. Call
    this before torch is imported.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def own_stderr() -> None:
    """Keep stderr for what this program says. Lines that libraries write to it of themselves are dropped.

    libtiff and LibRaw write to the descriptor, so Python's stream gets another one. Call this before anything is said.
    """
    if sys.stderr is None:
        return
    warnings.simplefilter("ignore")
    logging.lastResort = None
    sys.stderr.flush()
    nothing = os.open(os.devnull, os.O_WRONLY)
    own = os.dup(2)
    os.dup2(nothing, 2)
    os.close(nothing)
    sys.stderr = open(own, "w", buffering=1, encoding=sys.stderr.encoding, errors="backslashreplace")  # noqa: SIM115


@contextmanager
def without_lines_of_libraries() -> Iterator[None]:
    """Drop what libraries write to the descriptor of stderr while it is entered, where the program has not done so."""
    if sys.stderr is None:
        yield
        return
    sys.stderr.flush()
    own, nothing = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nothing, 2)
        yield
    finally:
        os.dup2(own, 2)
        os.close(own)
        os.close(nothing)


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute with one thread. Small operators lose more by waking threads than they gain."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
