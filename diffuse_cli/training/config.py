"""The settings of a training run, from TOML and options. Costs nothing to import."""

import tomllib
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal, get_args

from ..errors import UsageError

Objective = Literal["denoise", "resize", "mixture", "inpaint", "jpeg", "camera", "kernel", "generate"]
OBJECTIVES: tuple[Objective, ...] = get_args(Objective)
TrainDtype = Literal["auto", "fp32", "bf16"]
MIN_CROP = 16
TORCHVISION = "torchvision:"
"""Begins the names of torchvision's data sets."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Mix:
    """Shares of the tasks in every batch. They are relative and need not add up to 1.

    Attributes:
        denoise: noise of one level, or (a fifth) noise that varies over the picture.
        resize: clean shrinking by 2, 3, 4 or up to 8.
        mixture: blur, shrinking, noise and JPEG, any of the four.
        inpaint: boxes, strokes, lines, dropped pixels, half pictures missing.
        jpeg: JPEG alone.
        camera: noise as cameras and film leave it, as a JPEG most of the time.
        kernel: motion and defocus, told as a Gaussian of the same spread, then noise and JPEG.
        generate: no observation, noise up to the sampler's largest; for class-conditional models.
    """

    denoise: float = 0.30
    resize: float = 0.20
    mixture: float = 0.16
    inpaint: float = 0.14
    jpeg: float = 0.08
    camera: float = 0.12
    kernel: float = 0.0
    generate: float = 0.0

    def __post_init__(self) -> None:
        """Check the shares."""
        shares = [getattr(self, task) for task in OBJECTIVES]
        if min(shares) < 0 or not sum(shares) > 0:
            raise UsageError("mix: the shares of the tasks must be >= 0, and one of them above 0")

    def counts(self, batch: int) -> dict[Objective, int]:
        """Return the samples of a batch for each task; the task with the largest share takes the rounding."""
        total = sum(getattr(self, task) for task in OBJECTIVES)
        counts = {task: round(getattr(self, task) / total * batch) for task in OBJECTIVES}
        largest = max(OBJECTIVES, key=lambda task: getattr(self, task))
        counts[largest] += batch - sum(counts.values())
        if counts[largest] < 0:
            raise UsageError(f"batch = {batch} is too small for the mix of tasks")
        return counts


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainConfig:
    """Settings of a training run. Two runs of equal settings, data and length are equal.

    Attributes:
        seed: of the first weights and of all random draws.
        batch: samples a step, over all processes together.
        crop: side of the crops in pixels.
        lr: learning rate of Muon. Adam, for the few scalars, has half of it.
        warmup: steps over which the rate rises.
        decay: share of the run, at its end, over which the rate falls to 0. 0 = the rate stays, for a run to continue.
        ema: lengths of the power-function averages, as std relative to the run. The first is validated and exported.
        ema_horizon: no average reaches further back than about this many steps.
        means: share of the samples that are restored in one call, where the objective leaves the choice.
        gray: share of the samples that are made gray.
        flip: half of the crops are mirrored.
        pyramid: shares of crops from pictures at full, half and quarter size, and of whole pictures shrunk to a crop.
        textured: how often the more textured of two candidate crops is taken.
        label_dropout: how often a label is withheld, so that `generate` works without one too.
        holdout: one picture in this many is held out for validation, by its name; 0 = none.
        labels: names of the labels by number, for data whose labels are numbers.
        mix: shares of the tasks.
        described: numbers of a degradation that the network is told: 4, 5 with grain, 6 with grain and doubt.
        channels: channels of each level of the network (see network.NetworkConfig).
        blocks: blocks of each level.
        patch: side of the first layer's patches.
        emb: width of the embedding.

    Raises:
        UsageError: a value out of range.
    """

    seed: int = 0
    batch: int = 32
    crop: int = 96
    lr: float = 0.015
    warmup: int = 100
    decay: float = 1 / 3
    ema: tuple[float, ...] = (0.05, 0.10)
    ema_horizon: int = 1000
    means: float = 0.7
    gray: float = 0.1
    flip: bool = True
    pyramid: tuple[float, ...] = (0.35, 0.3, 0.2, 0.15)
    textured: float = 0.5
    label_dropout: float = 0.1
    holdout: int = 16
    labels: tuple[str, ...] = ()
    mix: Mix = field(default_factory=Mix)
    described: int = 6
    channels: tuple[int, ...] = (64, 96, 128, 160)
    blocks: tuple[int, ...] = (2, 2, 2, 2)
    patch: int = 2
    emb: int = 384

    def __post_init__(self) -> None:
        """Check the ranges."""
        shares = ("decay", "means", "gray", "textured", "label_dropout")
        for name in shares:
            if not 0 <= getattr(self, name) <= 1:
                raise UsageError(f"{name} must lie in 0 .. 1, not {getattr(self, name):g}")
        for name, low in (("batch", 1), ("crop", MIN_CROP), ("warmup", 0), ("ema_horizon", 1), ("holdout", 0)):
            if getattr(self, name) < low:
                raise UsageError(f"{name} must be at least {low}, not {getattr(self, name)}")
        if not 0 < self.lr < 1:
            raise UsageError(f"lr must lie between 0 and 1, not {self.lr:g}")
        if not 0 <= self.seed < 2**63:
            raise UsageError(f"seed must lie in 0 .. 2^63 - 1, not {self.seed}")
        if not self.ema or len(set(self.ema)) < len(self.ema) or not all(0 < length < 0.28 for length in self.ema):
            raise UsageError("ema must be different lengths between 0 and 0.28, such as [0.05, 0.1]")
        if len(self.pyramid) != 4 or min(self.pyramid) < 0 or not sum(self.pyramid) > 0:
            raise UsageError("pyramid must be four shares: full, half and quarter size, the whole picture")
        if self.described not in (4, 5, 6):
            raise UsageError(f"described must be 4, 5 or 6, not {self.described}")
        self.mix.counts(self.batch)

    @classmethod
    def from_values(cls, values: dict[str, Any]) -> "TrainConfig":
        """Read the values of TOML or JSON.

        Raises:
            UsageError: unknown keys, wrong types, values out of range.
        """
        known = {f.name: f for f in fields(cls)}
        unknown = values.keys() - known.keys() | values.get("mix", {}).keys() - set(OBJECTIVES)
        if unknown:
            raise UsageError(f"unknown keys: {', '.join(sorted(unknown))}; the keys are {', '.join(known)}")
        default = cls()
        return cls(**{name: _typed(name, value, getattr(default, name)) for name, value in values.items()})

    def to_json(self) -> dict[str, Any]:
        """Return every value, for run.json."""
        return asdict(self)

    def rate(self, steps_done: int, progress: float) -> float:
        """Return the learning rate of the next step: rising, constant, then falling to 0.

        Args:
            steps_done: of this run, so far.
            progress: the share of the run that is done, 0..1.
        """
        rising = min(steps_done / self.warmup + 1e-3, 1.0) if self.warmup else 1.0
        falling = min(1.0, (1 - progress) / self.decay) if self.decay else 1.0
        return self.lr * rising * max(falling, 0.0)


def _typed(name: str, value: object, like: object) -> Any:  # noqa: ANN401 - as its field says
    """Return a value of TOML or JSON in the type of the field's default."""
    if isinstance(like, Mix) and isinstance(value, dict):
        return Mix(**{k: _typed(f"mix.{k}", v, 0.0) for k, v in value.items()})
    if isinstance(like, tuple) and isinstance(value, list):
        item = like[0] if like else ""
        return tuple(_typed(name, v, item) for v in value)
    if isinstance(like, float) and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if type(value) is not type(like):
        raise UsageError(f"{name} must be of type {type(like).__name__}, not {value!r}")
    return value


def read_config(path: Path | None, **options: object) -> TrainConfig:
    """Read a config file, and replace what the options give.

    Args:
        path: the file; None = the defaults.
        options: by the settings' names; None = not given.

    Raises:
        UsageError: the file cannot be read, or holds something else.
    """
    values: dict[str, Any] = {}
    if path is not None:
        try:
            values = tomllib.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise UsageError(f"{path}: cannot be read: {error.strerror}") from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise UsageError(f"{path}: is not TOML: {error}") from None
    try:
        config = TrainConfig.from_values(values)
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from None
    given = {name: value for name, value in options.items() if value is not None}
    return replace(config, **given) if given else config  # type: ignore[arg-type]


@dataclass(frozen=True, kw_only=True, slots=True)
class Length:
    """How long a run is, restarts included.

    Attributes:
        images: crops seen.
        minutes: minutes of training.

    Raises:
        UsageError: neither or both are given, or it is not above 0.
    """

    images: int | None = None
    minutes: float | None = None

    def __post_init__(self) -> None:
        """Check that it is one of the two."""
        if (self.images is None) == (self.minutes is None):
            raise UsageError("how long? Give one of --minutes M and --images N")
        if not (self.images or self.minutes or 0) > 0:
            raise UsageError("--minutes and --images must be above 0")

    def steps(self, batch: int) -> int | None:
        """Return the number of steps; None if it is not known beforehand."""
        return None if self.images is None else -(-self.images // batch)


def difference(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """Return the keys that differ, as `key (old -> new)`."""
    keys = [key for key in {**old, **new} if old.get(key) != new.get(key)]
    return [f"{key} ({old.get(key)} -> {new.get(key)})" for key in keys]
