"""Noise keyed by position: windows agree, statistics are Gaussian, the values are pinned."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from diffuse_cli.degradation.noise_field import noise_field

PINNED = [
    [[235, 515, -1217], [209, 1396, 262]],
    [[41, 1762, 207], [-645, -1677, -150]],
    [[-449, -576, 2000], [445, -680, -184]],
]
WHOLE = noise_field((200, 260), seed=7)


@settings(max_examples=40)
@given(st.integers(0, 190), st.integers(0, 250), st.data())
def test_any_window_is_a_cut_of_the_plane(top: int, left: int, data: st.DataObject) -> None:
    h, w = data.draw(st.integers(1, 200 - top)), data.draw(st.integers(1, 260 - left))
    window = noise_field((h, w), seed=7, origin=(top, left))
    assert np.array_equal(window, WHOLE[:, top : top + h, left : left + w])


def test_is_standard_normal_and_white_across_block_borders() -> None:
    z = noise_field((512, 512), seed=1).astype(np.float64)
    assert abs(z.mean()) < 0.005
    assert abs(z.std() - 1) < 0.005
    assert abs((z**4).mean() - 3) < 0.03
    for a, b in ((z[:, 1:], z[:, :-1]), (z[:, :, 1:], z[:, :, :-1]), (z[1:], z[:-1])):
        assert abs((a * b).mean()) < 0.005
    assert abs((z[:, 64::64] * z[:, 63:-1:64]).mean()) < 0.03


def test_every_key_matters() -> None:
    fields = [
        noise_field((64, 64), seed=s, sample=k, step=t) for s, k, t in ((0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1))
    ]
    for i, a in enumerate(fields):
        for b in fields[i + 1 :]:
            assert abs(np.corrcoef(a.ravel(), b.ravel())[0, 1]) < 0.05


def test_gray_is_one_channel_repeated() -> None:
    z = noise_field((70, 70), seed=3, gray=True)
    assert np.array_equal(z[0], z[1])
    assert np.array_equal(z[0], z[2])
    assert np.array_equal(z[0], noise_field((70, 70), seed=3)[0])


def test_the_values_are_pinned_for_ever() -> None:
    z = noise_field((2, 3), seed=2**64 - 1, sample=5, step=2, origin=(63, 640))
    assert (z * 1024).astype(int).tolist() == PINNED
