"""Tasks become options and come back: what a server is told is what the command asks for."""

import json
from dataclasses import fields
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from diffuse_cli.errors import UsageError
from diffuse_cli.tasks.as_options import OPERATIONS, PARTS, from_options, holes_of, result_size, to_options
from diffuse_cli.tasks.denoise import Denoise
from diffuse_cli.tasks.enhance import Enhance
from diffuse_cli.tasks.extend import Extend
from diffuse_cli.tasks.inpaint import Inpaint
from diffuse_cli.tasks.repair import Repair
from diffuse_cli.tasks.restore import Restore, restore_only
from diffuse_cli.tasks.super_resolve import SuperResolve
from diffuse_cli.tasks.task import Task

LEVELS = st.floats(0, 100)
AUTO = st.just("auto")
HOLES = st.builds(
    Inpaint, mask=st.sampled_from(["alpha", "auto"]), grow=st.integers(0, 9), feather=st.integers(0, 9),
    boxes=st.lists(st.tuples(*[st.integers(1, 9)] * 4), max_size=2), smooth_fill=st.booleans(),
    polygons=st.lists(st.lists(st.tuples(LEVELS, LEVELS), min_size=3, max_size=4).map(tuple), max_size=2),
)  # fmt: skip
ONLY = st.none() | st.lists(st.sampled_from(["noise", "jpeg", "blur", "screen"]), min_size=1, unique=True).map(tuple)
RESTORE = st.builds(
    Restore, noise=LEVELS | AUTO, jpeg=st.floats(1, 100) | AUTO, blur=st.floats(0, 20) | AUTO, only=ONLY,
    scale=st.floats(1, 8), holes=st.none() | HOLES,
)  # fmt: skip
TASKS: dict[str, st.SearchStrategy[Any]] = {
    "denoise": st.builds(Denoise, noise=LEVELS | AUTO | st.just("poisson"), strength=st.floats(0, 1)),
    "super-resolve": st.builds(SuperResolve, scale=st.floats(1.1, 8), consistent=st.booleans(), plain=st.booleans()),
    "restore": RESTORE,
    "deblur": st.builds(
        lambda blur, noise: Restore(**{**restore_only(("blur",), {"blur": blur}), "noise": noise}),
        st.floats(0, 20) | AUTO, LEVELS | AUTO,
    ),
    "dejpeg": st.builds(
        lambda jpeg: Restore(**restore_only(("jpeg",), {"jpeg": jpeg})), st.floats(1, 100) | AUTO
    ),
    "repair": st.builds(Repair, only=st.none() | st.just(("marks", "fading")), holes=HOLES, saturation=st.floats(0, 3)),
    "inpaint": HOLES,
    "enhance": st.builds(Enhance, exposure=st.floats(-3, 3) | AUTO, noise=LEVELS | AUTO, strength=st.floats(0, 1)),
    "extend": st.builds(Extend, pad=st.tuples(*[st.integers(1, 9)] * 4)),
}  # fmt: skip


def asked(task: Task) -> str:
    """All that a task says, whether its lists are lists or tuples."""
    told = {one.name: repr(getattr(task, one.name)) for one in fields(task)}
    return json.dumps(told).replace("(", "[").replace(")", "]").replace(",]", "]")


@pytest.mark.parametrize("operation", OPERATIONS)
@given(data=st.data())
def test_a_task_is_the_same_after_a_journey_as_json(operation: str, data: st.DataObject) -> None:
    task = data.draw(TASKS[operation])
    told = json.loads(json.dumps(to_options(operation, task)))
    assert asked(from_options(operation, told, {})) == asked(task)


def test_every_field_of_a_task_travels() -> None:
    for operation in OPERATIONS.values():
        own = {one.name for one in operation.options}
        assert own | operation.fixed.keys() | set(PARTS) >= own
        if not operation.offered:
            assert own == {one.name for one in fields(operation.kind)}


def test_pictures_travel_beside_the_options() -> None:
    mask = np.ones((3, 4), bool)
    task = Restore(holes=Inpaint(mask=mask, grow=2))
    assert to_options("restore", task) == {"holes": {"grow": 2}}
    again = from_options("restore", {"holes": {"grow": 2}}, {"mask": mask})
    assert isinstance(again, Restore)
    assert again.holes is not None
    assert again.holes.mask is mask
    assert OPERATIONS["restore"].parts == ("mask",)
    assert OPERATIONS["denoise"].parts == ("noise_map",)
    assert OPERATIONS["deblur"].parts == ()


def test_a_mask_is_given_once() -> None:
    with pytest.raises(UsageError, match="give one of them"):
        from_options("inpaint", {"mask": "auto"}, {"mask": np.ones((3, 4), bool)})
    with pytest.raises(UsageError, match="takes no such picture"):
        from_options("denoise", {}, {"mask": np.ones((3, 4), bool)})


def test_a_repair_looks_for_marks_unless_it_is_told_where_they_are() -> None:
    assert holes_of(from_options("repair", {"holes": {"grow": 1}}, {})) == Inpaint(mask="auto", if_worn=True, grow=1)
    assert holes_of(from_options("repair", {"holes": {"boxes": [[0, 0, 2, 2]]}}, {})) == Inpaint(boxes=((0, 0, 2, 2),))
    assert from_options("repair", {"holes": None}, {}) == Repair()
    assert holes_of(from_options("repair", {"only": ["noise"]}, {})) is None


def test_the_size_of_a_result_is_known_before() -> None:
    assert result_size(Extend(pad=(1, 2, 3, 4)), 10, 20) == (14, 26)
    assert result_size(SuperResolve(scale=2.5), 10, 20) == (25, 50)
    assert result_size(Restore(scale=3), 10, 20) == (30, 60)
    assert result_size(Denoise(), 10, 20) == (10, 20)
