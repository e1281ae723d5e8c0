"""Baselines come nearer than the input."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from diffuse_cli.evaluation.baselines import available, bm3d, free, non_local_means, untouched
from diffuse_cli.evaluation.conditions import TASKS, Condition, TaskName, conditions
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
    expects_gain = task not in ("super-resolve", "restore") and not condition.is_photograph  # whose noise is not white
    damage = psnr(untouched(damaged), damaged.clean) if expects_gain else 10.0
    for name, method in methods.items():
        levels = method(damaged)
        assert levels.shape == damaged.clean.shape, name
        assert psnr(levels, damaged.clean) >= damage, name


def test_the_input_of_photographs_is_always_measured() -> None:
    assert list(free(Condition(task="camera", level=800))) == ["the input"]
    assert list(free(Condition(task="denoise", level=15, as_files=True, jpeg=90))) == ["the input"]
    assert free(Condition(task="denoise", level=15)) == {}


def test_baselines_are_told_the_level_of_a_photograph(clean: NDArray[np.uint8]) -> None:
    """Not the ISO, which would smear everything."""
    damaged = case(clean, Condition(task="camera", level=3200), "a")
    white = case(clean, Condition(task="denoise", level=damaged.noise.level, as_files=True), "a")
    same = replace(white, damaged=damaged.damaged)
    for method in (non_local_means, bm3d):
        np.testing.assert_array_equal(method(damaged), method(same))


def test_missing_packages_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "cv2", None)
    methods, missing = available("denoise")
    assert missing == ["cv2"]
    assert "the input" in methods
    assert "non-local means" not in methods
