"""Blur and shrinking along one axis, against the operators that damage pictures."""

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from diffuse_cli.degradation.operators import Degradation, degrade
from diffuse_cli.degradation.separable import axis

lengths = st.integers(3, 60)


@given(lengths, lengths, st.sampled_from([0.0, 0.4, 1.0, 2.5, 6.0]), st.sampled_from([1.0, 1.7, 2.0, 3.0]))
@settings(max_examples=60, deadline=None)
def test_it_does_to_a_picture_what_the_operators_do(h: int, w: int, std: float, scale: float) -> None:
    x = torch.rand(1, 3, h, w, generator=torch.Generator().manual_seed(h * w)) * 2 - 1
    y = degrade(x, Degradation(blur=std, scale=scale), noise=torch.zeros(1))
    down, across = axis(y.shape[-2], h, std), axis(y.shape[-1], w, std)
    m, n = (torch.from_numpy(one.matrix(slice(0, one.small))).float() for one in (down, across))
    shape = (y.shape[-2], h), (y.shape[-1], w)
    full = [np.zeros(s, np.float32) for s in shape]
    for one, matrix, to in zip((down, across), (m, n), full, strict=True):
        to[:, one.columns(slice(0, one.small))] = matrix.numpy()
    found = torch.from_numpy(full[0]) @ x @ torch.from_numpy(full[1]).T
    torch.testing.assert_close(found, y, atol=2e-4, rtol=0)


@given(lengths, st.sampled_from([0.0, 1.0, 3.0]), st.integers(0, 59), st.integers(1, 60))
@settings(max_examples=40, deadline=None)
def test_the_rows_that_see_a_window_are_all_that_do(n: int, std: float, start: int, length: int) -> None:
    one = axis(max(n // 2, 1), n, std)
    window = slice(min(start, n - 1), min(start + length, n))
    whole = np.zeros((one.small, n))
    whole[:, one.columns(slice(0, one.small))] = one.matrix(slice(0, one.small))
    rows = one.rows(window)
    seeing = np.flatnonzero(np.abs(whole[:, window]).sum(1) > 0)
    assert rows.start <= seeing.min()
    assert rows.stop > seeing.max()
