"""How the process holds memory and threads while it computes. Process-wide, so for programs, not for libraries."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_MMAP_THRESHOLD, _TRIM_THRESHOLD = -3, -1
_KEPT: Final = 256 << 20


def keep_buffers() -> None:
    """Have glibc reuse the memory of large tensors.

    It gives blocks above 32 MiB back to the system at each free, and every page of the next one is cleared and faulted
    in anew, which costs as much as the arithmetic. Tensors of a tile are below the new limit. Elsewhere: nothing.
    """
    if sys.platform != "linux":
        return
    import ctypes

    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_MMAP_THRESHOLD, _KEPT)
        mallopt(_TRIM_THRESHOLD, 2 * _KEPT)


def give_back() -> None:
    """Have glibc return what is free to the system, where a large picture's decoder or tiles have left much of it."""
    if sys.platform != "linux":
        return
    import ctypes

    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def wait_passively() -> None:
    """Have OpenMP's threads sleep while they wait for each other, unless the user says otherwise.

    They spin by default, which is hardly faster when the machine is idle, and many times slower when another program
    runs beside. Before torch is imported.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


@contextmanager
def one_thread() -> Iterator[None]:
    """Operators on little are too small to share: waking threads for each costs more than they save."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
