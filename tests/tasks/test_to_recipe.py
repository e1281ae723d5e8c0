"""What tasks tell a recipe, and what verifying makes of it again."""

import json
from dataclasses import fields
from typing import Any

import numpy as np
import pytest

from diffuse_cli.errors import UsageError
from diffuse_cli.images.picture import Picture
from diffuse_cli.tasks.by_name import TASKS
from diffuse_cli.tasks.compose import Compose
from diffuse_cli.tasks.denoise import Denoise
from diffuse_cli.tasks.enhance import Enhance
from diffuse_cli.tasks.extend import Extend
from diffuse_cli.tasks.inpaint import Inpaint
from diffuse_cli.tasks.restore import Restore
from diffuse_cli.tasks.super_resolve import SuperResolve
from diffuse_cli.tasks.task import Task

GRAY = Picture(pixels=np.zeros((8, 8, 1), np.float32))
HOLES = Inpaint(boxes=[(1, 2, 3, 4)], polygons=[((0, 0), (5, 0.5), (0, 5))], grow=2)
TOLD: list[tuple[Task, dict[str, Any]]] = [
    (Denoise(), {"estimated": {"noise": "auto"}, "strength": 1.0, "chroma_strength": 1.0}),
    (Denoise(noise="poisson"), {"estimated": {"noise": "poisson"}, "strength": 1.0, "chroma_strength": 1.0}),
    (Denoise(noise="auto-map", strength=0.5), {
        "estimated": {"noise": "auto-map"}, "strength": 0.5, "chroma_strength": 0.5,
    }),
    (Denoise(noise=5), {"noise": 5, "strength": 1.0, "chroma_strength": 1.0}),
    (Denoise(noise_map=np.zeros((8, 8), np.float32)), {"strength": 1.0, "chroma_strength": 1.0}),
    (SuperResolve(to_size=(9, 8)), {
        "estimated": {"noise": "auto", "jpeg": "auto"}, "to_size": (9, 8), "consistent": False, "plain": False,
    }),
    (SuperResolve(plain=True), {"scale": 2.0, "consistent": False, "plain": True}),
    (Extend(pad=(1, 0, 0, 0)), {"pad": (1, 0, 0, 0), "anchor": "center"}),
    (Enhance(contrast=1.0), {
        "exposure": "auto", "contrast": 1.0, "clarity": "auto", "saturation": "auto", "white_balance": "auto",
        "strength": 1.0,
    }),
    (Restore(only=("blur",)), {
        "estimated": {"noise": "if-blurred", "blur": "auto"}, "only": ["blur"], "jpeg": 100.0, "scale": 1.0,
        "mask": None, "boxes": [], "polygons": [], "invert_mask": False,
    }),
    (Restore(only=("screen",)), {
        "estimated": {}, "only": ["screen"], "noise": 0.0, "jpeg": 100.0, "blur": 0.0, "scale": 1.0,
        "mask": None, "boxes": [], "polygons": [], "invert_mask": False,
    }),
    (Restore(noise=9, jpeg=70, blur=None, holes=HOLES), {
        "estimated": {}, "noise": 9, "jpeg": 70, "blur": 0.0, "scale": 1.0, "mask": None, **HOLES.to_recipe(),
    }),
]  # fmt: skip


@pytest.mark.parametrize(("task", "told"), TOLD, ids=str)
def test_a_recipe_tells_the_options_and_what_is_estimated(task: Task, told: dict[str, Any]) -> None:
    assert task.to_recipe() == told


def test_pictures_are_told_by_their_hashes_elsewhere() -> None:
    assert not Compose(insert=GRAY).to_recipe().keys() & {"insert", "mask"}
    for kind in {*TASKS.values()}:
        assert isinstance(kind.source_type({"noise": 5.0, "steps": 6}), str)


@pytest.mark.parametrize("holes", [
    HOLES, Inpaint(mask="alpha", invert_mask=True), Inpaint(mask="auto", mask_limit=9.0, feather=3),
])  # fmt: skip
def test_holes_are_read_again(holes: Inpaint) -> None:
    named = {"mask": holes.mask} if isinstance(holes.mask, str) else {}
    told = json.loads(json.dumps({"operation": "inpaint", "noise": 3.0, **holes.to_recipe(), **named}))
    again = Inpaint.from_recipe(told)
    assert again is not None
    for field in fields(Inpaint):
        value = getattr(holes, field.name)
        assert getattr(again, field.name) == (tuple(value) if isinstance(value, list) else value)


def test_a_mask_is_given_again() -> None:
    mask = np.ones((8, 8), bool)
    assert Inpaint.from_recipe({"operation": "denoise", "mask": None, "boxes": []}) is None
    with pytest.raises(UsageError, match="give it again"):
        Inpaint.from_recipe({"mask": "0" * 64})
    again = Inpaint.from_recipe({"mask": "0" * 64, "grow": 3}, mask)
    assert again is not None
    assert again.mask is mask
    assert again.grow == 3
