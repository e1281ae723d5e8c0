"""The task of fusing copies."""

from typing import Any

import numpy as np
import pytest

from diffuse_cli.errors import PictureError, UsageError
from diffuse_cli.images.units import LEVEL
from diffuse_cli.restoration.problem import GuidePicture, NoisyPicture
from diffuse_cli.tasks.fuse import Fuse
from tests.helpers.copies import moved, scene, stored

SIDE = 96


def test_what_makes_no_sense() -> None:
    picture = stored(scene(side=SIDE))
    wrong: list[dict[str, Any]] = [
        {"copies": []},
        {"copies": [picture], "scale": 9},
        {"copies": [picture], "names": ("a", "b")},
        {"copies": [picture], "unlike": "keep"},
    ]
    for options in wrong:
        with pytest.raises(UsageError):
            Fuse(**options)


def test_noise_that_is_left_is_told() -> None:
    pytest.importorskip("cv2")
    clean = scene(side=SIDE)
    copies = [stored(moved(clean, (0.6, 1.1)), 12, 1), stored(clean, 12, 2)]
    problem = Fuse(copies=copies).problem(stored(clean, 12))
    assert isinstance(problem.observation, NoisyPicture)
    assert problem.observation.noise * LEVEL == pytest.approx(12 / np.sqrt(3), rel=0.2)
    assert problem.findings.facts["noise"] == pytest.approx(problem.observation.noise * LEVEL)
    assert len(problem.weights) == len(problem.findings.facts["shares"]) == 3
    large = Fuse(copies=copies[:1], scale=1.5).problem(stored(clean, 12))
    assert isinstance(large.observation, GuidePicture)
    assert large.size == (144, 144)


def test_clean_copies_are_left_alone_and_others_refused() -> None:
    pytest.importorskip("cv2")
    clean = stored(scene(side=SIDE))
    assert Fuse(copies=[clean]).problem(clean).leaves_alone
    other = stored(scene(1, SIDE))
    with pytest.raises(PictureError, match="copy 2: does not show what the first picture shows"):
        Fuse(copies=[other]).problem(clean)
    with pytest.raises(PictureError, match="nothing to fuse"):
        Fuse(copies=[other], unlike="leave-out").problem(clean)
