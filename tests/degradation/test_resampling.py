"""The shrinker: Pillow's, its matrix and its adjoint; windows of a resized picture are the whole one's."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from diffuse_cli.degradation.operators import resize
from diffuse_cli.degradation.resampling import resize_window, shrinker, taps
from tests.helpers.pictures import shrunk


@pytest.mark.parametrize("size", [(20, 1), (1, 20), (9, 9), (1, 1)])
def test_the_shrinker_is_pillows(size: tuple[int, int]) -> None:
    """Also for one column, where torch's own is wrong."""
    x = np.random.default_rng(0).normal(size=(69, 30, 1)).astype(np.float32)
    ours = resize(torch.from_numpy(x[..., 0])[None, None], size)[0, 0].numpy()
    np.testing.assert_allclose(ours, shrunk(x, size)[..., 0], atol=1e-4)


@given(st.integers(1, 40), st.floats(1.01, 8))
@settings(max_examples=60, deadline=None)
def test_the_matrix_is_the_shrinkers(small: int, factor: float) -> None:
    large = max(round(small * factor), small + 1)
    first, weights = taps(small, large)
    matrix = np.zeros((small, large + weights.shape[1]))
    for i in range(small):
        matrix[i, first[i] : first[i] + weights.shape[1]] = weights[i]
    assert (matrix[:, large:] == 0).all()
    np.testing.assert_allclose(matrix[:, :large], resize(torch.eye(large)[None, None], (small, large))[0, 0], atol=1e-5)


@pytest.mark.parametrize(("small", "large"), [((70, 150), (151, 300)), ((1, 200), (1, 200)), ((130, 5), (523, 5))])
def test_blocks_are_the_shrinker_and_its_adjoint(small: tuple[int, int], large: tuple[int, int]) -> None:
    """Several blocks of each, axes that are not shrunk, and <A x, r> = <x, A^T r>."""
    torch.manual_seed(0)
    x, r = torch.randn(large), torch.randn(small)
    a = shrinker(small, large)
    shrunk_x, adjoint = torch.full(small, torch.nan), torch.full(large, torch.nan)
    for rows, part in a.shrunk(x):
        shrunk_x[rows] = part
    for rows, part in a.adjoint(r):
        adjoint[rows] = part
    torch.testing.assert_close(shrunk_x, resize(x[None, None], small)[0, 0], atol=2e-5, rtol=0)
    both = float((shrunk_x * r).sum(dtype=torch.float64)), float((x * adjoint).sum(dtype=torch.float64))
    assert both[0] == pytest.approx(both[1], rel=1e-4, abs=1e-3)


def windows(size: tuple[int, int]) -> list[tuple[slice, slice]]:
    """The whole picture, its corners, and some of its middle, begun at odd places."""
    h, w = size
    parts = [
        (0, h, 0, w),
        (0, h // 2 + 1, 0, w // 3 + 1),
        (h // 3, h, w // 2, w),
        (h // 4, h // 2 + 1, w // 5, w // 2 + 1),
    ]
    return [(slice(a, b), slice(c, d)) for a, b, c, d in parts]


@pytest.mark.parametrize(
    ("size", "to"), [((50, 70), (100, 140)), ((50, 71), (177, 233)), ((200, 300), (90, 130)), ((3, 2), (24, 16))]
)
def test_windows_of_a_resized_picture_are_the_whole_ones(size: tuple[int, int], to: tuple[int, int]) -> None:
    torch.manual_seed(0)
    x = torch.rand(1, 3, *size) * 2 - 1
    whole = resize(x, to)
    for rows, columns in windows(to):
        part = resize_window(x, to, rows, columns)
        torch.testing.assert_close(part, whole[..., rows, columns], rtol=0, atol=1e-5)


def test_a_resized_window_far_from_the_origin() -> None:
    """Where coordinates are large, their rounding in fp32 shows; it is the same."""
    torch.manual_seed(0)
    x = torch.rand(1, 1, 9000, 3)
    part = resize_window(x, (20011, 7), slice(19900, 20011), slice(0, 7))
    torch.testing.assert_close(part, resize(x, (20011, 7))[..., 19900:, :], rtol=0, atol=1e-5)
