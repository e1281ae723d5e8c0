"""Copies to and from a GPU that run beside its computing: from and to pinned memory, on streams of their own."""

import functools
from collections.abc import Callable

import torch
from torch import Tensor


@functools.cache
def _streams(device: torch.device) -> tuple[torch.cuda.Stream, torch.cuda.Stream]:
    """Up and down are two, or the next window's way up would wait for the last one's way down."""
    return torch.cuda.Stream(device), torch.cuda.Stream(device)  # type: ignore[no-untyped-call]


def send(tensors: list[Tensor], device: torch.device) -> list[Tensor]:
    """Begin to copy to the GPU; what is computed there next waits for it."""
    up, computing = _streams(device)[0], torch.cuda.current_stream(device)
    with torch.cuda.stream(up):
        there = [t.contiguous().pin_memory().to(device, non_blocking=True) for t in tensors]
    computing.wait_stream(up)
    for t in there:
        t.record_stream(computing)  # its memory belongs to the other stream
    return there


def fetch(tensor: Tensor) -> Callable[[], Tensor]:
    """Begin to copy what is being computed to the host; what is returned waits for it."""
    down, computing = _streams(tensor.device)[1], torch.cuda.current_stream(tensor.device)
    here = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True)
    down.wait_stream(computing)
    with torch.cuda.stream(down):
        here.copy_(tensor, non_blocking=True)
        done = torch.cuda.Event()  # type: ignore[no-untyped-call]
        done.record()
    tensor.record_stream(down)

    def wait() -> Tensor:
        done.synchronize()
        return here

    return wait
