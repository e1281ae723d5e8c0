"""Several processes in one run, started by torchrun (RANK, WORLD_SIZE, LOCAL_RANK)."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.distributed_c10d import PrefixStore
from torch.distributed.rendezvous import rendezvous


@dataclass(frozen=True, kw_only=True, slots=True)
class Crew:
    """The processes of a run.

    Attributes:
        rank: the number of this process.
        world: the number of processes.
        device: where this process computes.
    """

    rank: int
    world: int
    device: torch.device

    @property
    def leads(self) -> bool:
        """Whether this process decides, saves and reports."""
        return self.rank == 0

    def agree(self, *values: float) -> tuple[float, ...]:
        """Return the leader's values in every process."""
        if self.world == 1:
            return values
        shared = torch.tensor(values, dtype=torch.float64, device=self.device)
        dist.broadcast(shared, src=0)
        return tuple(shared.tolist())

    def mean(self, values: Tensor) -> Tensor:
        """Return the mean over the processes, in every process."""
        if self.world == 1:
            return values
        dist.all_reduce(values)
        return values / self.world

    def wait(self) -> None:
        """Wait until every process has come here."""
        if self.world > 1:
            dist.barrier()


@contextmanager
def joined(device: str) -> Iterator[Crew]:
    """Join the processes that torchrun started; without torchrun there is one.

    Args:
        device: "auto", "cpu" or "cuda".
    """
    cuda = device == "cuda" or (device == "auto" and torch.cuda.is_available())
    world, local = int(os.environ.get("WORLD_SIZE", "1")), int(os.environ.get("LOCAL_RANK", "0"))
    place = torch.device("cuda", local) if cuda else torch.device("cpu")
    if cuda:
        torch.cuda.set_device(place)
    if world == 1:
        yield Crew(rank=0, world=1, device=place)
        return
    # torchrun's store outlives the processes: after a restart, what the dead ones left there must not be met.
    store, rank, world = next(rendezvous("env://"))
    store = PrefixStore(f"restart-{os.environ.get('TORCHELASTIC_RESTART_COUNT', '0')}", store)
    dist.init_process_group("nccl" if cuda else "gloo", store=store, rank=rank, world_size=world)
    crew = Crew(rank=dist.get_rank(), world=world, device=place)
    try:
        yield crew
        # DDP never lets go of the group (torch 2.14), so gloo's threads live on into the interpreter's end; one of them
        # that still had to release a tensor then would abort the process. A barrier holds none, and comes after all.
        crew.wait()
    finally:
        dist.destroy_process_group()
