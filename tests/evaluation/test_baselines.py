"""Baselines come nearer than the input."""

import numpy as np
import pytest
from numpy.typing import NDArray

from diffuse_cli.evaluation.baselines import available, untouched
from diffuse_cli.evaluation.conditions import TASKS, TaskName, conditions
from diffuse_cli.evaluation.metrics import psnr
from diffuse_cli.evaluation.protocol import case
from tests.conftest import EXAMPLES, pixels


@pytest.fixture(scope="module")
def clean() -> NDArray[np.uint8]:
    return pixels(EXAMPLES / "coffee_small.png")[:60, :70, :3]


@pytest.mark.slow
@pytest.mark.parametrize("gray", [False, True], ids=["colour", "gray"])
@pytest.mark.parametrize("task", TASKS)
def test_baselines_come_nearer_than_the_input(task: TaskName, gray: bool, clean: NDArray[np.uint8]) -> None:
    methods, missing = available(task)
    assert missing == []
    condition = conditions(task, (), as_files=False, blind=False)[-1]
    damaged = case(clean[..., :1] if gray else clean, condition, "a")
    damage = psnr(untouched(damaged), damaged.clean) if task not in ("super-resolve", "restore") else 10.0
    for name, method in methods.items():
        levels = method(damaged)
        assert levels.shape == damaged.clean.shape, name
        assert psnr(levels, damaged.clean) >= damage, name


def test_missing_packages_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "cv2", None)
    methods, missing = available("denoise")
    assert missing == ["cv2"]
    assert "the input" in methods
    assert "non-local means" not in methods
