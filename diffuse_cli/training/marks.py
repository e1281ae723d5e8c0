"""Training of the detector of marks: crops that are worn on purpose, a pool of them, the loss and the run."""

import json
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
import torch.nn.functional as F
from safetensors import safe_open
from safetensors.torch import load_file
from safetensors.torch import save as serialise
from torch import Tensor
from torch.func import functional_call
from torch.utils.data import DataLoader, Dataset

from ..diffusion.devices import gains_by_bf16
from ..diffusion.mark_detector import CLASSES, MarkDetector, evidence, load_detector, save_detector
from ..diffusion.network import normalised
from ..errors import CheckpointError, PictureError
from ..images.units import LEVEL
from ..system.files import write_bytes
from . import ema
from .bank import Bank, Sources, pack
from .config import Length, TrainConfig
from .log import RunLog
from .loop import keep_freed_memory
from .muon import Muon
from .pictures import Data
from .run_folder import check_same, locked
from .sample_spec import keyed
from .wear import CLEAN, MARK, MISSING, ROOM, SIDE, UNSURE, Worn, hardest, worn

STATE, DETECTOR = "state.safetensors", "marks.safetensors"
FORMAT: Final = "diffuse-train-marks-1"
POOL: Final = 512
"""Crops that batches are drawn from; the oldest make room for new ones."""
_FIRST: Final = 128
"""Crops before the first step."""
FRESH: Final = 1
"""New crops a step: fewer than a batch, because drawing two takes as long as a step."""
_CANDIDATES: Final = 8
"""Crops, at most, of which a clean one is chosen: the one with most narrow things, which look like marks."""
_DICE: Final = 0.5
_EMA: Final = 0.06
_VALIDATION: Final = 96
_CUTS: Final = 64
"""Thresholds that validation tries."""


def configured(seed: int, *, trained: bool = False) -> TrainConfig:
    """Return the settings of a run: crops, rates and averages as other runs have them.

    Args:
        seed: of the first weights and of the crops.
        trained: the run begins with trained weights: at a low rate, which falls from the first step.
    """
    lr, decay = (0.005, 1.0) if trained else (0.015, 0.75)
    return TrainConfig(
        seed=seed, batch=8, crop=SIDE + ROOM, lr=lr, warmup=60, decay=decay, ema=(_EMA,), ema_horizon=2000,
        pyramid=(0.4, 0.3, 0.3, 0.0), textured=0.6,
    )  # fmt: skip


class WornCrops(Dataset[Worn]):
    """Crop number k, as it is drawn by the seed and k."""

    def __init__(self, bank: Bank, config: TrainConfig, seed: int) -> None:
        """Take the pictures.

        Args:
            bank: clean pictures.
            config: how often a textured crop is preferred.
            seed: of the crops.
        """
        self.bank, self.textured, self.seed = bank, config.textured, seed

    def __getitem__(self, number: int) -> Worn:
        """Return a crop."""
        rng = keyed(self.seed, number, 1)
        if rng.random() < CLEAN:
            candidates = [self.bank.crop(rng, 0)[0] for _ in range(int(rng.integers(1, 1 + _CANDIDATES)))]
            return worn(hardest(candidates), rng, clean=True)
        return worn(self.bank.crop(rng, self.textured)[0], rng)


class Pool:
    """The latest worn crops. What it holds at a step depends on the step alone."""

    def __init__(self, crops: Iterator[Worn], begin: int) -> None:
        """Make an empty one.

        Args:
            crops: from number `begin` on.
            begin: the first crop's number.
        """
        self.crops, self.begin, self.end = crops, begin, begin
        self.levels = torch.empty(POOL, SIDE, SIDE, 3, dtype=torch.uint8)
        self.shown = torch.empty(POOL, SIDE, SIDE, dtype=torch.uint8)

    def batch(self, step: int, config: TrainConfig) -> tuple[Tensor, Tensor]:
        """Return the pictures (B, 3, S, S), [-1, 1] units, and what their pixels show (B, S, S), of a step."""
        while self.end < _FIRST + FRESH * (step + 1):
            crop = next(self.crops)
            self.levels[self.end % POOL] = torch.from_numpy(crop.levels)
            self.shown[self.end % POOL] = torch.from_numpy(crop.shown)
            self.end += 1
        rng = keyed(config.seed, step, 2)
        numbers = rng.integers(oldest(step), self.end, config.batch)
        turns = rng.integers(8, size=config.batch).tolist()
        levels, shown = (each[torch.from_numpy(numbers % POOL)] for each in (self.levels, self.shown))
        levels = torch.stack([_turned(x, k) for x, k in zip(levels, turns, strict=True)])
        shown = torch.stack([_turned(x, k) for x, k in zip(shown, turns, strict=True)])
        return levels.permute(0, 3, 1, 2).float() / LEVEL - 1, shown


def oldest(step: int) -> int:
    """Return the number of the oldest crop that a step's batch can hold."""
    return max(_FIRST + FRESH * (step + 1) - POOL, 0)


def _turned(x: Tensor, k: int) -> Tensor:
    """Return one of eight turns and mirrorings of a square."""
    x = x.transpose(0, 1) if k & 4 else x
    dims = [d for d in (0, 1) if k >> d & 1]
    return x.flip(dims) if dims else x


def loss_of(logits: Tensor, shown: Tensor) -> Tensor:
    """Return the loss of a batch: cross-entropy by pixel, and soft Dice of the classes that are there.

    Unsure pixels do not count.

    Args:
        logits: (B, len(CLASSES), S, S).
        shown: (B, S, S).
    """
    target = torch.stack([shown == MARK, shown == MISSING], 1).float()
    counts = (shown != UNSURE)[:, None].float()
    entropy = F.binary_cross_entropy_with_logits(logits, target, counts, reduction="sum") / counts.sum().clamp_min(1)
    chance = logits.sigmoid() * counts
    shared, both = (chance * target).sum((0, 2, 3)), (chance + target).sum((0, 2, 3))
    dice = (1 - (2 * shared + 1) / (both + 1)) * (target.sum((0, 2, 3)) > 0)
    return entropy + _DICE * dice.mean()


@dataclass(kw_only=True, slots=True)
class _State:
    """The weights, their average, and what the optimisers keep."""

    net: MarkDetector
    average: ema.Weights
    muon: Muon
    adam: torch.optim.Adam
    step: int = 0
    seconds: float = 0.0

    def update(self, rate: float, config: TrainConfig) -> None:
        """Take a step of both optimisers, and update the average."""
        for optimiser, share in ((self.muon, 1.0), (self.adam, 0.5)):
            optimiser.param_groups[0]["lr"] = rate * share
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
        _renormalise(self.net)
        self.step += 1
        ema.update(self.average, self.net, ema.keep(self.step, _EMA, config.ema_horizon))

    def save(self, folder: Path) -> None:
        """Write state and averaged weights, each whole or not at all."""
        tensors = {f"net/{name}": value for name, value in self.net.state_dict().items()}
        tensors |= {f"ema/{name}": value for name, value in self.average.items()}
        for name, parameter in self.net.named_parameters():
            for optimiser in (self.muon, self.adam):
                kept = optimiser.state.get(parameter, {})
                tensors |= {f"optimiser/{key}/{name}": torch.as_tensor(value) for key, value in kept.items()}
        told = {"format": FORMAT, "run": json.dumps({"step": self.step, "seconds": self.seconds})}
        whole = {name: value.detach().contiguous().clone() for name, value in tensors.items()}
        write_bytes(serialise(whole, told), folder / STATE)


@torch.no_grad()
def _renormalise(net: MarkDetector) -> None:
    for _, layer, _ in net.layers():
        layer.weight.copy_(normalised(layer.weight))


def fresh(seed: int) -> MarkDetector:
    """Return a detector before its first step: normal weights, and logits of 0."""
    random = torch.Generator().manual_seed(seed)
    net = MarkDetector()
    with torch.no_grad():
        for _, layer, _ in net.layers():
            layer.weight.copy_(torch.randn(layer.weight.shape, generator=random))
            layer.weight.data = layer.weight.data.contiguous(memory_format=torch.channels_last)
        net.gain.zero_()
    _renormalise(net)
    return net.train()


def _begun(folder: Path, seed: int, init: Path | None) -> _State:
    """Return the folder's state, or a new one.

    Raises:
        CheckpointError: the folder's or the first weights cannot be read.
    """
    net, path = fresh(seed), folder / STATE
    if init is not None and not path.exists():
        net.load_state_dict(load_detector(init).state_dict())
    muon = Muon([layer.weight for _, layer, _ in net.layers()], lr=0.0)
    adam = torch.optim.Adam([net.gain], lr=0.0, betas=(0.9, 0.99))
    state = _State(net=net, average=ema.copy_of(net), muon=muon, adam=adam)
    if not path.exists():
        return state
    try:
        with safe_open(path, framework="pt") as file:
            told = file.metadata()
        tensors = load_file(path)
        run = json.loads(told["run"])
        state.step, state.seconds = int(run["step"]), float(run["seconds"])
        net.load_state_dict({k.removeprefix("net/"): v for k, v in tensors.items() if k.startswith("net/")})
        state.average = {k.removeprefix("ema/"): v for k, v in tensors.items() if k.startswith("ema/")}
        parameters = dict(net.named_parameters())
        for key, value in tensors.items():
            if key.startswith("optimiser/"):
                _, what, name = key.split("/", 2)
                (adam if name == "gain" else muon).state[parameters[name]][what] = value
    except Exception as error:
        raise CheckpointError(f"{path}: cannot be read ({error}); take a new --out") from None
    return state


@dataclass(frozen=True, kw_only=True, slots=True)
class MarksRun:
    """What to train a detector on, where, and how long.

    Attributes:
        data: files and folders of clean photographs.
        out: the run's folder.
        length: how long.
        seed: of the first weights and of the crops.
        init: a detector to begin with; None = random weights.
        threads: of the CPU; None = all but one.
        workers: processes that draw crops.
        save_every: seconds between saves.
    """

    data: tuple[Data, ...]
    out: Path
    length: Length
    seed: int = 0
    init: Path | None = None
    threads: int | None = None
    workers: int = 1
    save_every: float = 600.0


def train_detector(request: MarksRun, tell: Callable[[str], None], stopping: Callable[[], bool]) -> bool:
    """Train a detector, or continue the run in `request.out`, and write it there every ten minutes.

    Args:
        request: what to train on, where, and how long.
        tell: takes a line of progress.
        stopping: returns whether to stop after this step.

    Returns:
        Whether the end was reached.

    Raises:
        UsageError: there are no pictures, or the folder holds another run.
        CheckpointError: the folder's state or the first weights cannot be read.
        PictureError: the disk fails, or the loss is not finite.
    """
    torch.set_num_threads(request.threads or max(torch.get_num_threads() - min(request.workers, 1), 1))
    keep_freed_memory()
    config = configured(request.seed, trained=request.init is not None)
    with locked(request.out):
        sources = pack(request.data, [], request.out, config, folder_labels=False, warn=tell)
        check_same(request.out, config, request.length, sources.sha256, ())
        return _Run(request, config, sources, tell).go(stopping)


class _Run:
    def __init__(self, request: MarksRun, config: TrainConfig, sources: Sources, tell: Callable[[str], None]) -> None:
        self.request, self.config, self.sources, self.tell = request, config, sources, tell
        self.state = _begun(request.out, config.seed, request.init)
        self.log = RunLog(request.out, from_step=self.state.step)
        self.dtype = torch.bfloat16 if gains_by_bf16(torch.device("cpu")) else torch.float32
        self.total = request.length.steps(config.batch)
        bank = Bank(request.out, sources, config, held_out=False)
        begin = oldest(self.state.step)
        wanted = range(begin, 2**31 if self.total is None else _FIRST + FRESH * (self.total + 1))
        crops: DataLoader[Any] = DataLoader(
            WornCrops(bank, config, config.seed), batch_size=None, sampler=wanted, num_workers=request.workers,
            prefetch_factor=32 if request.workers else None, collate_fn=_as_is,
        )  # fmt: skip
        self.pool = Pool(iter(crops), begin)
        held = Bank(request.out, sources, config, held_out=True)
        self.validation = [WornCrops(held, config, config.seed + 1)[k] for k in range(_VALIDATION if held.count else 0)]

    def _progress(self) -> float:
        if self.total is not None:
            return self.state.step / self.total
        return self.state.seconds / (60 * (self.request.length.minutes or 1))

    def go(self, stopping: Callable[[], bool]) -> bool:
        saved, losses = time.monotonic(), list[float]()
        while (progress := self._progress()) < 1 and not stopping():
            begin = time.monotonic()
            pictures, shown = self.pool.batch(self.state.step, self.config)
            loss = loss_of(self._logits(self.state.net, pictures), shown)
            losses.append(float(loss.detach()))
            if not math.isfinite(losses[-1]):
                raise PictureError(f"the loss is not finite at step {self.state.step}; the last state stays")
            loss.backward()  # type: ignore[no-untyped-call]
            self.state.update(self.config.rate(self.state.step, progress), self.config)
            self.state.seconds += time.monotonic() - begin
            if self.state.step % 50 == 0:
                mean = float(np.mean(losses))
                losses.clear()
                self.log.write("train", self.state.step, loss=mean, seconds=round(self.state.seconds, 1))
                self.tell(f"step {self.state.step}, {self.state.seconds:.0f} s, loss {mean:.4f}")
            if time.monotonic() - saved > self.request.save_every:
                self._save()
                saved = time.monotonic()
        self._save()
        return progress >= 1

    def _logits(self, net: MarkDetector, pictures: Tensor) -> Tensor:
        weights = net.trained_weights(self.dtype)
        logits: Tensor = functional_call(net, weights, (evidence(pictures), self.dtype))
        return logits.float()

    def _save(self) -> None:
        self.state.save(self.request.out)
        found = self._validated()
        self.log.write("validation", self.state.step, **found)
        line = ", ".join(f"{name} {value:.3f}" for name, value in found.items())
        self.tell(f"step {self.state.step}: {line}")
        summary = {"step": str(self.state.step), "pictures": str(len(self.sources.pictures)),
                   "data": self.sources.sha256, "held_out": line}  # fmt: skip
        save_detector(self.state.average, self.request.out / DETECTOR, summary)

    @torch.no_grad()
    def _validated(self) -> dict[str, float]:
        """Return precision and recall, at the threshold of the largest F, by class, on held-out crops."""
        net = MarkDetector()
        net.load_state_dict(self.state.average)
        counts = np.zeros((len(CLASSES), 2, _CUTS))
        for crop in self.validation:
            x = torch.from_numpy(crop.levels).permute(2, 0, 1)[None].float() / LEVEL - 1
            chance = self._logits(net, x).sigmoid()[0].numpy()
            for k, wanted in enumerate((MARK, MISSING)):
                for truth in (0, 1):
                    at = (crop.shown == wanted) if truth else (crop.shown != wanted) & (crop.shown != UNSURE)
                    counts[k, truth] += np.histogram(chance[k][at], _CUTS, (0, 1))[0]
        found: dict[str, float] = {}
        for name, (wrong, right) in zip(CLASSES, counts, strict=True):
            above = right[::-1].cumsum()[::-1], wrong[::-1].cumsum()[::-1]
            precision, recall = above[0] / np.maximum(sum(above), 1), above[0] / max(right.sum(), 1)
            best = int(np.argmax(2 * precision * recall / np.maximum(precision + recall, 1e-9)))
            found |= {f"{name} precision": float(precision[best]), f"{name} recall": float(recall[best]),
                      f"{name} threshold": best / _CUTS}  # fmt: skip
        return found


def _as_is(crop: Any) -> Any:  # noqa: ANN401 - as DataLoader has it
    return crop
