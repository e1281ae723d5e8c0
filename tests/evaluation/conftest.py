"""A small test set, and the toy network measured on it."""

from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from diffuse_cli.diffusion import checkpoint
from diffuse_cli.diffusion.model import Model
from diffuse_cli.diffusion.settings import Settings
from diffuse_cli.evaluation.conditions import conditions
from diffuse_cli.evaluation.evaluate import Evaluation, evaluate
from diffuse_cli.evaluation.report import Report


@pytest.fixture
def measure(toy: Model, data: Path) -> Callable[..., Report]:
    """Measure the toy network on the data."""

    def run(task: str = "denoise", model: Model = toy, **options: Any) -> Report:  # noqa: ANN401
        said = {name: options.pop(name, usual) for name, usual in (("blind", False), ("levels", ()), ("jpegs", ()))}
        chosen = conditions(task, as_files=False, **said)  # type: ignore[arg-type]
        settings = Settings(steps=options.pop("steps", 1))
        what = Evaluation(sets={"set": sorted(data.iterdir())}, conditions=chosen, settings=settings, **options)
        info = checkpoint.read_info(checkpoint.find())
        return evaluate(what, [(info, model)], lambda name: nullcontext(), lambda line: None).report

    return run
