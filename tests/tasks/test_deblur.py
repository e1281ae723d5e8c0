"""Undoing a known kernel as a problem."""

import numpy as np
import pytest

from diffuse_cli.degradation.kernels import defocus
from diffuse_cli.errors import UsageError
from diffuse_cli.images.image_io import Picture
from diffuse_cli.tasks.deblur import Deblur

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
