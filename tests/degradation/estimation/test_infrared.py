"""Marks in an infrared channel."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from diffuse_cli.degradation.estimation.infrared import infrared_marks, infrared_of
from diffuse_cli.images.picture import ExtraChannels

Plane = NDArray[np.float32]


def scan() -> Plane:
    rng = np.random.default_rng(0)
    slow = 0.05 * np.sin(np.arange(300) / 40)
    return np.asarray(0.8 + slow + 0.01 * rng.standard_normal((200, 300)), np.float32)


def picture() -> Plane:
    drawn = np.random.default_rng(1).standard_normal((200, 300))
    return np.asarray(0.6 + ndimage.gaussian_filter(drawn, 1.5), np.float32)


def test_dark_and_narrow_things_are_marks() -> None:
    infrared = scan()
    infrared[100:103, 40:250] = 0.4
    infrared[30:34, 60:64] *= 0.7
    found = infrared_marks(infrared, picture())
    assert found is not None
    assert found[100:103, 40:250].mean() > 0.95
    assert found[30:34, 60:64].mean() > 0.7
    assert found.sum() < 1.2 * (3 * 210 + 16)


def test_strength_finds_more() -> None:
    infrared = scan()
    infrared[100:103, 40:250] *= np.linspace(0.8, 1, 210, dtype=np.float32)
    little, usual, much = (infrared_marks(infrared, picture(), strength) for strength in (0.0, 0.5, 1.0))
    assert little is not None
    assert usual is not None
    assert much is not None
    assert little.sum() < usual.sum() < much.sum()


@pytest.mark.parametrize("kind", ["dark", "picture"])
def test_what_is_no_infrared_is_no_evidence(kind: str) -> None:
    channel = scan() * np.float32(0.1) if kind == "dark" else picture() + np.float32(0.02) * scan()
    assert infrared_marks(channel, picture()) is None


def test_the_only_channel_that_is_no_alpha() -> None:
    levels = np.zeros((4, 5, 2), np.uint16)
    levels[..., 1] = 65535
    found = infrared_of(ExtraChannels(levels=levels, kinds=(2, 0)))
    assert found is not None
    assert (found == 1).all()
    assert infrared_of(ExtraChannels(levels=levels, kinds=(0, 0))) is None
    assert infrared_of(ExtraChannels(levels=levels, kinds=(2, 1))) is None
    assert infrared_of(None) is None
