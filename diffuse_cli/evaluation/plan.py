"""From what the user asks for to what is measured."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from ..diffusion.checkpoint import CheckpointInfo
from ..diffusion.model import Model
from ..diffusion.settings import GENERATE_STEPS, SAMPLE_STEPS, Settings
from ..errors import UsageError
from .conditions import MeasuredTask, conditions
from .evaluate import Evaluation, Outcome, Turn, evaluate, sets_of
from .generation_quality import evaluate_generation


def plan(
    task: MeasuredTask,
    data: Sequence[Path],
    settings: Callable[[int], Settings],
    *,
    levels: Sequence[float] = (),
    limit: int | None = None,
    steps: int | None = None,
    fidelities: Sequence[float] = (),
    samples: int = 1,
    gray: bool = False,
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
        limit: pictures of each folder; None = all.
        steps: of a sample; None = as measured if samples are asked for, else the mean alone.
        fidelities: also measure what lies between a sample (0) and the mean (1).
        samples: of each picture.
        gray: make colour pictures gray first.
        as_files: clip and round the noise to 8 bits.
        blind: do not tell the damage.
        baseline: also measure the published classics.

    Raises:
        UsageError: no pictures, a value out of range, or an option that means nothing for the task.
    """
    sets = sets_of(data, limit)
    if task == "generate":
        refused = {"level": levels, "gray": gray, "as-files": as_files, "blind": blind, "baseline": baseline}
        for name, value in refused.items():
            if value:
                raise UsageError(f"--{name} means nothing for --task generate")
        return Evaluation(sets=sets, conditions=(), settings=settings(steps or GENERATE_STEPS))
    chosen = conditions(task, tuple(levels), as_files=as_files, blind=blind)
    drawn = samples > 1 or bool(fidelities)
    computing = settings(steps or (SAMPLE_STEPS if drawn else 1))
    if drawn and computing.steps == 1:
        raise UsageError("--steps 1 is the posterior mean: give more for --samples and --fidelity, or leave it out")
    for value in fidelities:
        replace(computing, fidelity=value)  # checks it
    return Evaluation(
        sets=sets, conditions=chosen, settings=computing, samples=samples, fidelities=fidelities, gray=gray,
        baseline=baseline,
    )  # fmt: skip


def measure(what: Evaluation, model: Model, info: CheckpointInfo, turn: Turn, say: Callable[[str], None]) -> Outcome:
    """Carry out a plan.

    Args:
        what: the plan.
        model: what is measured.
        info: of the checkpoint that `model` is.
        turn: entered for each picture, by its name.
        say: told what is left out because it is not installed.

    Raises:
        CheckpointError: damaged weights of a measure.
    """
    if not what.conditions:
        return evaluate_generation(what.sets, what.settings, model, info, turn)
    return evaluate(what, model, info, turn, say)
