"""Which answers are asked for, and what means nothing."""

import math

import pytest

from diffuse_cli.diffusion.settings import SAMPLE_STEPS, Settings
from diffuse_cli.errors import UsageError
from diffuse_cli.restoration.sampling_request import SamplingRequest


@pytest.mark.parametrize(
    ("asked", "pictures", "steps", "fidelity"),
    [
        ({}, 1, 1, 0.0),
        ({"fidelity": 1.0, "steps": 9}, 1, 1, 0.0),
        ({"fidelity": 0.5}, 1, SAMPLE_STEPS, 0.5),
        ({"steps": 9}, 1, 9, 0.0),
        ({"steps": 9, "fidelity": 0.3}, 1, 9, 0.3),
        ({"samples": 3}, 3, SAMPLE_STEPS, 0.0),
        ({"samples": 3, "average": True, "fidelity": 0.5}, 1, SAMPLE_STEPS, 0.5),
        ({"uncertainty": True}, 1, 1, 0.0),
        ({"uncertainty": True, "samples": 4}, 4, SAMPLE_STEPS, 0.0),
        ({"uncertainty": True, "samples": 4, "fidelity": 1.0}, 1, 1, 0.0),
    ],
)
def test_defaults(asked: dict[str, float], pictures: int, steps: int, fidelity: float) -> None:
    answers = SamplingRequest(**asked)  # type: ignore[arg-type]
    settings = answers.settings(Settings(), fills_holes=False)
    assert (answers.pictures, settings.steps, settings.fidelity) == (pictures, steps, fidelity)


@pytest.mark.parametrize(
    "asked",
    [
        {"fidelity": 1.1}, {"fidelity": math.nan}, {"steps": 0}, {"samples": 0},
        {"steps": 1, "fidelity": 0.9}, {"steps": 1, "samples": 2}, {"steps": 1, "uncertainty": True},
        {"uncertainty": True, "samples": 1}, {"average": True}, {"average": True, "samples": 1},
        {"fidelity": 1.0, "samples": 3}, {"fidelity": 1.0, "average": True, "samples": 3},
    ],
)  # fmt: skip
def test_what_means_nothing_is_refused(asked: dict[str, float]) -> None:
    with pytest.raises(UsageError, match="--"):
        SamplingRequest(**asked)  # type: ignore[arg-type]
