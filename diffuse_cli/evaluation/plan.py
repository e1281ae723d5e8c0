"""From what the user asks for to what is measured."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from ..diffusion.checkpoint import CheckpointInfo, find, read_info
from ..diffusion.foreign.model import core_of
from ..diffusion.settings import GENERATE_STEPS, SAMPLE_STEPS, Settings
from ..errors import UsageError
from ..tasks.with_model import check_model
from .conditions import MeasuredTask, conditions
from .evaluate import Evaluation, Measured, Outcome, Turn, evaluate
from .generation_quality import evaluate_generation
from .pairs import PAIRS, pairs
from .picture_sets import set_names, sets_of, spread


def plan(
    task: MeasuredTask,
    data: Sequence[Path],
    settings: Callable[[int], Settings],
    *,
    levels: Sequence[float] = (),
    jpegs: Sequence[int] = (),
    limit: int | None = None,
    steps: int | None = None,
    fidelities: Sequence[float] = (),
    samples: int = 1,
    gray: bool = False,
    crop: int | None = None,
    as_files: bool = False,
    blind: bool = False,
    baseline: bool = False,
) -> Evaluation:
    """Decide what is measured.

    Args:
        task: what to measure.
        data: folders of clean pictures.
        settings: how to compute, for a number of steps.
        levels: how strong the damage is; empty = the levels of the literature.
        jpegs: qualities of the JPEG files that noisy pictures are stored in; empty = none.
        limit: pictures of each folder; None = all.
        steps: of a sample; None = as measured if samples are asked for, else the mean alone.
        fidelities: also measure what lies between a sample (0) and the mean (1).
        samples: of each picture.
        gray: make colour pictures gray first.
        crop: use the middle of each picture, of so many pixels a side; None = all of it.
        as_files: clip and round the noise to 8 bits.
        blind: do not tell the damage.
        baseline: also measure the published classics.

    Raises:
        UsageError: no pictures, a value out of range, or an option that means nothing for the task.
    """
    sets = sets_of(data, limit)
    if task == "generate":
        refused = {
            "level": levels, "jpeg": jpegs, "gray": gray, "crop": crop, "as-files": as_files, "blind": blind,
            "baseline": baseline,
        }  # fmt: skip
        refuse(refused, "--task generate")
        return Evaluation(sets=sets, conditions=(), settings=settings(steps or GENERATE_STEPS))
    chosen = conditions(task, tuple(levels), as_files=as_files, blind=blind, jpegs=tuple(jpegs))
    computing = _computing(settings, steps, fidelities, samples)
    return Evaluation(
        sets=sets, conditions=chosen, settings=computing, samples=samples, fidelities=fidelities, gray=gray, crop=crop,
        baseline=baseline,
    )  # fmt: skip


def plan_pairs(
    noisy: Sequence[Path],
    clean: Sequence[Path],
    settings: Callable[[int], Settings],
    *,
    limit: int | None = None,
    steps: int | None = None,
    fidelities: Sequence[float] = (),
    samples: int = 1,
    baseline: bool = False,
) -> Evaluation:
    """Decide what is measured on real pairs.

    Args:
        noisy: folders of noisy pictures.
        clean: the folder of the clean ones for each; empty = both pictures of a pair are in one folder.
        settings: as for `plan`.
        limit: pairs of each folder; None = all.
        steps: as for `plan`.
        fidelities: as for `plan`.
        samples: as for `plan`.
        baseline: as for `plan`.

    Raises:
        UsageError: no pictures, a picture without a partner, or a value out of range.
    """
    matched = [spread(sorted(one.items()), limit) for one in pairs(noisy, clean)]
    return Evaluation(
        sets={name: [path for path, _ in some] for name, some in zip(set_names(noisy), matched, strict=True)},
        clean={path: partner for some in matched for path, partner in some},
        conditions=[PAIRS],
        settings=_computing(settings, steps, fidelities, samples),
        samples=samples,
        fidelities=fidelities,
        baseline=baseline,
    )


def refuse(options: Mapping[str, object], of: str) -> None:
    """Refuse options that are given.

    Args:
        options: values by the names of options.
        of: what they mean nothing for.

    Raises:
        UsageError: one of them is given.
    """
    for name, value in options.items():
        if value:
            raise UsageError(f"--{name} means nothing for {of}")


def _computing(
    settings: Callable[[int], Settings], steps: int | None, fidelities: Sequence[float], samples: int
) -> Settings:
    drawn = samples > 1 or bool(fidelities)
    computing = settings(steps or (SAMPLE_STEPS if drawn else 1))
    if drawn and computing.steps == 1:
        raise UsageError("--steps 1 is the posterior mean: give more for --samples and --fidelity, or leave it out")
    for value in fidelities:
        replace(computing, fidelity=value)  # checks it
    return computing


_COMMANDS: Mapping[str | None, str] = {"jpeg": "dejpeg", "camera": "denoise", "film": "denoise", None: "denoise"}
"""The command of a task that is measured, where it has another name. None: of real pairs."""


def models_of(names: Sequence[str], what: Evaluation, task: MeasuredTask | None) -> list[CheckpointInfo]:
    """Return the models that are measured, checked against the task.

    Args:
        names: of models, or their files.
        what: the plan.
        task: what is measured; None: real pairs.

    Raises:
        CheckpointError: there is no such model, or its weights were not trained for the task.
        UsageError: an imported model does something else, one is named twice, or two would generate.
    """
    found = [read_info(find(name)) for name in names]
    if len({info.path.stem for info in found}) < len(found):
        raise UsageError("--model: one is named twice; name each once")
    if not what.conditions and len(found) > 1:
        raise UsageError("--task generate measures one --model at a time")
    for info in found:
        if info.foreign is None:
            info.check_task("denoise" if what.of_photographs else str(task))
        else:
            if info.foreign.generates:
                words = info.foreign.words
                raise UsageError(f"--model {info.path.stem}: draws samples alone ({words}), and has no mean to measure")
            command = _COMMANDS.get(task, str(task))
            check_model(info.foreign, info.path.stem, command, drawn=what.settings.steps > 1)
    return found


def measure(what: Evaluation, models: Sequence[Measured], turn: Turn, say: Callable[[str], None]) -> Outcome:
    """Carry out a plan.

    Args:
        what: the plan.
        models: what is measured.
        turn: entered for each picture, by its name.
        say: told what is left out because it is not installed.

    Raises:
        CheckpointError: damaged weights of a measure.
    """
    if not what.conditions:
        info, model = models[0]
        return evaluate_generation(what.sets, what.settings, core_of(model), info, turn)
    return evaluate(what, models, turn, say)
