"""Copies to and from a GPU that run beside its computing: from and to pinned memory, on streams of their own."""

import functools
from collections.abc import Callable

import torch
from torch import Tensor


@functools.cache
def _streams(device: torch.device) -> tuple[torch.cuda.Stream, torch.cuda.Stream]:
    """Return a stream up and one down; with one alone, the next window's way up would wait for the last one's down."""
    return torch.cuda.Stream(device), torch.cuda.Stream(device)  # type: ignore[no-untyped-call]


def send(tensors: list[Tensor], device: torch.device) -> list[Tensor]:
    """Begin to copy tensors to the GPU, and return them there; what is computed there next waits for them."""
    up, computing = _streams(device)[0], torch.cuda.current_stream(device)
    with torch.cuda.stream(up):
        there = [t.contiguous().pin_memory().to(device, non_blocking=True) for t in tensors]
    computing.wait_stream(up)
    for t in there:
        t.record_stream(computing)  # its memory belongs to the other stream
    return there


def fetch(tensor: Tensor) -> Callable[[], Tensor]:
    """Begin to copy a tensor that is being computed to the host, and return a function that waits for it."""
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
