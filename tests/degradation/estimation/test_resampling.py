"""Enlargement, and from what size."""

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from diffuse_cli.degradation.estimation.resampling import estimate_resampling


@pytest.mark.parametrize("method", [Image.Resampling.BILINEAR, Image.Resampling.BICUBIC, Image.Resampling.LANCZOS])
@pytest.mark.parametrize("factor", [1.3, 2.0, 3.0])
def test_enlargement_is_seen(photo: NDArray[np.uint8], factor: float, method: Image.Resampling) -> None:
    h, w = photo.shape[:2]
    large = Image.fromarray(photo).resize((round(w * factor), round(h * factor)), method)
    found = estimate_resampling(np.asarray(large, np.float32))
    assert found.source is not None
    assert np.abs(np.subtract(found.source, (h, w))).max() <= 1
    assert found.factor == pytest.approx(factor, rel=0.02)


def test_photographs_as_they_are_were_not_enlarged(photo: NDArray[np.uint8]) -> None:
    assert estimate_resampling(photo.astype(np.float32)).factor is None
    assert estimate_resampling(np.zeros((200, 200, 3), np.float32)).factor is None
