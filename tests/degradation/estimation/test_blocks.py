"""Luma and the cosine transform that every reading starts from."""

import numpy as np
from scipy import fft

from diffuse_cli.degradation.estimation.blocks import dct_matrix, luma_weights


def test_the_transform_is_orthonormal_and_scipys() -> None:
    matrix, block = dct_matrix(), np.random.default_rng(0).normal(size=(8, 8))
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(64), atol=1e-12)
    np.testing.assert_allclose((matrix @ block.ravel()).reshape(8, 8), fft.dctn(block, norm="ortho"), atol=1e-12)


def test_gray_has_the_luma_of_its_level() -> None:
    for channels in (1, 3):
        assert (np.full(channels, 77.0) @ luma_weights(channels)).round(4) == 77
