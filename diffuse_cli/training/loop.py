"""A training run, from its pictures to its last state."""

import ctypes
import logging
import math
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from ..diffusion.devices import gains_by_bf16
from ..diffusion.network import NetworkConfig
from ..errors import PictureError, UsageError
from . import distillation, run_folder, state
from .bank import SOURCES, Bank, Sources, pack, read_sources
from .batch import Batch, Steps
from .config import OBJECTIVES, Length, Objective, TrainConfig, TrainDtype
from .distributed import Crew, joined
from .ema import Weights
from .log import RunLog
from .model import Trainable, losses
from .pictures import Data
from .state import State
from .torchvision_data import TorchvisionData
from .validate import Validation

Record = dict[str, Any]
COMPILING_PAYS = 600
"""Seconds that a run on a CPU must last to earn back the compiler's minute, or the start of a further process."""
PIXELS_PER_SECOND = 400_000
"""Of training on a CPU: the estimate for runs without --minutes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainingRun:
    """What to train on, where, and how to compute. Only the first five decide the result.

    Attributes:
        data: files, folders and data sets to train on.
        validation: the same to validate on; empty = hold out some of the pictures.
        init: what to start from (see state.start).
        teacher: a checkpoint whose estimates are the target; None = the pictures are.
        labels: folder names are labels.
        out: the run's folder.
        save_every: steps between saves; None = five minutes.
        validate_every: steps between validations.
        log_every: steps between records of the log.
        device: "auto", "cpu" or "cuda".
        dtype: of the network.
        compiled: use torch.compile; None = where it pays.
        threads: of the CPU; None = all.
        workers: processes that prepare batches; None = as many as pay.
        tensorboard: also write event files.
    """

    data: tuple[Data, ...]
    validation: tuple[Data, ...] = ()
    init: str | None = None
    teacher: str | None = None
    labels: bool = False
    out: Path
    save_every: int | None = None
    validate_every: int = 500
    log_every: int = 20
    device: str = "auto"
    dtype: TrainDtype = "auto"
    compiled: bool | None = None
    threads: int | None = None
    workers: int | None = None
    tensorboard: bool = False

    @property
    def learns_labels(self) -> bool:
        """Whether the network learns labels: if that is asked for, and always with data sets of torchvision."""
        return self.labels or any(isinstance(part, TorchvisionData) for part in self.data)


@dataclass(kw_only=True)
class Callbacks:
    """How the caller follows a run and stops it.

    Attributes:
        record: takes every record of the log.
        warn: takes a line about a picture that cannot be used.
        stopping: returns whether to stop after this step; the state is saved then.
    """

    record: Callable[[Record], None] = lambda record: None
    warn: Callable[[str], None] = lambda line: None
    stopping: Callable[[], bool] = lambda: False


def train(config: TrainConfig, length: Length, request: TrainingRun, watch: Callbacks) -> bool:
    """Train, or continue the run in `request.out`, to its end or until it is stopped.

    Args:
        config: settings.
        length: how long.
        request: what to train on, where, and how to compute.
        watch: how the caller follows the run.

    Returns:
        Whether the end was reached.

    Raises:
        UsageError: data, folder or labels do not fit.
        CheckpointError: init or state do not fit.
        PictureError: the disk failed, or the loss is not finite; the last state stays.
    """
    if request.threads is not None:
        torch.set_num_threads(request.threads)
    keep_freed_memory()
    with ExitStack() as stack:
        crew = stack.enter_context(joined(request.device))
        if config.batch % crew.world:
            raise UsageError(f"batch = {config.batch} cannot be shared by {crew.world} processes")
        if crew.leads:
            stack.enter_context(run_folder.locked(request.out))
        run = _Run(config, length, request, watch, crew)
        return run.go()


class _Run:
    """One process's part of a run."""

    def __init__(self, config: TrainConfig, length: Length, request: TrainingRun, watch: Callbacks, crew: Crew) -> None:
        self.config, self.length, self.request, self.watch, self.crew = config, length, request, watch, crew
        sources = self._pack()
        labels = _labels(sources, config, request)
        if crew.leads:
            taught_by = None if request.teacher is None else distillation.sha256_of(request.teacher)
            run_folder.check_same(request.out, config, length, sources.sha256, labels, taught_by)
        crew.wait()
        self.bank = Bank(request.out, sources, config, held_out=False, labels=labels)
        self.validation = Validation(Bank(request.out, sources, config, held_out=True, labels=labels), config)
        network = NetworkConfig(
            described=config.described, cond=config.described + len(labels), channels=config.channels,
            blocks=config.blocks, patch=config.patch, emb=config.emb, labels=labels, crop=config.crop,
            gray=sources.gray,
        )  # fmt: skip
        kept = state.resume(request.out, config, network, crew.device)
        self.state: State = kept or state.start(request.init, config, network, crew.device)
        self.dtype = _dtype(request.dtype, crew.device)
        self.target = self._target(network)
        self.journal = RunLog(request.out, from_step=self.state.step) if crew.leads else None
        self.board = _board(request) if crew.leads else None
        self.steps = Steps(self.bank, config, rank=crew.rank, world=crew.world)
        self.total = length.steps(config.batch)
        self.tally = _Tally()
        self.saved = time.monotonic()
        self._record(
            "start", parameters=sum(p.numel() for p in self.state.net.parameters()), pictures=self.bank.count,
            held_out=self.validation.bank.count, skipped=len(sources.skipped), processes=crew.world,
            dtype=str(self.dtype).removeprefix("torch."), threads=torch.get_num_threads(),
        )  # fmt: skip

    def _pack(self) -> Sources:
        request = self.request
        if self.crew.leads:
            sources = pack(
                request.data, request.validation, request.out, self.config,
                folder_labels=request.labels, warn=self.watch.warn,
            )  # fmt: skip
        self.crew.wait()
        if not self.crew.leads:
            known = read_sources(request.out)
            if known is None:
                raise PictureError(f"{request.out / SOURCES}: is not to be seen by every process; take a shared --out")
            sources = known
        return sources

    def go(self) -> bool:
        """Take every step that is left; return whether the end was reached."""
        network = self._compiled()
        if self.state.step == self.state.first:
            self._validate()
        batches = self._batches()
        ended, warm = False, False
        while True:
            progress, stop = self.crew.agree(self._progress(), float(self.watch.stopping()))
            ended = progress >= 1
            if ended or stop:
                break
            begin = time.monotonic()
            self._step(network, next(batches), progress)
            if warm:  # the first step compiles; it counts for nothing
                self.state.seconds += time.monotonic() - begin
                self.tally.seconds += time.monotonic() - begin
                self.tally.timed += 1
            warm = True
            self._after_step()
        self._log()
        if self.state.step > self.state.first and ended and self.state.step % self.request.validate_every:
            self._validate()
        self._save()
        if ended:
            self._record("end", seconds=round(self.state.seconds, 1))
        return ended

    def _progress(self) -> float:
        if self.total is not None:
            return (self.state.step - self.state.first) / self.total
        return self.state.seconds / (60 * (self.length.minutes or 1))

    def _expected(self) -> float:
        """Estimate the seconds that the run takes on a CPU."""
        pixels = (self.length.images or 0) * self.config.crop**2
        return pixels / PIXELS_PER_SECOND if self.length.minutes is None else self.length.minutes * 60

    @property
    def _compiles(self) -> bool:
        compiled = self.request.compiled
        return _compiling_pays(self.crew.device, self._expected()) if compiled is None else compiled

    def _target(self, pupil: NetworkConfig) -> distillation.Target | None:
        """Return what computes the target of the loss; None = it is the pictures."""
        name = self.request.teacher
        if name is None:
            return None
        return distillation.target_of(name, pupil, self.crew.device, self.dtype, compiled=self._compiles)

    def _compiled(self) -> nn.Module:
        network: nn.Module = Trainable(self.state.net, self.dtype)
        if self._compiles:
            logging.getLogger("torch.utils.cpp_extension").setLevel(logging.ERROR)  # that a CPU has no CUDA
            network.compile(dynamic=False)
        if self.crew.world > 1:
            network = nn.parallel.DistributedDataParallel(network)
        return network

    def _batches(self) -> Iterator[Batch]:
        """Return the batches from here on; worker processes make them if there are any."""
        workers = _workers(self.crew, self._expected()) if self.request.workers is None else self.request.workers
        last = 2**31 if self.total is None else self.state.first + self.total
        wanted = range(self.state.step, last)
        if workers < 1:
            return (self.steps[step] for step in wanted)
        loader: DataLoader[Batch] = DataLoader(
            self.steps, batch_size=None, sampler=wanted, num_workers=workers, prefetch_factor=2,
            pin_memory=self.crew.device.type == "cuda",
        )  # fmt: skip
        return iter(loader)

    def _step(self, network: nn.Module, batch: Batch, progress: float) -> None:
        current = self.state
        current.set_rate(self.config.rate(current.step - current.first, progress))
        batch = batch.to(self.crew.device)
        f = network(batch.net_in, batch.noise, batch.cond)
        each = losses(f, batch, None if self.target is None else self.target(batch))
        loss = each.mean()
        if not math.isfinite(loss.item()):
            raise PictureError(self._not_finite(each, batch))
        for optimiser in (current.muon, current.adam):
            optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        current.update(self.config)
        self.tally.add(each.detach(), self.steps.tasks)

    def _not_finite(self, each: Tensor, batch: Batch) -> str:
        bad = [k for k, value in enumerate(each.tolist()) if not math.isfinite(value)]
        samples = self.steps.samples()
        names = sorted({self.bank.names[int(batch.pictures[k])] for k in bad})
        keys = ", ".join(f"{samples[k]} ({self.steps.tasks[k]})" for k in bad)
        return (
            f"the loss is not finite at step {self.state.step}: seed {self.config.seed}, samples {keys}, pictures "
            f"{', '.join(names)}; the last state in {self.request.out} is from before; try a smaller --lr"
        )

    def _after_step(self) -> None:
        step, request = self.state.step, self.request
        if step % request.log_every == 0:
            self._log()
        if step % request.validate_every == 0:
            self._validate()
        due = time.monotonic() - self.saved > 300 if request.save_every is None else step % request.save_every == 0
        if due:
            self._save()

    def _log(self) -> None:
        tally, self.tally = self.tally, _Tally()
        if not tally.steps:
            return
        mean, each = tally.means(self.crew)
        speed = tally.timed * self.config.batch / tally.seconds if tally.seconds > 0 else 0.0
        self._record(
            "train", loss=mean, losses=each,
            images=(self.state.step - self.state.first) * self.config.batch,
            lr=round(self.state.muon.param_groups[0]["lr"], 8), images_per_s=round(speed, 2),
            megapixels_per_s=round(speed * self.config.crop**2 / 1e6, 4), seconds=round(self.state.seconds, 2),
            progress=round(self._progress(), 6),
        )  # fmt: skip

    def _validate(self) -> None:
        if self.crew.leads:
            length = self.config.ema[0]
            average: Weights = self.state.averages[length]
            found = self.validation(self.state.net, average, self.dtype)
            if found:
                self._record("validation", ema=length, psnr=found)

    def _save(self) -> None:
        if self.crew.leads:
            self.state.save(self.request.out)
        self.saved = time.monotonic()

    def _record(self, kind: str, **values: Any) -> None:  # noqa: ANN401 - JSON
        if self.journal is None:
            return
        record = self.journal.write(kind, self.state.step, **values)
        if self.board is not None:
            _to_board(self.board, record)
        self.watch.record(record)


class _Tally:
    """Losses since the last record, as sums and counts by task, and the time of the timed steps."""

    def __init__(self) -> None:
        self.steps = self.timed = 0
        self.seconds = 0.0
        self.sums = dict.fromkeys(OBJECTIVES, 0.0)
        self.counts = dict.fromkeys(OBJECTIVES, 0)

    def add(self, each: Tensor, tasks: list[Objective]) -> None:
        self.steps += 1
        for task, value in zip(tasks, each.tolist(), strict=True):
            self.sums[task] += value
            self.counts[task] += 1

    def means(self, crew: Crew) -> tuple[float, dict[str, float]]:
        """Return the mean over all samples, and the means by task, of all processes."""
        table = torch.tensor([[*self.sums.values()], [*self.counts.values()]], dtype=torch.float64, device=crew.device)
        sums, counts = crew.mean(table).tolist()
        each: dict[str, float] = {
            task: round(s / n, 6) for task, s, n in zip(OBJECTIVES, sums, counts, strict=True) if n
        }
        mean: float = round(sum(sums) / sum(counts), 6)
        return mean, each


def _labels(sources: Sources, config: TrainConfig, request: TrainingRun) -> tuple[str, ...]:
    """Return the names of the labels: the folders', or for numbers the config's or the data set's.

    Raises:
        UsageError: there are none where they are asked for, or too few names.
    """
    found = sources.label_names()
    if request.learns_labels and not found:
        raise UsageError("--labels: no picture has a label; sub-folders, .cls records and torchvision data sets do")
    if not request.learns_labels:
        return ()
    names = config.labels or sources.classes
    if not names:
        return found
    numbers = [int(name) for name in found if name.isdigit()]
    if len(numbers) < len(found):
        unknown = sorted(set(found) - set(names))
        if unknown:
            raise UsageError(f"labels: the data has {', '.join(unknown)}, which the config does not name")
    elif max(numbers) >= len(names):
        raise UsageError(f"labels: the data counts to {max(numbers)}, but only {len(names)} labels have names")
    return names


def _dtype(wanted: TrainDtype, device: torch.device) -> torch.dtype:
    half = wanted == "bf16" or (wanted == "auto" and gains_by_bf16(device))
    return torch.bfloat16 if half else torch.float32


def _compiling_pays(device: torch.device, seconds: float) -> bool:
    """Return whether to compile: on a GPU always, on a CPU if there is a compiler and the run is long."""
    if device.type != "cpu":
        return True
    compiler = os.environ.get("CXX") or shutil.which("g++") or shutil.which("clang++")
    return compiler is not None and seconds >= COMPILING_PAYS


def _workers(crew: Crew, seconds: float) -> int:
    """Return the number of processes that prepare batches.

    On a CPU it is 1 if the run is long: a batch is made in one thread, and the other threads would wait (10 % more
    images a second on two cores).
    """
    if crew.device.type != "cpu":
        return min((os.cpu_count() or 1) - 1, 14) // crew.world
    return int(crew.world == 1 and torch.get_num_threads() > 1 and seconds >= COMPILING_PAYS)


def keep_freed_memory() -> None:
    """Let glibc keep freed memory: every step needs the same large blocks again, and fresh pages cost time."""
    mmap_threshold, trim_threshold, top_pad = -3, -1, -2
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # another C library
        return
    for parameter, value in ((mmap_threshold, 32 << 20), (trim_threshold, (1 << 31) - 1), (top_pad, 256 << 20)):
        mallopt(parameter, value)


def _board(request: TrainingRun) -> Any:  # noqa: ANN401 - tensorboard is optional
    if not request.tensorboard:
        return None
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise UsageError("--tensorboard needs the extra: pip install 'diffuse-cli[train]'") from None
    return SummaryWriter(str(request.out / "tensorboard"))


def _to_board(board: Any, record: Record) -> None:  # noqa: ANN401 - as above
    for group in ("losses", "psnr"):
        for name, value in record.get(group, {}).items():
            board.add_scalar(f"{group}/{name}", value, record["step"])
    for name in ("loss", "lr", "images_per_s"):
        if name in record:
            board.add_scalar(name, record[name], record["step"])
    board.flush()
