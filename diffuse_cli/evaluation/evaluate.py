"""Measured quality: every method on every picture under every condition, as a report."""

import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from ..diffusion.checkpoint import CheckpointInfo, to_recipe
from ..diffusion.foreign.model import AnyModel
from ..diffusion.model import Model
from ..diffusion.settings import Settings
from ..errors import DiffuseError, PictureError
from ..images.image_io import to_levels
from ..restoration.foreign import fitted
from ..restoration.noise_reading import NoiseReader, noise_reader
from ..restoration.samples import Samples
from ..version import __version__
from . import baselines
from .calibration import calibration
from .conditions import Condition
from .hardware import cpu_name
from .lpips import lpips
from .metrics import haarpsi, psnr, ssim
from .pairs import pair
from .picture_sets import clean_levels
from .protocol import Case, Levels, case
from .report import FORMAT, MEDIANS, Report, bootstrap_interval

Measure = Callable[[Levels, Levels], float]
Turn = Callable[[str], AbstractContextManager[None]]
"""Entered for each picture, by its name."""
MIN_SIDE = 11
"""Smallest side that is measured: SSIM's window must fit."""
MOST_ERROR: Final = math.log(10)
"""What a noise level counts as wrong, as a logarithm, if no noise or ten times too much or too little is found."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Evaluation:
    """What is to be measured.

    Attributes:
        sets: picture files by the name of their test set.
        conditions: of one task; empty = nothing is damaged, pictures are generated and compared with the set.
        settings: with more than one step, samples are measured beside the mean.
        samples: of each picture.
        fidelities: also measure what lies between the first sample (0) and the mean (1).
        gray: colour pictures are made gray first.
        crop: the middle of each picture, of so many pixels a side, is used; None = all of it.
        baseline: other tools are measured on the same pictures.
        clean: of real pairs, the clean picture of each in `sets`; empty = the pictures of `sets` are damaged.
    """

    sets: dict[str, list[Path]]
    conditions: Sequence[Condition]
    settings: Settings
    samples: int = 1
    fidelities: Sequence[float] = ()
    gray: bool = False
    crop: int | None = None
    baseline: bool = False
    clean: Mapping[Path, Path] = field(default_factory=dict)

    @property
    def of_photographs(self) -> bool:
        """Whether noise is removed that photographs have."""
        return any(condition.is_photograph for condition in self.conditions)

    @property
    def total(self) -> int:
        """The number of pictures."""
        return sum(map(len, self.sets.values()))


@dataclass(kw_only=True, slots=True)
class Outcome:
    """A report, and why pictures are missing from it."""

    report: Report
    failed: list[tuple[Path, DiffuseError]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Score:
    """The score of one method on one picture.

    Attributes:
        folder: name of the test set.
        condition: what was done to the picture.
        method: name of the method.
        picture: the file's name.
        values: by measure, and `seconds` and `megapixels` of the result.
    """

    folder: str
    condition: Condition
    method: str
    picture: str
    values: dict[str, float]


class Result(NamedTuple):
    """The pictures that a method makes from a case, the seconds for each, and other measurements."""

    method: str
    made: list[Levels]
    seconds: float
    facts: Mapping[str, float] = MappingProxyType({})


Results = Callable[[Case], Iterable[Result]]


def perceptual_measures() -> tuple[dict[str, Measure], list[str]]:
    """Return the perceptual measures that are installed, and for each other one a line that says how to get it.

    Raises:
        CheckpointError: damaged weights.
    """
    found: dict[str, Measure | None] = {"haarpsi": haarpsi(), "lpips": lpips()}
    remedies = {
        "haarpsi": f"HaarPSI is left out: {baselines.EXTRA}",
        "lpips": "LPIPS is left out: its weights are imported once by diffuse models import-lpips",
    }
    return {k: v for k, v in found.items() if v}, [remedies[k] for k, v in found.items() if not v]


Measured = tuple[CheckpointInfo, AnyModel]
"""A model that is measured, with what its file says."""


def evaluate(what: Evaluation, models: Sequence[Measured], turn: Turn, say: Callable[[str], None]) -> Outcome:
    """Damage every picture under every condition and measure what each method makes of it.

    A picture that fails under one condition counts under none, so all rows are over the same pictures.

    Args:
        what: the damage, and how to compute.
        models: what is measured.
        turn: entered for each picture, by its name.
        say: told what is left out because it is not installed.

    Raises:
        CheckpointError: damaged weights of a measure.
    """
    measures, left_out = perceptual_measures()
    names = ["diffuse"] if len(models) == 1 and models[0][0].foreign is None else [i.path.stem for i, _ in models]
    methods = [
        model_results(name, model, what.settings, what.samples, what.fidelities)
        for name, (_, model) in zip(names, models, strict=True)
    ]
    others = baselines.free(what.conditions[0])
    if what.baseline:
        others, missing = baselines.available(what.conditions[0].task)
        left_out += [f"baselines by {module} are left out: {baselines.EXTRA}" for module in missing]
    methods.append(baseline_results(others))
    read = next((reads for _, model in models if (reads := noise_reader(model)) is not None), None)
    for line in left_out:
        say(line)
    scores: list[Score] = []
    failed: list[tuple[Path, DiffuseError]] = []
    for folder, paths in what.sets.items():
        for path in paths:
            with turn(path.name):
                try:
                    cases = _cases(path, what, read)
                    scores += [s for c in cases for s in _scores(c, folder, path.name, methods, measures)]
                except DiffuseError as error:
                    failed.append((path, error))
    table = [row | {"gray": what.gray} for row in rows(scores)]
    info, model = models[0]
    head = heading(what.settings, model, info)
    if len(models) > 1:
        head["models"] = [to_recipe(info.path) for info, _ in models]
    head |= {"left_out": left_out, "failed": failures(failed)}
    return Outcome(report=head | {"rows": table}, failed=failed)


def heading(settings: Settings, model: AnyModel, info: CheckpointInfo) -> Report:
    """Return the head of a report: the weights, the settings and the machine."""
    return {
        "format": FORMAT,
        "version": __version__,
        "checkpoint": to_recipe(info.path),
        "settings": {
            name: getattr(settings, name) for name in ("steps", "rounds", "ensemble", "seed", "solver", "tile")
        }
        | {"dtype": str(model.dtype).removeprefix("torch."), "device": model.device.type},
        "machine": {"cpu": cpu_name(), "threads": torch.get_num_threads(), "torch": torch.__version__},
    }


def failures(failed: list[tuple[Path, DiffuseError]]) -> list[dict[str, str]]:
    """Return the pictures that could not be measured, as a report lists them."""
    return [{"file": path.name, "error": str(error)} for path, error in failed]


def _cases(path: Path, what: Evaluation, read: NoiseReader | None) -> Iterator[Case]:
    for damaged in _made(path, what, read):
        _check_size(damaged, path)
        yield damaged


def _made(path: Path, what: Evaluation, read: NoiseReader | None) -> Iterator[Case]:
    if what.clean:
        yield pair(path, what.clean[path], read)
        return
    clean = clean_levels(path, gray=what.gray, crop=what.crop)
    for condition in what.conditions:
        yield case(clean, condition, path.name, read)


def _check_size(damaged: Case, path: Path) -> None:
    h, w = damaged.compared(damaged.clean).shape[:2]
    if min(h, w) < MIN_SIDE:
        raise PictureError(f"{path}: too small to be measured under {damaged.condition}; {MIN_SIDE} pixels must remain")


def _scores(
    damaged: Case, folder: str, picture: str, methods: Sequence[Results], measures: dict[str, Measure]
) -> Iterator[Score]:
    condition = damaged.condition
    before = _measured(damaged, baselines.untouched(damaged), {})["psnr"] if condition.is_photograph else None
    for results in methods:
        for method, made, seconds, facts in results(damaged):
            each = [_measured(damaged, levels, measures) for levels in made]
            values = {name: float(np.mean([m[name] for m in each])) for name in each[0]}
            values |= {} if before is None else {"change": values["psnr"] - before}
            values |= {**facts, "seconds": seconds, "megapixels": damaged.clean.shape[0] * damaged.clean.shape[1] / 1e6}
            if condition.blind and condition.task == "denoise":
                values |= _blind_values(damaged)
            yield Score(folder=folder, condition=condition, method=method, picture=picture, values=values)


def _blind_values(damaged: Case) -> dict[str, float]:
    """Return the estimated noise level and its distance from the true std, in 8-bit levels."""
    estimated = float(damaged.problem.findings.facts["noise"])
    present = float((damaged.damaged_levels - damaged.clean.astype(np.float64)).std())
    return {"estimated": estimated, "noise_error": abs(estimated - present)}


def _found(damaged: Case) -> dict[str, float]:
    """Return what was found of a photograph's noise, what is true, and how far they are apart.

    Levels are in 8-bit levels, grain is in pixels, white noise has none.
    """
    facts, true = damaged.problem.findings.facts, damaged.noise
    level, grain = float(facts.get("noise", 0.0)), float(facts.get("grain", 0.0))
    return {
        "found_level": level, "level": true.level, "level_error": _factor(level, true.level),
        "found_grain": grain, "grain": true.grain or 0.0, "grain_error": abs(grain - (true.grain or 0.0)),
    }  # fmt: skip


def _factor(found: float, true: float) -> float:
    """Return |ln(found / true)|, at most that of a factor of ten."""
    if found == true:
        return 0.0
    return min(abs(math.log(found / true)), MOST_ERROR) if found > 0 and true > 0 else MOST_ERROR


def _measured(damaged: Case, levels: Levels, measures: dict[str, Measure]) -> dict[str, float]:
    a, b = damaged.compared(levels), damaged.compared(damaged.clean)
    near = {"psnr": psnr(a, b), "ssim": ssim(a, b)}
    return near | {name: measure(levels, damaged.clean) for name, measure in measures.items()}


def model_results(
    name: str, model: AnyModel, settings: Settings, samples: int, fidelities: Sequence[float] = ()
) -> Results:
    """Return a model's results: the posterior mean and, with more than one step, samples and their means.

    What else the core's network is told of a case follows: its mean alone.

    Args:
        name: of the model in the report.
        model: what is measured.
        settings: how to compute.
        samples: of each picture. There are means of 4, 8, 16, ... and of all samples, with the samples' spread.
        fidelities: also what lies between sample 0 (0) and the mean (1).
    """

    def results(damaged: Case) -> Iterator[Result]:
        problem = damaged.problem if isinstance(model, Model) else fitted(damaged.problem, model.header)
        answer = Samples(damaged.damaged, problem, model)
        (mean,), seconds = _restored(answer, [replace(settings, steps=1, fidelity=0.0)])
        facts = _found(damaged) if damaged.condition.is_photograph else {}
        yield Result(name, _rounded([mean]), seconds, facts)
        for method, besides in damaged.besides.items() if isinstance(model, Model) else ():
            other = Samples(damaged.damaged, besides, model)
            (pixels,), seconds_of_other = _restored(other, [replace(settings, steps=1, fidelity=0.0)])
            yield Result(method.replace("diffuse", name), _rounded([pixels]), seconds_of_other)
        if settings.steps == 1:
            return
        made, seconds = _restored(answer, [replace(settings, sample=k) for k in range(samples)])
        yield Result(f"{name}, sample in {settings.steps} steps", _rounded(made), seconds)
        for fidelity in fidelities:
            between = mean + np.float32(1 - fidelity) * (made[0] - mean)
            yield Result(f"{name}, fidelity {fidelity:g}", _rounded([between]), seconds)
        for count in averaged(samples):
            spread = calibration(mean, made[:count], damaged.clean)
            average = _rounded([np.mean(made[:count], 0)])
            yield Result(f"{name}, mean of {count} samples", average, count * seconds, spread)

    return results


def averaged(samples: int) -> list[int]:
    """Return the numbers of samples that are averaged: 4, 8, 16, ... and all."""
    powers = [2**k for k in range(2, 15) if 2**k < samples]
    return [*powers, samples] if samples > 1 else []


def _restored(answer: Samples, each: list[Settings]) -> tuple[list[NDArray[np.float32]], float]:
    begin = time.perf_counter()
    made = [answer.restored(settings).pixels for settings in each]
    return made, (time.perf_counter() - begin) / len(each)


def _rounded(made: list[NDArray[np.float32]]) -> list[Levels]:
    return [to_levels(pixels, 8) for pixels in made]


def baseline_results(methods: dict[str, baselines.Method]) -> Results:
    """Return the results of the baselines."""

    def results(damaged: Case) -> Iterator[Result]:
        for name, method in methods.items():
            begin = time.perf_counter()
            levels = method(damaged)
            yield Result(name, [levels], time.perf_counter() - begin)

    return results


def rows(scores: Iterable[Score]) -> list[dict[str, Any]]:
    """Return the report's rows, one for each test set, condition and method."""
    grouped: dict[tuple[str, Condition, str], list[Score]] = {}
    for score in scores:
        grouped.setdefault((score.folder, score.condition, score.method), []).append(score)
    return [_row(group) for group in grouped.values()]


def _row(group: list[Score]) -> dict[str, Any]:
    first, count = group[0], len(group)
    names = [name for name in first.values if name not in ("seconds", "megapixels")]
    columns = {name: np.array([s.values[name] for s in group]) for name in names}
    seconds, megapixels = (sum(s.values[k] for s in group) for k in ("seconds", "megapixels"))
    return {
        "set": first.folder,
        "task": first.condition.task,
        "condition": str(first.condition),
        "level": first.condition.level,
        "protocol": "blind" if first.condition.blind else "files" if first.condition.as_files else "",
        "method": first.method,
        "pictures": count,
        "mean": {name: round(float(column.mean()), 5) for name, column in columns.items()},
        "median": {name: round(float(np.median(columns[name])), 5) for name in MEDIANS if name in columns},
        "interval": {name: bootstrap_interval(c, median=name in MEDIANS) for name, c in columns.items()},
        **_worse(columns),
        "seconds_per_megapixel": round(seconds / megapixels, 4),
        "images": [{"name": s.picture} | {k: round(v, 5) for k, v in s.values.items()} for s in group],
    }


def _worse(columns: Mapping[str, NDArray[np.float64]]) -> dict[str, float]:
    """Return how many pictures are worse than the input, and the worst change of PSNR in dB."""
    if "change" not in columns:
        return {}
    change = columns["change"]
    return {"worse": int((change < 0).sum()), "worst_change": round(float(change.min()), 5)}
