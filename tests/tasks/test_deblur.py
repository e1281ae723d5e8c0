"""Undoing a known kernel as a problem."""

import numpy as np
import pytest
from skimage import data

from diffuse_cli.degradation.damage import Damage
from diffuse_cli.degradation.kernels import defocus, motion
from diffuse_cli.errors import UsageError
from diffuse_cli.images.image_io import Picture, to_unit
from diffuse_cli.tasks.deblur import Deblur
from diffuse_cli.tasks.restore import Restore, restore_only

PICTURE = Picture(pixels=np.zeros((64, 64, 3), np.float32))


def test_noise_is_given_or_estimated() -> None:
    given = Deblur(kernel=defocus(3), noise=5).problem(PICTURE).guide
    assert given is not None
    assert given.linear is not None
    assert given.linear.noise * 127.5 == pytest.approx(5)
    found = Deblur(kernel=defocus(3)).problem(PICTURE)
    assert found.findings.notes == ("no noise found",)
    assert found.guide is not None
    assert found.guide.linear is not None
    assert found.guide.linear.noise * 127.5 == pytest.approx(0.5)


def test_recipes_tell_the_blur() -> None:
    assert Deblur(kernel=defocus(3), noise=5).to_recipe() == {"defocus": 3, "noise": 5}
    assert Deblur(kernel=defocus(3)).to_recipe() == {"defocus": 3, "estimated": {"noise": "auto"}}


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(UsageError, match="--noise"):
        Deblur(kernel=defocus(3), noise=-1)
    with pytest.raises(UsageError, match="needs a kernel"):
        Deblur().problem(PICTURE)


def test_restore_undoes_a_motion_that_is_sure() -> None:
    scene = Picture(pixels=to_unit(data.astronaut()[:320, :400], 8))
    moved = Damage(kernel=motion(13, 20), noise=1).apply(scene)[0]
    for task in (Restore(), Restore(**restore_only(("blur",), {}))):
        problem = task.problem(moved)
        assert problem.guide is not None
        assert problem.guide.linear is not None
        assert problem.guide.linear.kernel is not None
        assert str(problem.findings.facts["motion"]).startswith("13")
        assert "a motion of 13" in problem.findings.notes[0]
    assert "motion" not in Restore(blur=None).problem(moved).findings.facts
    assert "motion" not in Restore().problem(scene).findings.facts
