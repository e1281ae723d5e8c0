"""Extending: the picture stays where it is anchored."""

import numpy as np
import pytest

from diffuse_cli.diffusion.model import Model
from diffuse_cli.diffusion.settings import Settings
from diffuse_cli.errors import PictureError, UsageError
from diffuse_cli.restoration.restore import restore as restored_by
from diffuse_cli.tasks.extend import ANCHORS, Extend
from tests.tasks.test_compose import random_picture


@pytest.mark.parametrize("anchor", ANCHORS)
def test_extending_keeps_the_picture_where_it_is_anchored(toy: Model, anchor: str) -> None:
    picture = random_picture((20, 30), depth=16)
    task = Extend(to_size=(41, 33), anchor=anchor).problem(picture)  # type: ignore[arg-type]
    after = restored_by(picture, task, Settings(), toy)
    assert after.pixels.shape == (33, 41, 3)
    top = 0 if "top" in anchor else 13 if "bottom" in anchor else 6
    left = 0 if "left" in anchor else 11 if "right" in anchor else 5
    assert np.array_equal(after.pixels[top : top + 20, left : left + 30], picture.pixels)
    assert task.finish.corner == (top, left)


@pytest.mark.parametrize(
    ("aspect", "size"), [((16, 9), (36, 20)), ((1, 1), (30, 30)), ((2, 3), (30, 45)), ((30, 19), (32, 20))]
)
def test_an_aspect_is_met_by_the_smallest_canvas(aspect: tuple[int, int], size: tuple[int, int]) -> None:
    picture = random_picture((20, 30))
    task = Extend(aspect=aspect)
    hole = task.problem(picture).hole
    assert hole is not None
    assert hole.shape == size[::-1]
    assert task.to_recipe()["aspect"] == f"{aspect[0]}:{aspect[1]}"


def test_what_has_the_aspect_already_is_refused() -> None:
    with pytest.raises(PictureError, match="3:2 already"):
        Extend(aspect=(3, 2)).problem(random_picture((20, 30)))
    for bad in ({"aspect": (0, 1)}, {"aspect": (1, 1), "pad": (1, 1, 1, 1)}):
        with pytest.raises(UsageError):
            Extend(**bad)
