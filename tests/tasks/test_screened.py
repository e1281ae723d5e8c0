"""`Restore` and halftone screens: undone where they are sure, or asked for; told in any case."""

from dataclasses import replace

import numpy as np
import pytest

from diffuse_cli.degradation.estimation.screen import Screen
from diffuse_cli.diffusion.model import Model
from diffuse_cli.diffusion.settings import Settings
from diffuse_cli.errors import UsageError
from diffuse_cli.images.image_io import Picture, to_unit
from diffuse_cli.provenance.declared import from_recipe
from diffuse_cli.provenance.verification import verify
from diffuse_cli.restoration.problem import Problem
from diffuse_cli.restoration.restore import restore
from diffuse_cli.tasks.inpaint import Inpaint
from diffuse_cli.tasks.restore import Restore
from diffuse_cli.tasks.screened import screened, unsure
from tests.helpers.screens import dots, photo

ONLY = Restore(only=("screen",))


def halftone(period: float = 4.2) -> Picture:
    levels = np.rint(dots(photo().mean(2), period, 45)).astype(np.uint8)
    return Picture(pixels=to_unit(levels[..., None], 8))


def screen(confidence: str) -> Screen:
    return Screen(period=4.2, angle=45.0, amplitude=70.0, confidence="high" if confidence == "high" else "medium")


@pytest.mark.parametrize(("only", "confidence", "undone"), [
    (None, "high", True), (None, "medium", False), (("screen",), "medium", True), (("jpeg",), "high", False),
])  # fmt: skip
def test_what_is_undone(only: tuple[str, ...] | None, confidence: str, undone: bool) -> None:
    task, screens = Restore(only=only), (screen(confidence),)
    assert (screened(halftone(), screens, Problem(), asked=task.screen, noise=0.0, scale=1.0) is not None) == undone
    notes = unsure(task.screen, screens)
    told = "perhaps a screen: period 4.2 pixels, 45 degrees; --only screen undoes it"
    assert notes == ((told,) if only is None else ())


def test_it_is_found_told_and_in_the_recipe() -> None:
    for task in (Restore(), ONLY):
        problem = task.problem(halftone())
        assert problem.findings.notes == ("screen: period 4.2 pixels, 45 degrees (estimated)",)
        assert problem.guide is not None
        ((period, angle, _),) = problem.findings.facts["screen"]["cells"]
        assert (period, angle) == (pytest.approx(4.2, abs=0.01), pytest.approx(45, abs=0.2))
    assert Restore(noise=None).problem(halftone(), None).findings.facts
    assert "screen" not in Restore(only=("jpeg", "blur")).problem(halftone()).findings.facts


def test_a_photograph_is_left_alone() -> None:
    gray = Picture(pixels=to_unit(np.rint(photo().mean(2)).astype(np.uint8)[..., None], 8))
    problem = ONLY.problem(gray)
    assert problem.leaves_alone
    assert problem.findings.notes == ("screen: none (estimated)",)


def test_nothing_to_do_is_refused() -> None:
    with pytest.raises(UsageError, match="nothing to restore"):
        Restore(noise=None, jpeg=None, blur=None)
    with pytest.raises(UsageError, match="nothing to restore"):
        Restore(only=("jpeg",), jpeg=None)
    with pytest.raises(UsageError, match="--only takes noise, jpeg, blur, screen, not dust"):
        Restore(only=("dust",))


def test_holes_and_size_go_with_it() -> None:
    task = replace(ONLY, scale=2.0, holes=Inpaint(boxes=[(20, 20, 30, 30)]))
    problem = task.problem(halftone())
    assert problem.has_hole
    assert problem.size == (384, 512)


def test_the_result_is_better_and_verified(model: Model) -> None:
    before, clean = halftone(), photo().mean(2)
    problem = ONLY.problem(before)
    after = restore(before, problem, Settings(), model)

    def error(picture: Picture) -> float:
        return float(np.sqrt((((picture.pixels[..., 0] + 1) * 127.5 - clean) ** 2).mean()))

    assert problem.picture is not None
    assert error(after) < error(problem.picture) < 0.3 * error(before)
    recipe = {"operation": "restore", **ONLY.to_recipe(), **problem.findings.facts}
    assert ONLY.source_type(recipe) is not None
    assert all(figure.is_fine for figure in verify(after, before, from_recipe(recipe, before)))
    drawn = replace(after, pixels=after.pixels.copy())
    drawn.pixels[60:100, 60:100] = 0.9
    assert not all(figure.is_fine for figure in verify(drawn, before, from_recipe(recipe, before)))
    with pytest.raises(UsageError, match="no screen"):
        from_recipe({**recipe, "screen": {"cells": [[1, "a", 2]], "noise": 3}}, before)
