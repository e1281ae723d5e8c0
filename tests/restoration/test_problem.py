"""What follows from a problem's parts."""

import numpy as np
import pytest

from diffuse_cli.degradation.operators import Degradation
from diffuse_cli.restoration.problem import Finish, GuidePicture, NoisyPicture, Problem, Repainting

HOLE = np.eye(4, dtype=bool)
NOWHERE = np.zeros((4, 4), bool)
EVEN = np.full((4, 4), 0.1, np.float32)
NOISY = NoisyPicture(noise=0.1)
GUIDE = GuidePicture(degradation=Degradation(scale=2, noise=0.2), size=(8, 8))
PAINTED = Repainting(sigma=0.4, scale=4, levels=2)


@pytest.mark.parametrize(
    ("problem", "exact", "alone"),
    [
        (Problem(), True, True),
        (Problem(hole=NOWHERE), True, True),
        (Problem(hole=HOLE), True, False),
        (Problem(observation=NOISY), False, False),
        (Problem(observation=NoisyPicture(sigma_y=EVEN)), False, False),
        (Problem(observation=NoisyPicture(sigma_y=0 * EVEN)), True, True),
        (Problem(observation=GUIDE), False, False),
        (Problem(observation=PAINTED), False, False),
        (Problem(observation=NOISY, finish=Finish(strength=0, chroma_strength=0)), False, True),
        (Problem(observation=NOISY, finish=Finish(strength=0)), False, False),
    ],
)
def test_what_is_exact_and_what_is_left_alone(problem: Problem, exact: bool, alone: bool) -> None:
    assert problem.is_exact == exact
    assert problem.leaves_alone == alone


def test_what_happened_to_the_picture() -> None:
    assert Problem(observation=NOISY).degradation == Degradation(noise=0.1)
    assert Problem(observation=GUIDE).degradation == Degradation(scale=2, noise=0.2)
    assert Problem(observation=PAINTED).degradation == Degradation()
    assert Problem(observation=GUIDE).size == (8, 8)
    assert Problem(observation=NOISY).size is None


@pytest.mark.parametrize(
    ("problem", "keeps"),
    [
        (Problem(observation=NOISY), False),
        (Problem(hole=HOLE), True),
        (Problem(observation=GUIDE), False),
        (Problem(observation=GuidePicture(degradation=Degradation(scale=2), size=(8, 8), consistent=True)), True),
        (Problem(observation=PAINTED), False),
        (Problem(observation=Repainting(sigma=0.4, scale=4, levels=2, where=HOLE)), True),
    ],
)
def test_what_a_lossy_file_would_spoil(problem: Problem, keeps: bool) -> None:
    assert problem.keeps_pixels == keeps
